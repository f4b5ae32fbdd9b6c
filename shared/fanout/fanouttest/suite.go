package fanouttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// suite is what the suite runs on.
type suite struct {
	fanout.Subscriptions
	fanout.States
	app   id.App
	group id.Group
}

// Run checks that stores keep the contracts of fanout.Subscriptions and fanout.States.
func Run(t *testing.T, subscriptions fanout.Subscriptions, states fanout.States) {
	for name, test := range map[string]func(*testing.T, suite){
		"what is put is listed":                 runPut,
		"parts share the subscriptions":         runParts,
		"pages go on where the last ended":      runPages,
		"what a user had before it left ends":   runEnd,
		"an end does not go back":               runEndsTwice,
		"what was made anew is not removed":     runRemove,
		"apps and groups are apart":             runApart,
		"a state goes forward only":             runAdvance,
		"of two who divide at once one divides": runDivide,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, suite{subscriptions, states, id.Source{}.App(), id.Source{}.Group()})
		})
	}
}

func (s suite) subscription(user id.User, connection string) fanout.Subscription {
	return fanout.Subscription{App: s.app, Group: s.group, User: user, Connection: connection, Since: 7,
		Until: storetest.Noon().Truncate(time.Second)}
}

func (s suite) put(t *testing.T, subscription fanout.Subscription) {
	t.Helper()
	storetest.OK(t, "Put", s.Put(t.Context(), subscription))
}

// all returns the subscriptions of a part, in pages of the size.
func (s suite) all(t *testing.T, part fanout.Part, size int) (all []fanout.Subscription) {
	t.Helper()
	for after := ""; ; {
		page, next, err := s.Page(t.Context(), s.app, s.group, part, after, size)
		storetest.OK(t, "Page", err)
		if len(page) > size {
			t.Fatalf("a page of %d has %d", size, len(page))
		}
		if all = append(all, page...); next == "" {
			return all
		}
		after = next
	}
}

var whole = fanout.Part{Number: 0, Parts: 1}

func runPut(t *testing.T, s suite) {
	one := s.subscription(id.Source{}.User(), "conn=1")
	s.put(t, one)
	one.Since, one.Until = 9, one.Until.Add(time.Hour)
	s.put(t, one)
	if got := s.all(t, whole, 10); !slices.Equal(got, []fanout.Subscription{one}) {
		t.Errorf("listed: %+v, want %+v", got, one)
	}
	storetest.OK(t, "Remove", s.Remove(t.Context(), one))
	storetest.OK(t, "Remove again", s.Remove(t.Context(), one))
	if got := s.all(t, whole, 10); len(got) != 0 {
		t.Errorf("after the removal: %+v", got)
	}
}

func runParts(t *testing.T, s suite) {
	want := map[id.User]bool{"u_0000000000000000000000": true, "u_zzzzzzzzzzzzzzzzzzzzzz": true, "u_V0000000000000000000zz": true}
	for range 40 {
		want[id.Source{}.User()] = true
	}
	for user := range want {
		s.put(t, s.subscription(user, "c"))
	}
	for _, parts := range []int{1, 2, 8, 256} {
		seen := map[id.User]bool{}
		for number := range parts {
			for _, each := range s.all(t, fanout.Part{Number: number, Parts: parts}, 100) {
				if seen[each.User] {
					t.Errorf("%s is in two of %d parts", each.User, parts)
				}
				seen[each.User] = true
			}
		}
		if len(seen) != len(want) {
			t.Errorf("%d parts have %d users, want %d", parts, len(seen), len(want))
		}
	}
}

func runPages(t *testing.T, s suite) {
	for i := range 7 {
		s.put(t, s.subscription(id.Source{}.User(), fmt.Sprint("c", i)))
	}
	seen := map[string]bool{}
	for _, each := range s.all(t, whole, 3) {
		seen[each.Connection] = true
	}
	if len(seen) != 7 {
		t.Errorf("pages have %d of 7", len(seen))
	}
}

func (s suite) end(t *testing.T, user id.User, sequence int64) fanout.Subscription {
	t.Helper()
	end := fanout.Subscription{App: s.app, Group: s.group, User: user, Since: sequence, Until: storetest.Noon().Truncate(time.Second)}
	storetest.OK(t, "End", s.End(t.Context(), s.app, s.group, user, sequence, end.Until))
	return end
}

