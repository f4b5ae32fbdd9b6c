package messagetest

import (
	"context"
	"slices"
	"sync"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Removals implements message.Removals in memory, over a log and a store of rows.
type Removals struct {
	mutex   sync.Mutex // of removals among each other: the log and the rows have their own
	log     *Log
	members *Members
	rows    *storetest.Table[deletedPlace, int64]
}

type deletedPlace struct {
	memberPlace
	sequence int64
}

var _ message.Removals = (*Removals)(nil)

// NewRemovals returns a store in which nothing is removed, and Deleted, where it is not strong, may miss the latest.
func NewRemovals(stale storetest.Staleness, log *Log, members *Members) *Removals {
	return &Removals{log: log, members: members, rows: storetest.NewTable[deletedPlace, int64](stale)}
}

// Settle makes everything that was removed visible to every read.
func (r *Removals) Settle() { r.rows.Settle() }

// Deleted implements message.Removals.
func (r *Removals) Deleted(_ context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, strong bool) ([]int64, error) {
	sequences := r.rows.Select(strong, func(p deletedPlace) bool {
		return p.memberPlace == memberPlace{app, user, conversation} && from <= p.sequence && p.sequence <= to
	})
	slices.Sort(sequences)
	return sequences, nil
}

// Remove implements message.Removals. What can refuse it comes first, the entry last but one: an entry is never taken back, and
// the row only moves forward.
func (r *Removals) Remove(ctx context.Context, removal message.Removal) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	was := removal.Was
	at := memberPlace{was.App, was.User, was.Conversation}
	for _, sequence := range removal.Deleted {
		if _, gone := r.rows.Get(deletedPlace{at, sequence}, true); gone {
			return message.ErrOvertaken
		}
	}
	if taken, err := r.log.Read(ctx, was.App, removal.Entry.Conversation, removal.Entry.Sequence, 1, true); err != nil || len(taken) > 0 {
		return message.ErrOvertaken
	}
	moved := false
	if _, _, err := r.members.forward(at, func(row *message.Member) {
		if moved = row.Acknowledged == was.Acknowledged && row.Read == was.Read; moved {
			is := removal.Is
			row.Acknowledged, row.Read, row.ReadOrdinal, row.Cleared, row.Deletes = is.Acknowledged, is.Read, is.ReadOrdinal, is.Cleared, is.Deletes
		}
	}); err != nil || !moved {
		return message.ErrOvertaken
	}
	for _, sequence := range removal.Deleted {
		r.rows.Put(deletedPlace{at, sequence}, sequence)
	}
	return r.log.Append(ctx, removal.Entry)
}

type fusedRemovals struct {
	fuse     *storetest.Fuse
	removals message.Removals
}

// FuseRemovals wraps a store of removals so that the fuse counts and fails its writes.
func FuseRemovals(fuse *storetest.Fuse, removals message.Removals) message.Removals {
	return &fusedRemovals{fuse, removals}
}

func (f *fusedRemovals) Deleted(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, strong bool) ([]int64, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.removals.Deleted(ctx, app, user, conversation, from, to, strong)
}

func (f *fusedRemovals) Remove(ctx context.Context, removal message.Removal) error {
	return f.fuse.Write(func() error { return f.removals.Remove(ctx, removal) })
}
