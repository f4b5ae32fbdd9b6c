package storetest

import (
	"context"
	"time"
)

// Queue is what jobs are sent to: broadcast.Later and userimport.Later.
type Queue interface {
	Send(ctx context.Context, job any, delay time.Duration) error
}

// Queue wraps a queue so that the fuse counts and fails what is sent.
func (f *Fuse) Queue(queue Queue) Queue { return &fusedQueue{f, queue} }

type fusedQueue struct {
	fuse  *Fuse
	queue Queue
}

func (f *fusedQueue) Send(ctx context.Context, job any, delay time.Duration) error {
	return f.fuse.Write(func() error { return f.queue.Send(ctx, job, delay) })
}
