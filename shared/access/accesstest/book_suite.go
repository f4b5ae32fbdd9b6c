package accesstest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func roles() *rapid.Generator[access.Role] {
	return rapid.Custom(func(t *rapid.T) access.Role {
		text := rapid.SampledFrom([]string{"", "x", "客服 support"})
		return access.Role{ID: authz.Role(id.Source{}.Role()), Name: text.Draw(t, "name"), Description: text.Draw(t, "description"),
			Effect:    authz.Effect{Allow: authz.Set(rapid.Uint64().Draw(t, "allow")), Deny: authz.Set(rapid.Uint64().Draw(t, "deny"))},
			CreatedAt: storetest.Noon(), CreatedBy: text.Draw(t, "by"), ChangedAt: instants().Draw(t, "changed"),
			Request: text.Draw(t, "request"), Fingerprint: text.Draw(t, "fingerprint")}
	})
}

func runBookKeeps(t *testing.T, h Harness) {
	w := newWorld(t, h)
	same(t, "no book", w.book(), access.Book{})
	var want access.Book
	rapid.Check(t, func(t *rapid.T) {
		next := access.Book{Version: want.Version + 1, Roles: rapid.SliceOfN(roles(), 0, 5).Draw(t, "roles"), ChangedAt: storetest.Noon(),
			Defaults: rapid.SliceOfN(rapid.SampledFrom([]authz.Role{authz.Member, authz.Bot, "role_0123456789"}), 0, 3).Draw(t, "defaults")}
		storetest.OK(t, "SetBook", h.Store.SetBook(w.Context(), access.Grantor{}, w.app, next, w.note("book")))
		want = next
		found, err := h.Store.Book(w.Context(), w.app)
		storetest.OK(t, "Book", err)
		same(t, "Book", found, want)
	})
	if got := len(w.reasons()); int64(got) != want.Version {
		t.Errorf("%d records of %d changes", got, want.Version)
	}
}

func (w *world) book() access.Book {
	w.Helper()
	found, err := w.Store.Book(w.Context(), w.app)
	storetest.OK(w, "Book", err)
	return found
}

// set stores a book of the version, and returns its policy.
func (w *world) set(version int64) authz.Policy {
	w.Helper()
	book := bookOf(version)
	storetest.OK(w, "SetBook", w.Store.SetBook(w.Context(), access.Grantor{}, w.app, book, w.note("book")))
	return book.Policy()
}

func bookOf(version int64) access.Book {
	return access.Book{Version: version, ChangedAt: storetest.Noon(), Defaults: []authz.Role{authz.Bot}, Roles: []access.Role{
		{ID: "role_0123456789", Name: fmt.Sprint(version), Effect: authz.Effect{Allow: authz.Set(version), Deny: 1 << 20}}}}
}

func runBookRefuses(t *testing.T, h Harness) {
	w := newWorld(t, h)
	refused := func(version int64, want error) {
		t.Helper()
		before := w.book()
		storetest.Refused(t, "SetBook", h.Store.SetBook(t.Context(), access.Grantor{}, w.app, bookOf(version), w.note("refused")), want)
		same(t, "the book", w.book(), before)
	}
	refused(2, access.ErrChanged)
	w.set(1)
	refused(1, access.ErrChanged)
	refused(3, access.ErrChanged)
	w.set(2)
	refused(1, access.ErrChanged)
	refused(2, access.ErrChanged)
	h.DeleteApp(t, w.app, true)
	refused(3, access.ErrAppDeleted)
	h.DeleteApp(t, w.app, false)
	w.recorded("book", "book")

	unmade := newWorld(t, h)
	h.DeleteApp(t, unmade.app, true)
	storetest.Refused(t, "SetBook", h.Store.SetBook(t.Context(), access.Grantor{}, unmade.app, bookOf(1), unmade.note("refused")), access.ErrAppDeleted)
	unmade.recorded()
}

