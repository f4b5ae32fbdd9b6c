// Package presencetest has the suite that every store of presence passes.
package presencetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store is what keeps routing records and their presence.
type Store interface {
	connection.Store
	presence.Store
}

// Suite is what the suite runs on.
type Suite struct {
	// Store is the store under test. Its weak reads have to see at once what was written.
	Store Store
	// Register makes a new user's empty routing record.
	Register func(app id.App, user id.User)
}

// Run checks that a store keeps the contract of presence.Store, and what that of connection.Store says of presence.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"no record is ErrNotFound":            runNoRecord,
		"Records finds who is there":          runRecords,
		"SetHidden hides and shows":           runHidden,
		"MarkWatched begins and extends":      runWatched,
		"PutAnnounced compares and sets":      runAnnounced,
		"PutAnnounced is put once":            runAnnouncedRace,
		"what is no presence leaves it":       runBeside,
		"Watchers pages through those of now": runWatchers,
		"watches are apart":                   runApart,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func at(minute int) time.Time {
	return storetest.Noon().Truncate(time.Second).Add(time.Duration(minute) * time.Minute)
}

func (s Suite) newUser() connection.Socket {
	socket := connectiontest.NewSocket("phone", "conn-1")
	s.Register(socket.App, socket.User)
	return socket
}

// same checks what a write returned, and that it is what is read.
func (s Suite) same(t *testing.T, doing string, of connection.Socket, got connection.Record, err error, want connection.Presence) {
	t.Helper()
	storetest.OK(t, doing, err)
	if got.Presence != want {
		t.Fatalf("%s: %+v, want %+v", doing, got.Presence, want)
	}
	read, err := s.Store.Record(t.Context(), of.App, of.User, true)
	storetest.OK(t, "Record", err)
	if fmt.Sprintf("%+v", read) != fmt.Sprintf("%+v", got) {
		t.Fatalf("%s returned %+v, but %+v stands there", doing, got, read)
	}
}

func runNoRecord(t *testing.T, s Suite) {
	ctx, nobody := t.Context(), connectiontest.NewSocket("phone", "conn-1")
	_, err := s.Store.SetHidden(ctx, nobody.App, nobody.User, true)
	storetest.Refused(t, "SetHidden", err, connection.ErrNotFound)
	_, err = s.Store.SetHidden(ctx, nobody.App, nobody.User, false)
	storetest.Refused(t, "SetHidden", err, connection.ErrNotFound)
	_, err = s.Store.MarkWatched(ctx, nobody.App, nobody.User, at(0), at(1), true)
	storetest.Refused(t, "MarkWatched", err, connection.ErrNotFound)
	_, err = s.Store.PutAnnounced(ctx, nobody.App, nobody.User, connection.Announcement{}, connection.Announcement{Online: true})
	storetest.Refused(t, "PutAnnounced", err, connection.ErrNotFound)
	_, err = s.Store.Record(ctx, nobody.App, nobody.User, true)
	storetest.Refused(t, "Record after all that", err, connection.ErrNotFound)
	storetest.OK(t, "RemoveWatch of none", s.Store.RemoveWatch(ctx, nobody.App, nobody.User, nobody.User))
}

func runRecords(t *testing.T, s Suite) {
	app := id.Source{}.App()
	var users []id.User
	for range 250 { // more than two batches
		users = append(users, id.Source{}.User())
	}
	for i, user := range users {
		if i%2 == 0 {
			s.Register(app, user)
		}
	}
	s.Register(id.Source{}.App(), users[1]) // of another app
	_, err := s.Store.Note(t.Context(), app, users[0], connectiontest.Conversation(1), 7)
	storetest.OK(t, "Note", err)
	for _, strong := range []bool{false, true} {
		found, err := s.Store.Records(t.Context(), app, users, strong)
		storetest.OK(t, "Records", err)
		for i, user := range users {
			if _, is := found[user]; is != (i%2 == 0) {
				t.Fatalf("user number %d found: %v", i, is)
			}
		}
		if found[users[0]].Version != 1 || found[users[2]].Version != 0 || found[users[2]].Devices == nil {
			t.Fatalf("%+v and %+v", found[users[0]], found[users[2]])
		}
		none, err := s.Store.Records(t.Context(), app, nil, strong)
		storetest.OK(t, "Records of nobody", err)
		if len(none) != 0 {
			t.Fatalf("Records of nobody: %v", none)
		}
	}
}

func runHidden(t *testing.T, s Suite) {
	user := s.newUser()
	for _, hidden := range []bool{false, true, true, false, true} {
		after, err := s.Store.SetHidden(t.Context(), user.App, user.User, hidden)
		s.same(t, "SetHidden", user, after, err, connection.Presence{Hidden: hidden})
	}
}

func runWatched(t *testing.T, s Suite) {
	user := s.newUser()
	mark := func(now, until int, online bool, want connection.Presence) {
		t.Helper()
		after, err := s.Store.MarkWatched(t.Context(), user.App, user.User, at(now), at(until), online)
		s.same(t, "MarkWatched", user, after, err, want)
	}
	mark(0, 10, true, connection.Presence{WatchedUntil: at(10).Unix(), Announced: connection.Announcement{Online: true}})
	mark(9, 20, false, connection.Presence{WatchedUntil: at(20).Unix(), Announced: connection.Announcement{Online: true}})
	mark(9, 15, false, connection.Presence{WatchedUntil: at(20).Unix(), Announced: connection.Announcement{Online: true}}) // never back
	mark(20, 30, false, connection.Presence{WatchedUntil: at(30).Unix(), Announced: connection.Announcement{Online: false}})
	mark(31, 40, true, connection.Presence{WatchedUntil: at(40).Unix(), Announced: connection.Announcement{Online: true}})
}

