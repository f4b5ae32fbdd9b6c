package accesstest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// retention is how long past its end a grant is kept: package access says so.
const retention = 30 * 24 * time.Hour

func byID(a, b access.Grant) int { return cmp.Compare(a.ID, b.ID) }

// list reads all pages.
func (w *world) list(filter access.Filter, limit int) (all []access.Grant) {
	w.Helper()
	if filter.Now.IsZero() {
		filter.Now = storetest.Noon()
	}
	for position := ""; ; {
		page, next, err := w.Store.List(w.Context(), w.app, filter, position, limit)
		storetest.OK(w, "List", err)
		if len(page) > limit || next != "" && next <= position {
			w.Fatalf("%d grants after %q, next is %q", len(page), position, next)
		}
		all = append(all, page...)
		if position = next; position == "" {
			return all
		}
	}
}

func runList(t *testing.T, h Harness) {
	w := newWorld(t, h)
	if all := w.list(access.Filter{}, 10); len(all) != 0 {
		t.Fatalf("an app without grants has %+v", all)
	}
	var made []access.Grant
	for i := range 10 {
		made = append(made, NewGrant(w.app, []string{w.key.ID, w.user.ID}[i%2]))
		w.put(made[i])
	}
	ofUser := slices.DeleteFunc(slices.Clone(made), func(g access.Grant) bool { return g.Subject != w.user.ID })
	slices.SortFunc(made, byID)
	slices.SortFunc(ofUser, byID)
	for _, limit := range []int{1, 3, 5, 10, 11} {
		same(t, "all grants", w.list(access.Filter{}, limit), made)
		same(t, "a user's grants", w.list(access.Filter{Subject: w.user.ID}, limit), ofUser)
	}
	page, next, err := h.Store.List(t.Context(), w.app, access.Filter{Now: storetest.Noon()}, "", len(made))
	if err != nil || len(page) != len(made) || next != "" {
		t.Errorf("a page that just fits is %d grants, next %q, %v", len(page), next, err)
	}
	page, next, err = h.Store.List(t.Context(), w.app, access.Filter{Now: storetest.Noon()}, string(made[3].ID), 2)
	storetest.OK(t, "List", err)
	same(t, "a page", page, made[4:6])
	same(t, "next", next, string(made[5].ID))
}

// runListMany lists what is far apart: more rows in between than one read has.
func runListMany(t *testing.T, h Harness) {
	w := newWorld(t, h)
	const many = 450
	rare := map[int]bool{0: true, 1: true, many / 2: true, many - 1: true}
	var want []access.Grant
	version := access.Subject{ID: w.user.ID}
	for i := range many {
		grant := NewGrant(w.app, w.user.ID)
		if rare[i] {
			grant.Statement.Role = authz.Bot
			want = append(want, grant)
		}
		_, err := h.Store.Put(t.Context(), access.Grantor{}, grant, version, nil, w.note("put"))
		storetest.OK(t, "Put", err)
		version.Rights.Version++
	}
	slices.SortFunc(want, byID)
	for _, limit := range []int{1, len(want), 100} {
		same(t, "the rare ones", w.list(access.Filter{Role: authz.Bot}, limit), want)
	}
	if all := w.list(access.Filter{Subject: w.user.ID}, 100); len(all) != many || !slices.IsSortedFunc(all, byID) {
		t.Errorf("%d grants, sorted %v; want %d", len(all), slices.IsSortedFunc(all, byID), many)
	}
}

func runFilters(t *testing.T, h Harness) {
	w := newWorld(t, h)
	now := storetest.Noon().Add(2 * retention)
	make := func(subject string, role authz.Role, until time.Time) access.Grant {
		grant := NewGrant(w.app, subject)
		grant.Statement.Role, grant.Statement.Until = role, until
		w.put(grant)
		return grant
	}
	revoke := func(grant access.Grant, at time.Time) access.Grant {
		was := w.subject(grant.Subject)
		grant.RevokedAt, grant.RevokedBy = at, "dev"
		_, err := h.Store.Revoke(t.Context(), access.Grantor{}, grant, was, nil, w.note("revoke"))
		storetest.OK(t, "Revoke", err)
		return grant
	}
	lasting := make(w.key.ID, authz.Auditor, time.Time{})
	ends := make(w.user.ID, authz.Auditor, now.Add(1*time.Millisecond))
	bot := make(w.user.ID, authz.Bot, time.Time{})
	ended := make(w.user.ID, authz.Bot, now)
	taken := revoke(make(w.key.ID, authz.Bot, now.Add(time.Hour)), now.Add(-time.Hour))
	lastKept := make(w.key.ID, authz.Bot, now.Add(1*time.Millisecond-retention))
	// What follows is kept no more, though its row may still be there.
	make(w.key.ID, authz.Bot, now.Add(-retention))
	revoke(make(w.user.ID, authz.Bot, now.Add(time.Hour)), now.Add(-retention))

	for name, test := range map[string]struct {
		filter access.Filter
		want   []access.Grant
	}{
		"all that hold":         {access.Filter{}, []access.Grant{lasting, ends, bot}},
		"all":                   {access.Filter{Ended: true}, []access.Grant{lasting, ends, bot, ended, taken, lastKept}},
		"a subject's":           {access.Filter{Subject: w.user.ID}, []access.Grant{ends, bot}},
		"all of a subject":      {access.Filter{Subject: w.user.ID, Ended: true}, []access.Grant{ends, bot, ended}},
		"a role's":              {access.Filter{Role: authz.Bot}, []access.Grant{bot}},
		"all of a role":         {access.Filter{Role: authz.Bot, Ended: true}, []access.Grant{bot, ended, taken, lastKept}},
		"a subject's of a role": {access.Filter{Subject: w.user.ID, Role: authz.Auditor}, []access.Grant{ends}},
		"nobody's":              {access.Filter{Subject: string(id.Source{}.User()), Ended: true}, nil},
		"no subject's":          {access.Filter{Subject: "u_", Ended: true}, nil},
	} {
		test.filter.Now = now
		slices.SortFunc(test.want, byID)
		same(t, name, w.list(test.filter, 100), test.want)
	}
}

