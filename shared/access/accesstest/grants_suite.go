package accesstest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func runSubject(t *testing.T, h Harness) {
	w := newWorld(t, h)
	same(t, "a key", w.subject(w.key.ID), w.key)
	same(t, "a user", w.subject(w.user.ID), w.user)
	revoked := NewKey(w.app)
	revoked.EndedAt, revoked.UsedAt, revoked.CreatedBy = storetest.Noon(), time.Time{}, ""
	h.Add(t, w.app, revoked)
	same(t, "a revoked key", w.subject(revoked.ID), revoked)
	for _, nobody := range []string{"", "app", "policy", string(id.Source{}.Key(w.app)), string(id.Source{}.User()), string(id.Source{}.Developer())} {
		_, err := h.Store.Subject(t.Context(), w.app, nobody)
		storetest.Refused(t, "Subject "+nobody, err, access.ErrNotFound)
	}
}

// instants are times as stores keep them; zero for never.
func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "never") {
			return time.Time{}
		}
		return storetest.Noon().Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "milliseconds")) * time.Millisecond)
	})
}

func statements() *rapid.Generator[authz.Statement] {
	return rapid.Custom(func(t *rapid.T) authz.Statement {
		made := authz.Statement{Grant: id.Source{}.Grant(), Deny: rapid.Bool().Draw(t, "deny"), Until: instants().Draw(t, "until")}
		if rapid.Bool().Draw(t, "role") {
			made.Role = rapid.SampledFrom([]authz.Role{authz.Owner, authz.Bot, "role_0123456789"}).Draw(t, "which")
		} else {
			made.Set = authz.Set(rapid.Uint64().Draw(t, "set"))
		}
		if rapid.Bool().Draw(t, "group") {
			made.Group = id.Group("g_0123456789012345678901")
		}
		return made
	})
}

func runPutKeeps(t *testing.T, h Harness) {
	w := newWorld(t, h)
	subjects, text := []string{w.key.ID, w.user.ID}, rapid.SampledFrom([]string{"", "x", "why not? 为什么"})
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SampledFrom(subjects).Draw(t, "subject")
		grant := access.Grant{App: w.app, Subject: subject, Statement: statements().Draw(t, "grant"), CreatedAt: storetest.Noon(),
			CreatedBy: text.Draw(t, "by"), Reason: text.Draw(t, "reason"), Fingerprint: text.Draw(t, "fingerprint")}
		grant.ID = grant.Statement.Grant
		compiled := rapid.SliceOfN(statements(), 0, access.MaxGrants).Draw(t, "compiled")
		was, err := h.Store.Subject(w.Context(), w.app, subject)
		storetest.OK(t, "Subject", err)
		made, err := h.Store.Put(w.Context(), access.Grantor{}, grant, was, compiled, w.note("put"))
		storetest.OK(t, "Put", err)
		same(t, "Put", made, grant)
		found, err := h.Store.Get(w.Context(), w.app, grant.ID)
		storetest.OK(t, "Get", err)
		same(t, "Get", found, grant)
		want := was
		want.Rights.Statements, want.Rights.Version, want.ChangedAt = compiled, was.Rights.Version+1, grant.CreatedAt
		now, err := h.Store.Subject(w.Context(), w.app, subject)
		storetest.OK(t, "Subject", err)
		same(t, "Subject", now, want)
	})
}

func runPutRefuses(t *testing.T, h Harness) {
	w := newWorld(t, h)
	first := NewGrant(w.app, w.key.ID)
	was := w.subject(w.key.ID)
	now := w.put(first)
	refused := func(doing string, grant access.Grant, was access.Subject, want error) {
		t.Helper()
		standing, err := h.Store.Put(t.Context(), access.Grantor{}, grant, was, []authz.Statement{{Role: authz.Owner}}, w.note("refused"))
		storetest.Refused(t, doing, err, want)
		if errors.Is(want, access.ErrExists) {
			same(t, "the standing grant", standing, first)
		} else {
			w.absent(grant)
		}
		same(t, "the subject", w.subject(w.key.ID), now)
	}
	refused("a subject that has changed", NewGrant(w.app, w.key.ID), was, access.ErrChanged)
	ahead := now
	ahead.Rights.Version++
	refused("a subject as it is not yet", NewGrant(w.app, w.key.ID), ahead, access.ErrChanged)
	refused("a user as it is not yet", NewGrant(w.app, w.user.ID), ahead, access.ErrChanged)
	for _, gone := range []string{string(id.Source{}.Key(w.app)), string(id.Source{}.User())} {
		refused("a subject that is gone", NewGrant(w.app, gone), access.Subject{ID: gone}, access.ErrNotFound)
		refused("a subject that was not found", NewGrant(w.app, gone), access.Subject{}, access.ErrNotFound)
		again := NewGrant(w.app, gone)
		again.ID = first.ID
		refused("an ID that is taken, for nobody", again, access.Subject{ID: gone}, access.ErrExists)
	}
	h.DeleteApp(t, w.app, true)
	refused("a deleted app", NewGrant(w.app, w.key.ID), now, access.ErrAppDeleted)
	again := NewGrant(w.app, w.user.ID)
	again.ID = first.ID
	refused("an ID that is taken, in a deleted app", again, ahead, access.ErrExists)
	h.DeleteApp(t, w.app, false)
	w.stands(first)
	w.recorded("put")
}

// runPutRace lets many grant to a subject of the same version: one does, and no other leaves anything behind.
func runPutRace(t *testing.T, h Harness) {
	w := newWorld(t, h)
	for _, subject := range []string{w.key.ID, w.user.ID} {
		was, grants := w.subject(subject), make([]access.Grant, storetest.Racers)
		for i := range grants {
			grants[i] = NewGrant(w.app, subject)
		}
		winner := storetest.OneWins(t, len(grants), access.ErrChanged, func(i int) error {
			_, err := h.Store.Put(t.Context(), access.Grantor{}, grants[i], was, []authz.Statement{grants[i].Statement}, w.note(string(grants[i].ID)))
			return err
		})
		for i, grant := range grants {
			if i != winner {
				w.absent(grant)
			}
		}
		w.stands(grants[winner])
		now := w.subject(subject)
		same(t, "the statements", now.Rights.Statements, []authz.Statement{grants[winner].Statement})
		if now.Rights.Version != 1 || !slices.ContainsFunc(w.reasons(), func(r string) bool { return r == string(grants[winner].ID) }) {
			t.Errorf("version %d, records of %v", now.Rights.Version, w.reasons())
		}
	}
	if got := len(w.reasons()); got != 2 {
		t.Errorf("%d records, want 2", got)
	}
}

// runPutSame lets many make the same grant, as a request that is repeated without a pause does.
func runPutSame(t *testing.T, h Harness) {
	w := newWorld(t, h)
	grant, standing := NewGrant(w.app, w.user.ID), make([]access.Grant, storetest.Racers)
	winner := storetest.OneWins(t, len(standing), access.ErrExists, func(i int) (err error) {
		standing[i], err = h.Store.Put(t.Context(), access.Grantor{}, grant, w.user, []authz.Statement{grant.Statement}, w.note("put"))
		return err
	})
	for i := range standing {
		same(t, "the standing grant", standing[i], standing[winner])
	}
	w.stands(grant)
	w.recorded("put")
}