func runBookRace(t *testing.T, h Harness) {
	w := newWorld(t, h)
	for version := range int64(2) {
		books := make([]access.Book, storetest.Racers)
		for i := range books {
			books[i] = bookOf(version + 1)
			books[i].Roles[0].Name = fmt.Sprint("by racer ", i)
		}
		winner := storetest.OneWins(t, len(books), access.ErrChanged, func(i int) error {
			return h.Store.SetBook(t.Context(), access.Grantor{}, w.app, books[i], w.note("book"))
		})
		same(t, "the book", w.book(), books[winner])
	}
	w.recorded("book", "book")
}

// policies checks which version of the policy each key has, and that it is all of it.
func (w *world) policies(want map[string]int64) {
	w.Helper()
	for key, version := range want {
		policy := authz.Policy{}
		if version > 0 {
			policy = bookOf(version).Policy()
		}
		same(w.T, "the policy of "+key, w.Policy(w.T, w.app, id.Key(key)), policy)
	}
}

func runAlign(t *testing.T, h Harness) {
	w := newWorld(t, h)
	now := storetest.Noon().Add(time.Minute)
	add := func(end time.Time) string {
		key := NewKey(w.app)
		key.EndedAt = end
		h.Add(t, w.app, key)
		return key.ID
	}
	want := map[string]int64{w.key.ID: 1, add(time.Time{}): 1, add(now.Add(time.Millisecond)): 1,
		add(now): 0, add(now.Add(-time.Millisecond)): 0, add(storetest.Noon()): 0}
	for range 40 { // more than are changed at once
		want[add(time.Time{})] = 1
	}
	before := w.put(NewGrant(w.app, w.key.ID))
	policy := w.set(1)
	storetest.OK(t, "Align", h.Store.Align(t.Context(), w.app, policy, now))
	w.policies(want)
	storetest.OK(t, "Align again", h.Store.Align(t.Context(), w.app, policy, now))
	w.policies(want)
	before.Policy = policy
	same(t, "the key", w.subject(w.key.ID), before)
	same(t, "the book", w.book(), bookOf(1))
	w.recorded("put", "book")
	if nobodys := (id.Source{}).App(); h.Store.Align(t.Context(), nobodys, policy, now) != nil {
		t.Error("Align fails without keys")
	}
}

func runAlignForward(t *testing.T, h Harness) {
	w := newWorld(t, h)
	first, second := w.set(1), w.set(2)
	storetest.OK(t, "Align", h.Store.Align(t.Context(), w.app, second, storetest.Noon()))
	storetest.OK(t, "an overtaken Align", h.Store.Align(t.Context(), w.app, first, storetest.Noon()))
	w.policies(map[string]int64{w.key.ID: 2})
}

// runAlignRace changes the book over and over, each time aligning, while the keys get grants: what every Align has returned
// for is in force, and the last policy is in the end.
func runAlignRace(t *testing.T, h Harness) {
	w := newWorld(t, h)
	keys := map[string]int64{}
	const versions = 4
	for range 4 {
		key := NewKey(w.app)
		h.Add(t, w.app, key)
		keys[key.ID] = versions
	}
	stop, granted := make(chan struct{}), make(chan struct{})
	var made atomic.Int64
	go func() {
		defer close(granted)
		for was := w.key; ; was.Rights.Version++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := h.Store.Put(t.Context(), access.Grantor{}, NewGrant(w.app, w.key.ID), was, nil, w.note("put")); err != nil {
				t.Errorf("Put: %v", err)
				return
			}
			made.Add(1)
		}
	}()
	var policies []authz.Policy
	for version := range int64(versions) {
		policies = append(policies, w.set(version+1))
	}
	for _, err := range storetest.AtOnce(versions, func(i int) error {
		if err := h.Store.Align(t.Context(), w.app, policies[i], storetest.Noon()); err != nil {
			return err
		}
		for key := range keys {
			if got := h.Policy(t, w.app, id.Key(key)).Version; got < policies[i].Version {
				return fmt.Errorf("behind Align of %d a key has %d", policies[i].Version, got)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-granted
	keys[w.key.ID] = versions
	w.policies(keys)
	if now := w.subject(w.key.ID); now.Rights.Version != made.Load() {
		t.Errorf("version %d behind %d grants", now.Rights.Version, made.Load())
	}
}
