// Package tracetest has a store of failed pushes in memory, and the suite that every such store passes.
package tracetest

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/trace"
)

// Store implements trace.Store in memory.
type Store struct {
	rows *storetest.Table[trace.Place, row]
}

type row struct {
	user     id.User
	failures []trace.Failure
	until    int64 // seconds, as the table keeps it
}

var _ trace.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{rows: storetest.NewTable[trace.Place, row](storetest.Staleness{})}
}

// Put implements trace.Store.
func (s *Store) Put(_ context.Context, at trace.Place, failures []trace.Failure, until time.Time) error {
	kept := slices.Clone(failures)
	for i := range kept {
		kept[i].At = kept[i].At.UTC().Truncate(time.Millisecond)
	}
	s.rows.Put(at, row{at.User, kept, until.Unix()})
	return nil
}

// Get implements trace.Store.
func (s *Store) Get(_ context.Context, at trace.Place, users []id.User, now time.Time) (map[id.User][]trace.Failure, error) {
	found := map[id.User][]trace.Failure{}
	for _, user := range users {
		at.User = user
		if kept, ok := s.rows.Get(at, false); ok && kept.until > now.Unix() {
			found[user] = slices.Clone(kept.failures)
		}
	}
	return found, nil
}

// Run checks that a store keeps the contract of trace.Store. Its reads have to see at once what was written.
func Run(t *testing.T, store trace.Store) {
	now := storetest.Noon().Truncate(time.Second)
	until := now.Add(trace.Life)
	ids := id.Source{}
	at := trace.Place{App: ids.App(), Conversation: id.Conversation(ids.Group()), Sequence: 7, User: ids.User()}
	failures := []trace.Failure{{Device: "phone", Connection: "one", Code: connection.Gone, At: now.Add(time.Millisecond)},
		{Connection: "two", Code: connection.TimedOut, At: now}}
	want := map[id.User][]trace.Failure{}
	get := func(at trace.Place, now time.Time, users ...id.User) map[id.User][]trace.Failure {
		t.Helper()
		found, err := store.Get(t.Context(), at, users, now)
		storetest.OK(t, "Get", err)
		return found
	}
	wantFound := func(doing string, got, want map[id.User][]trace.Failure) {
		t.Helper()
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %+v\nwant %+v", doing, got, want)
		}
	}
	wantFound("nothing", get(at, now, at.User), nil)
	for range 99 {
		other := at
		other.User = ids.User()
		storetest.OK(t, "Put", store.Put(t.Context(), other, failures, until))
		want[other.User] = failures
	}
	users := append(slices.Collect(maps.Keys(want)), at.User)
	wantFound("of many", get(at, now, users...), want)
	storetest.OK(t, "Put", store.Put(t.Context(), at, failures[:1], until))
	storetest.OK(t, "Put again", store.Put(t.Context(), at, failures[1:], until))
	want[at.User] = failures[1:]
	wantFound("what was replaced", get(at, now, users...), want)
	wantFound("what has not ended", get(at, until.Add(-time.Second), at.User), map[id.User][]trace.Failure{at.User: failures[1:]})
	wantFound("what has ended", get(at, until, users...), nil)
	wantFound("of nobody", get(at, now), nil)
	for _, apart := range []trace.Place{{App: ids.App(), Conversation: at.Conversation, Sequence: 7}, {App: at.App, Conversation: id.Conversation(ids.Group()), Sequence: 7},
		{App: at.App, Conversation: at.Conversation, Sequence: 8}} {
		wantFound("apart", get(apart, now, users...), nil)
	}
}
