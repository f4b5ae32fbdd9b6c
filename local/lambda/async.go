package lambda

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// asyncState is what the asynchronous side of a host keeps.
type asyncState struct {
	running sync.WaitGroup
	doubles atomic.Int64 // invocations that are still to be doubled on purpose
}

// InvokeAsync queues an invocation and returns. The function is tried again after an error, as often as the template
// says, and now and then it runs twice for one invocation, as on AWS: functions have to be idempotent.
// It returns ErrUnknownFunction, ErrTooLarge or ErrClosed.
func (h *Host) InvokeAsync(name string, payload []byte) error {
	f, err := h.function(name)
	if err != nil {
		return err
	}
	if len(payload) > MaxAsyncPayload {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	select {
	case <-h.closed:
		return ErrClosed
	default:
	}
	h.options.Count("async_invokes", f.Name)
	for range 1 + h.extra() {
		h.async.running.Go(func() { h.attempt(f, payload) })
	}
	return nil
}

// DoubleNext makes the next n asynchronous invocations happen twice.
func (h *Host) DoubleNext(n int) { h.async.doubles.Add(int64(n)) }

// extra returns 1 for an invocation that is to happen twice.
func (h *Host) extra() int {
	if h.async.doubles.Add(-1) >= 0 {
		return 1
	}
	h.async.doubles.Add(1)
	if every := h.options.DoubleEvery; every > 0 && rand.IntN(every) == 0 {
		return 1
	}
	return 0
}

// attempt runs f until it succeeds, its retries are used up, or the invocation is too old.
func (h *Host) attempt(f *function, payload []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begun, wait := time.Now(), h.options.RetryWait
	for try := 0; ; try++ {
		h.options.Count("invocations", f.Name)
		result, err := f.invoke(ctx, payload)
		if err != nil || result.FunctionError == "" || try >= f.Retries {
			return
		}
		if f.MaximumAge > 0 && time.Since(begun)+wait > f.MaximumAge {
			return
		}
		select {
		case <-h.closed:
			return
		case <-time.After(wait):
		}
		wait *= 2
	}
}
