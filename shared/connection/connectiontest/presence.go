package connectiontest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

// watchPlace is where a watch stands.
type watchPlace struct {
	watched owner
	watcher id.User
}

// watch says who watches, until when.
type watch struct {
	watcher id.User
	expires int64
}

// Records implements connection.Store.
func (s *Store) Records(_ context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error) {
	found := map[id.User]connection.Record{}
	for _, user := range users {
		if record, ok := s.records.Get(owner{app, user}, strong); ok {
			found[user] = clone(record)
		}
	}
	return found, nil
}

// SetHidden implements presence.Store.
func (s *Store) SetHidden(_ context.Context, app id.App, user id.User, hidden bool) (connection.Record, error) {
	return s.change(app, user, func(r *connection.Record) bool {
		r.Hidden = hidden
		return true
	})
}

// MarkWatched implements presence.Store.
func (s *Store) MarkWatched(_ context.Context, app id.App, user id.User, now, until time.Time, online bool) (connection.Record, error) {
	return s.change(app, user, func(r *connection.Record) bool {
		if !r.Watched(now) {
			r.Announced = connection.Announcement{Online: online}
		}
		r.WatchedUntil = max(until.Unix(), r.WatchedUntil)
		return true
	})
}

// PutAnnounced implements presence.Store.
func (s *Store) PutAnnounced(_ context.Context, app id.App, user id.User, was, is connection.Announcement) (connection.Record, error) {
	return s.change(app, user, func(r *connection.Record) bool {
		swaps := r.Announced == was
		if swaps {
			r.Announced = is
		}
		return swaps
	})
}

// PutWatch implements presence.Store.
func (s *Store) PutWatch(_ context.Context, app id.App, watched, watcher id.User, expires time.Time) error {
	s.watches.Put(watchPlace{owner{app, watched}, watcher}, watch{watcher, expires.Unix()})
	return nil
}

// RemoveWatch implements presence.Store.
func (s *Store) RemoveWatch(_ context.Context, app id.App, watched, watcher id.User) error {
	s.watches.Delete(watchPlace{owner{app, watched}, watcher})
	return nil
}

// Watchers implements presence.Store.
func (s *Store) Watchers(_ context.Context, app id.App, watched id.User, now time.Time, after string, limit int) ([]id.User, string, error) {
	rows := s.watches.Select(true, func(p watchPlace) bool {
		return p.watched == owner{app, watched} && string(p.watcher) > after
	})
	slices.SortFunc(rows, func(a, b watch) int { return cmp.Compare(a.watcher, b.watcher) })
	next := ""
	if len(rows) >= limit {
		rows = rows[:limit]
		next = string(rows[limit-1].watcher)
	}
	var watchers []id.User
	for _, row := range rows {
		if row.expires > now.Unix() {
			watchers = append(watchers, row.watcher)
		}
	}
	return watchers, next, nil
}
