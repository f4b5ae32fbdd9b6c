// Package broadcasttest has what tests of broadcasts share: a store in memory, a fuse around it, and the suite that every store
// passes.
package broadcasttest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/id"
)

// Store implements broadcast.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	mutex      sync.Mutex
	broadcasts map[place]broadcast.Broadcast
	contents   map[place][]byte
	slots      map[slot]broadcast.Broadcast
}

type place struct {
	app id.App
	job id.Broadcast
}

type slot struct {
	app    id.App
	number int
}

var _ broadcast.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{broadcasts: map[place]broadcast.Broadcast{}, contents: map[place][]byte{}, slots: map[slot]broadcast.Broadcast{}}
}

// Begin implements broadcast.Store.
func (s *Store) Begin(_ context.Context, begun broadcast.Broadcast, content []byte) (broadcast.Broadcast, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := place{begun.App, begun.ID}
	if standing, ok := s.broadcasts[at]; ok {
		return standing, nil
	}
	for number := range broadcast.MaxUnfinished {
		if holder, taken := s.slots[slot{begun.App, number}]; taken && !holder.Over(begun.CreatedAt) {
			continue
		}
		begun.Slot, begun.CreatedAt = number, begun.CreatedAt.Truncate(time.Millisecond)
		s.broadcasts[at], s.contents[at], s.slots[slot{begun.App, number}] = begun, slices.Clone(content), begun
		return begun, nil
	}
	return broadcast.Broadcast{}, broadcast.ErrTooMany
}

// Get implements broadcast.Store.
func (s *Store) Get(_ context.Context, app id.App, job id.Broadcast) (broadcast.Broadcast, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.get(app, job)
}

func (s *Store) get(app id.App, job id.Broadcast) (broadcast.Broadcast, error) {
	found, ok := s.broadcasts[place{app, job}]
	if !ok {
		return broadcast.Broadcast{}, broadcast.ErrNotFound
	}
	return found, nil
}

// Content implements broadcast.Store.
func (s *Store) Content(_ context.Context, app id.App, job id.Broadcast) ([]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	content, ok := s.contents[place{app, job}]
	if !ok {
		return nil, broadcast.ErrNotFound
	}
	return slices.Clone(content), nil
}

// List implements broadcast.Store. A position is the ID of the last broadcast.
func (s *Store) List(_ context.Context, app id.App, after string, limit int) (page []broadcast.Broadcast, next string, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for at, each := range s.broadcasts {
		if at.app == app {
			page = append(page, each)
		}
	}
	slices.SortFunc(page, func(a, b broadcast.Broadcast) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	page = page[slices.IndexFunc(page, func(b broadcast.Broadcast) bool { return string(b.ID) == after })+1:]
	if len(page) <= limit {
		return page, "", nil
	}
	return page[:limit], string(page[limit-1].ID), nil
}

// Cancel implements broadcast.Store.
func (s *Store) Cancel(_ context.Context, app id.App, job id.Broadcast, at time.Time) (broadcast.Broadcast, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, err := s.get(app, job)
	if err == nil && !found.Finished() && found.CancelledAt.IsZero() {
		found.CancelledAt = at.Truncate(time.Millisecond)
		s.broadcasts[place{app, job}] = found
	}
	return found, err
}

// Save implements broadcast.Store.
func (s *Store) Save(_ context.Context, saved broadcast.Broadcast) (broadcast.Broadcast, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, err := s.get(saved.App, saved.ID)
	switch {
	case err != nil || found.Steps == saved.Steps && found.Run == saved.Run:
		return found, err
	case found.Steps != saved.Steps-1:
		return broadcast.Broadcast{}, broadcast.ErrOvertaken
	}
	found.Progress = saved.Progress
	found.FinishedAt = saved.FinishedAt.Truncate(time.Millisecond)
	s.broadcasts[place{saved.App, saved.ID}] = found
	return found, nil
}

// Release implements broadcast.Store.
func (s *Store) Release(_ context.Context, of broadcast.Broadcast) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.contents, place{of.App, of.ID})
	if at := (slot{of.App, of.Slot}); s.slots[at].ID == of.ID {
		delete(s.slots, at)
	}
	return nil
}