func runEnd(t *testing.T, s suite) {
	const bob, ann id.User = "u_0000000000000000000000", "u_zzzzzzzzzzzzzzzzzzzzzz"
	later := s.subscription(ann, "tablet")
	later.Since = 8
	s.put(t, s.subscription(ann, "phone"))
	s.put(t, s.subscription(ann, "laptop"))
	s.put(t, later)
	s.put(t, s.subscription(bob, "phone"))
	end := s.end(t, ann, 7)
	if got, want := s.all(t, whole, 10), []fanout.Subscription{s.subscription(bob, "phone"), end, later}; !slices.Equal(got, want) {
		t.Errorf("after the end: %+v, want %+v", got, want)
	}
	late := s.subscription(ann, "phone") // by somebody who looked before she left
	s.put(t, late)
	if got := s.all(t, whole, 10); len(got) != 4 || got[1] != end || got[2] != late {
		t.Errorf("then: %+v, want the end before hers", got)
	}
	storetest.OK(t, "Remove", s.Remove(t.Context(), end))
	if got := s.all(t, whole, 10); len(got) != 3 || got[1] != late {
		t.Errorf("without the end: %+v", got)
	}
}

func runEndsTwice(t *testing.T, s suite) {
	ann := id.Source{}.User()
	end := s.end(t, ann, 9)
	again := s.subscription(ann, "phone")
	again.Since = 10
	s.put(t, again)
	for _, earlier := range []int64{8, 9} {
		s.end(t, ann, earlier)
		if got, want := s.all(t, whole, 10), []fanout.Subscription{end, again}; !slices.Equal(got, want) {
			t.Errorf("after an earlier end: %+v, want %+v", got, want)
		}
	}
}

func runRemove(t *testing.T, s suite) {
	one := s.subscription(id.Source{}.User(), "phone")
	for name, anew := range map[string]fanout.Subscription{
		"since": {Since: 8, Until: one.Until}, "until": {Since: 7, Until: one.Until.Add(time.Hour)},
	} {
		anew.App, anew.Group, anew.User, anew.Connection = one.App, one.Group, one.User, one.Connection
		s.put(t, anew)
		storetest.OK(t, "Remove", s.Remove(t.Context(), one))
		if got := s.all(t, whole, 10); !slices.Equal(got, []fanout.Subscription{anew}) {
			t.Errorf("with another %s, the removal left %+v", name, got)
		}
	}
}

func runApart(t *testing.T, s suite) {
	user := id.Source{}.User()
	s.put(t, s.subscription(user, "c"))
	others := suite{s.Subscriptions, s.States, id.Source{}.App(), s.group}
	if got := others.all(t, whole, 10); len(got) != 0 {
		t.Errorf("another app sees %+v", got)
	}
	others.end(t, user, 9)
	elsewhere := s
	elsewhere.group = id.Source{}.Group()
	elsewhere.end(t, user, 9)
	if got := s.all(t, whole, 10); len(got) != 1 {
		t.Errorf("a removal elsewhere left %+v", got)
	}
}

func (s suite) state(t *testing.T) fanout.State {
	t.Helper()
	state, err := s.Get(t.Context(), s.app, s.group)
	storetest.OK(t, "Get", err)
	return state
}

func runAdvance(t *testing.T, s suite) {
	if got := s.state(t); got != (fanout.State{}) {
		t.Fatalf("a new group has %+v", got)
	}
	for _, handed := range []int64{5, 4, 5, 3} {
		storetest.OK(t, "Advance", s.Advance(t.Context(), s.app, s.group, handed))
	}
	if got, want := s.state(t), (fanout.State{Handed: 5}); got != want {
		t.Errorf("after going back: %+v, want %+v", got, want)
	}
}

func runDivide(t *testing.T, s suite) {
	storetest.OK(t, "Divide", s.Divide(t.Context(), s.app, s.group, 0, 2))
	storetest.OK(t, "Divide, late", s.Divide(t.Context(), s.app, s.group, 0, 2))
	storetest.AtOnce(5, func(int) error { return s.Divide(t.Context(), s.app, s.group, 2, 4) })
	storetest.OK(t, "Advance", s.Advance(t.Context(), s.app, s.group, 1))
	if got, want := s.state(t), (fanout.State{Handed: 1, Parts: 4}); got != want {
		t.Errorf("divided: %+v, want %+v", got, want)
	}
}