func runAnnounced(t *testing.T, s Suite) {
	user := s.newUser()
	_, err := s.Store.MarkWatched(t.Context(), user.App, user.User, at(0), at(10), false)
	storetest.OK(t, "MarkWatched", err)
	online, offline := connection.Announcement{Online: true, By: "f3Gk0a"}, connection.Announcement{By: "x1y2z3"}
	for _, step := range []struct{ was, is, stands connection.Announcement }{
		{online, offline, connection.Announcement{}},
		{connection.Announcement{}, online, online},
		{connection.Announcement{}, offline, online},
		{connection.Announcement{Online: true, By: "other"}, offline, online},
		{online, offline, offline},
	} {
		after, err := s.Store.PutAnnounced(t.Context(), user.App, user.User, step.was, step.is)
		s.same(t, "PutAnnounced", user, after, err, connection.Presence{WatchedUntil: at(10).Unix(), Announced: step.stands})
	}
}

func runAnnouncedRace(t *testing.T, s Suite) {
	user := s.newUser()
	_, err := s.Store.MarkWatched(t.Context(), user.App, user.User, at(0), at(10), false)
	storetest.OK(t, "MarkWatched", err)
	by := make([]string, storetest.Racers)
	for _, err := range storetest.AtOnce(len(by), func(i int) error {
		is := connection.Announcement{Online: true, By: fmt.Sprint("job", i)}
		after, err := s.Store.PutAnnounced(t.Context(), user.App, user.User, connection.Announcement{}, is)
		by[i] = after.Announced.By
		return err
	}) {
		storetest.OK(t, "PutAnnounced", err)
	}
	if slices.Sort(by); by[0] == "" || by[0] != by[len(by)-1] {
		t.Fatalf("announced by %v, want one of them", by)
	}
}

func runBeside(t *testing.T, s Suite) {
	user := s.newUser()
	_, _, err := s.Store.Attach(t.Context(), user, at(20))
	storetest.OK(t, "Attach", err)
	_, err = s.Store.SetHidden(t.Context(), user.App, user.User, true)
	storetest.OK(t, "SetHidden", err)
	_, err = s.Store.MarkWatched(t.Context(), user.App, user.User, at(1), at(1000), false)
	storetest.OK(t, "MarkWatched", err)
	want := connection.Presence{Hidden: true, WatchedUntil: at(1000).Unix()}
	after, err := s.Store.Note(t.Context(), user.App, user.User, connectiontest.Conversation(1), 1)
	s.same(t, "Note", user, after, err, want)
	after, err = s.Store.Renew(t.Context(), user, at(30), time.Time{})
	s.same(t, "Renew", user, after, err, want)
	after, err = s.Store.Detach(t.Context(), user.App, user.User, user.Device, user.Connection, at(5))
	want.Seen = at(5).Unix()
	s.same(t, "Detach", user, after, err, want)
}

func (s Suite) watch(t *testing.T, watched connection.Socket, watcher id.User, until int) {
	t.Helper()
	storetest.OK(t, "PutWatch", s.Store.PutWatch(t.Context(), watched.App, watched.User, watcher, at(until)))
}

func (s Suite) wantWatchers(t *testing.T, watched connection.Socket, now, limit int, want []id.User) {
	t.Helper()
	var got []id.User
	for after := ""; ; {
		page, next, err := s.Store.Watchers(t.Context(), watched.App, watched.User, at(now), after, limit)
		storetest.OK(t, "Watchers", err)
		if len(page) > limit {
			t.Fatalf("a page of %d, limit %d", len(page), limit)
		}
		if got = append(got, page...); next == "" {
			break
		}
		after = next
	}
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("Watchers in pages of %d at %d: %v, want %v", limit, now, got, want)
	}
}

func runWatchers(t *testing.T, s Suite) {
	user := s.newUser()
	storetest.OK(t, "PutSocket", s.Store.PutSocket(t.Context(), user, at(1000))) // rows of other kinds stand beside
	storetest.OK(t, "Redeem", s.Store.Redeem(t.Context(), user.App, user.User, "ticket", at(1000)))
	s.wantWatchers(t, user, 0, 10, nil)
	var long, short []id.User
	for range 7 {
		long, short = append(long, id.Source{}.User()), append(short, id.Source{}.User())
	}
	for i := range long {
		s.watch(t, user, long[i], 100)
		s.watch(t, user, short[i], 50)
	}
	for _, limit := range []int{1, 3, 13, 14, 15, 100} {
		s.wantWatchers(t, user, 49, limit, append(slices.Clone(long), short...))
		s.wantWatchers(t, user, 50, limit, long)
		s.wantWatchers(t, user, 100, limit, nil)
	}
	s.watch(t, user, short[0], 200) // again: longer
	storetest.OK(t, "RemoveWatch", s.Store.RemoveWatch(t.Context(), user.App, user.User, long[0]))
	s.wantWatchers(t, user, 60, 5, append(slices.Clone(long[1:]), short[0]))
	s.wantWatchers(t, user, 150, 5, short[:1])
}

func runApart(t *testing.T, s Suite) {
	mine, watcher := s.newUser(), id.Source{}.User()
	theirs := mine // the same user ID in another app
	theirs.App = id.Source{}.App()
	s.Register(theirs.App, theirs.User)
	s.watch(t, mine, watcher, 100)
	s.wantWatchers(t, theirs, 0, 10, nil)
	storetest.OK(t, "RemoveWatch in another app", s.Store.RemoveWatch(t.Context(), theirs.App, theirs.User, watcher))
	storetest.OK(t, "RemoveWatch by another", s.Store.RemoveWatch(t.Context(), mine.App, mine.User, id.Source{}.User()))
	s.wantWatchers(t, mine, 0, 10, []id.User{watcher})
}
