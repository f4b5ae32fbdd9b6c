package app

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/task"
)

// Keys are the API keys of apps.
type Keys interface {
	// IDs returns up to limit of the app's keys by ID, those after the ID; "" begins. It reads strongly.
	IDs(ctx context.Context, app id.App, after id.Key, limit int) ([]id.Key, error)
	// Suspend refuses the key from now on, or lets it work again; a key that is gone is left alone.
	Suspend(ctx context.Context, app id.App, key id.Key, on bool) error
}

// Sockets cuts the live connections of tokens that a key has minted.
type Sockets interface {
	// CutKey closes every socket whose token the key minted. A socket that it cannot reach in time is refused at its
	// next frame all the same.
	CutKey(ctx context.Context, app id.App, key id.Key) error
}

const (
	// keyPage is how many keys are read at once.
	keyPage = 100
	// keyWorkers is how many keys are changed at once: an app of thousands has to be done within a request's time, and its
	// keys share one partition, which takes a thousand writes a second.
	keyWorkers = 8
	// alignAttempts bounds how often the app's state may turn while its keys are brought in line.
	alignAttempts = 5
)

// SuspendTask handles task.AppSuspend: it brings the keys in line with the app, whatever a request has left undone. It
// also cuts the sockets a second time, which the index that finds them may have missed the first time.
func (s *Service) SuspendTask(ctx context.Context, due task.Task) error { return s.align(ctx, due.App) }

// align suspends the keys of a deleted app and cuts their sockets, and lets those of any other app work again. Deletions
// and restorations may overlap; each looks at the end whether the app's state is still the one that it has brought about,
// so the last to touch the keys leaves them as the app is.
func (s *Service) align(ctx context.Context, app id.App) error {
	for range alignAttempts {
		before, err := s.Store.Current(ctx, app)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.suspendAll(ctx, app, before.Deleted()); err != nil {
			return err
		}
		after, err := s.Store.Current(ctx, app)
		if err != nil {
			return err
		}
		if after.Deleted() == before.Deleted() {
			return nil
		}
	}
	return fault.Wrap(errors.New("align keys: the app's state keeps turning"), fault.Overtaken)
}

// suspendAll suspends every key before it cuts sockets: cutting takes longer, and a suspended key is refused at once.
func (s *Service) suspendAll(ctx context.Context, app id.App, on bool) error {
	err := s.eachKey(ctx, app, func(key id.Key) error { return s.Keys.Suspend(ctx, app, key, on) })
	if err != nil || !on {
		return err
	}
	return s.eachKey(ctx, app, func(key id.Key) error { return s.Sockets.CutKey(ctx, app, key) })
}

// eachKey does it with every key, with several at once. Where some fail, the others of the page are done all the same.
func (s *Service) eachKey(ctx context.Context, app id.App, do func(id.Key) error) error {
	for after := id.Key(""); ; {
		keys, err := s.Keys.IDs(ctx, app, after, keyPage)
		if err != nil {
			return err
		}
		var group errgroup.Group
		group.SetLimit(keyWorkers)
		for _, key := range keys {
			group.Go(func() error { return do(key) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if len(keys) < keyPage {
			return nil
		}
		after = keys[len(keys)-1]
	}
}
