package usertest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/user"
)

type blockPlace struct {
	app         id.App
	user, other id.User
}

// PutBlock implements user.Store.
func (s *Store) PutBlock(_ context.Context, was user.User, block user.Block) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	place := blockPlace{was.App, was.ID, block.Other}
	if _, stands := s.blocks.Get(place, true); stands {
		return user.ErrBlocked
	}
	if err := s.count(was, was.Blocks.With(block.Other)); err != nil {
		return err
	}
	block.At = block.At.Truncate(time.Millisecond)
	s.blocks.Put(place, block)
	return nil
}

// RemoveBlock implements user.Store.
func (s *Store) RemoveBlock(_ context.Context, was user.User, other id.User) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	place := blockPlace{was.App, was.ID, other}
	if _, stands := s.blocks.Get(place, true); !stands {
		return user.ErrNotBlocked
	}
	if err := s.count(was, was.Blocks.Less()); err != nil {
		return err
	}
	s.blocks.Delete(place)
	return nil
}

// count replaces what the user's record says of its blocks.
func (s *Store) count(was user.User, is user.Blocks) error {
	err := user.ErrChanged
	s.users.Do(userPlace{was.App, was.ID}, func(now user.User, exists bool) (user.User, bool) {
		if !exists || !now.Blocks.Equal(was.Blocks) {
			return now, false
		}
		err, now.Blocks = nil, is
		return now, true
	})
	return err
}

// Blocking implements user.Store.
func (s *Store) Blocking(_ context.Context, app id.App, userID, other id.User) (blocked, silently bool, err error) {
	_, blocked = s.blocks.Get(blockPlace{app, userID, other}, false)
	return blocked, s.Silent, nil
}

// Blocks implements user.Store.
func (s *Store) Blocks(_ context.Context, app id.App, userID, after id.User, limit int) ([]user.Block, id.User, error) {
	blocks := s.blocks.Select(false, func(p blockPlace) bool { return p.app == app && p.user == userID && p.other > after })
	slices.SortFunc(blocks, func(a, b user.Block) int { return cmp.Compare(a.Other, b.Other) })
	if len(blocks) < limit {
		return blocks, "", nil
	}
	return blocks[:limit], blocks[limit-1].Other, nil
}