func runSubjects(t *testing.T, h Harness) {
	w := newWorld(t, h)
	keys, users := []access.Subject{w.key}, []access.Subject{}
	for range 4 {
		key := NewKey(w.app)
		key.EndedAt = storetest.Noon() // revoked ones too
		h.Add(t, w.app, key)
		keys = append(keys, key)
	}
	for range 3 {
		user := NewUser()
		h.Add(t, w.app, user)
		w.put(NewGrant(w.app, user.ID))
		users = append(users, w.put(NewGrant(w.app, user.ID))) // a second grant does not list it twice
	}
	grant := NewGrant(w.app, w.user.ID) // had one
	_, err := h.Store.Revoke(t.Context(), access.Grantor{}, revoked(grant), w.put(grant), nil, w.note("revoke"))
	storetest.OK(t, "Revoke", err)
	users = append(users, w.subject(w.user.ID))
	never, gone := NewUser(), NewUser()
	h.Add(t, w.app, never)
	h.Add(t, w.app, gone)
	w.put(NewGrant(w.app, gone.ID))
	h.Remove(t, w.app, gone.ID)
	w.set(1) // what else stands among the keys is none
	h.DeleteApp(t, w.app, true)
	h.DeleteApp(t, w.app, false)
	slices.SortFunc(keys, bySubject)
	slices.SortFunc(users, bySubject)
	want := append(keys, users...)
	for _, limit := range []int{1, 2, 4, 5, 6, 9, 10, 1000} {
		same(t, "the subjects", w.subjects(limit), want)
	}
}

func bySubject(a, b access.Subject) int { return cmp.Compare(a.ID, b.ID) }

// subjects reads all pages.
func (w *world) subjects(limit int) (all []access.Subject) {
	w.Helper()
	for position := ""; ; {
		page, next, err := w.Store.Subjects(w.Context(), w.app, position, limit)
		storetest.OK(w, "Subjects", err)
		if len(page) > limit || next != "" && next <= position {
			w.Fatalf("%d subjects after %q, next is %q", len(page), position, next)
		}
		all = append(all, page...)
		if position = next; position == "" {
			return all
		}
	}
}

// runApart has two apps with the same user, grant and role IDs: neither sees or changes what the other has.
func runApart(t *testing.T, h Harness) {
	mine, other := newWorld(t, h), newWorld(t, h)
	theirs := NewGrant(other.app, other.user.ID)
	h.Add(t, mine.app, other.user) // one ID in both
	before := other.put(theirs)
	book := access.Book{Version: 1, Roles: []access.Role{{ID: "role_0123456789", Name: "support"}}}
	storetest.OK(t, "SetBook", h.Store.SetBook(t.Context(), access.Grantor{}, other.app, book, other.note("book")))

	mine.absent(theirs)
	same(t, "the user", mine.subject(other.user.ID), other.user)
	_, err := h.Store.Subject(t.Context(), mine.app, other.key.ID)
	storetest.Refused(t, "Subject", err, access.ErrNotFound)
	if all := mine.list(access.Filter{Ended: true}, 10); len(all) != 0 {
		t.Errorf("List = %+v", all)
	}
	if all := mine.list(access.Filter{Subject: other.user.ID, Ended: true}, 10); len(all) != 0 {
		t.Errorf("List of the subject = %+v", all)
	}
	same(t, "the subjects", mine.subjects(10), []access.Subject{mine.key})
	found, err := h.Store.Book(t.Context(), mine.app)
	storetest.OK(t, "Book", err)
	same(t, "Book", found, access.Book{})

	moved := theirs
	moved.App = mine.app
	_, err = h.Store.Revoke(t.Context(), access.Grantor{}, revoked(moved), mine.subject(other.user.ID), nil, mine.note("revoke"))
	storetest.Refused(t, "Revoke", err, access.ErrNotFound)
	mine.put(moved)
	storetest.OK(t, "SetBook", h.Store.SetBook(t.Context(), access.Grantor{}, mine.app, access.Book{Version: 1}, mine.note("book")))
	storetest.OK(t, "Align", h.Store.Align(t.Context(), mine.app, authz.Policy{Version: 1}, storetest.Noon()))
	other.stands(theirs)
	same(t, "the user", other.subject(other.user.ID), before)
	same(t, "their grants", other.list(access.Filter{}, 10), []access.Grant{theirs})
	same(t, "their key's policy", h.Policy(t, other.app, id.Key(other.key.ID)).Version, 0)
	found, err = h.Store.Book(t.Context(), other.app)
	storetest.OK(t, "Book", err)
	same(t, "their book", found, book)
	mine.recorded("put", "book")
	other.recorded("put", "book")
}
