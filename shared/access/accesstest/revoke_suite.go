package accesstest

import (
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// revoked is the grant as it is to become.
func revoked(grant access.Grant) access.Grant {
	grant.RevokedAt, grant.RevokedBy = storetest.Noon().Add(time.Minute), "dev_revoker"
	return grant
}

func runRevoke(t *testing.T, h Harness) {
	w := newWorld(t, h)
	for _, subject := range []string{w.key.ID, w.user.ID} {
		gone, kept := NewGrant(w.app, subject), NewGrant(w.app, subject)
		gone.Statement.Until = storetest.Noon().Add(time.Hour)
		w.put(gone)
		was := w.put(kept)
		want := revoked(gone)
		got, err := h.Store.Revoke(t.Context(), access.Grantor{}, want, was, []authz.Statement{kept.Statement}, w.note("revoke"))
		storetest.OK(t, "Revoke", err)
		same(t, "Revoke", got, want)
		w.stands(want)
		w.stands(kept)
		now := was
		now.Rights.Statements, now.Rights.Version, now.ChangedAt = []authz.Statement{kept.Statement}, 3, want.RevokedAt
		same(t, "the subject", w.subject(subject), now)

		later := want
		later.RevokedAt, later.RevokedBy = want.RevokedAt.Add(time.Minute), "another"
		for _, was := range []access.Subject{now, was, {}} { // whatever else there is to say
			got, err = h.Store.Revoke(t.Context(), access.Grantor{}, later, was, nil, w.note("again"))
			storetest.Refused(t, "Revoke again", err, access.ErrExists)
			same(t, "the standing grant", got, want)
		}
		w.stands(want)
		same(t, "the subject", w.subject(subject), now)
	}
	w.recorded("put", "put", "put", "put", "revoke", "revoke")
}

func runRevokeRefuses(t *testing.T, h Harness) {
	w := newWorld(t, h)
	grant := NewGrant(w.app, w.user.ID)
	now := w.put(grant)
	refused := func(doing string, grant access.Grant, was access.Subject, want error) {
		t.Helper()
		_, err := h.Store.Revoke(t.Context(), access.Grantor{}, revoked(grant), was, nil, w.note("refused"))
		storetest.Refused(t, doing, err, want)
	}
	refused("Revoke of what nobody granted", NewGrant(w.app, w.user.ID), now, access.ErrNotFound)
	refused("Revoke of a subject that has changed", grant, w.user, access.ErrChanged)
	refused("Revoke of a subject that is there all the same", grant, access.Subject{}, access.ErrChanged)
	h.DeleteApp(t, w.app, true)
	refused("Revoke in a deleted app", grant, now, access.ErrAppDeleted)
	h.DeleteApp(t, w.app, false)
	w.stands(grant)
	same(t, "the subject", w.subject(w.user.ID), now)
	w.recorded("put")
}

// runRevokeGone revokes the grants of subjects that are gone, whether the caller knows it or not.
func runRevokeGone(t *testing.T, h Harness) {
	w := newWorld(t, h)
	known, unknown := NewGrant(w.app, w.key.ID), NewGrant(w.app, w.key.ID)
	w.put(known)
	was := w.put(unknown)
	h.Remove(t, w.app, w.key.ID)
	for i, grant := range []access.Grant{known, unknown} {
		of := []access.Subject{{}, was}[i]
		got, err := h.Store.Revoke(t.Context(), access.Grantor{}, revoked(grant), of, nil, w.note("revoke"))
		storetest.OK(t, "Revoke", err)
		same(t, "Revoke", got, revoked(grant))
		w.stands(revoked(grant))
	}
	_, err := h.Store.Subject(t.Context(), w.app, w.key.ID)
	storetest.Refused(t, "Subject", err, access.ErrNotFound)
	w.recorded("put", "put", "revoke", "revoke")
}

func runRevokeRace(t *testing.T, h Harness) {
	w := newWorld(t, h)
	grant := NewGrant(w.app, w.key.ID)
	was := w.put(grant)
	storetest.OneWins(t, storetest.Racers, access.ErrExists, func(int) error {
		_, err := h.Store.Revoke(t.Context(), access.Grantor{}, revoked(grant), was, nil, w.note("revoke"))
		return err
	})
	w.stands(revoked(grant))
	if now := w.subject(w.key.ID); len(now.Rights.Statements) != 0 || now.Rights.Version != 2 {
		t.Errorf("the subject is %+v", now)
	}
	w.recorded("put", "revoke")
}

// runPutRevokeRace lets grants and a revocation meet at a subject: each writes all statements, so one of them may.
func runPutRevokeRace(t *testing.T, h Harness) {
	w := newWorld(t, h)
	grant := NewGrant(w.app, w.user.ID)
	was := w.put(grant)
	others := make([]access.Grant, storetest.Racers)
	for i := range others {
		others[i] = NewGrant(w.app, w.user.ID)
	}
	winner := storetest.OneWins(t, len(others), access.ErrChanged, func(i int) (err error) {
		if i == 0 {
			_, err = h.Store.Revoke(t.Context(), access.Grantor{}, revoked(grant), was, nil, w.note("race"))
		} else {
			_, err = h.Store.Put(t.Context(), access.Grantor{}, others[i], was, []authz.Statement{grant.Statement, others[i].Statement}, w.note("race"))
		}
		return err
	})
	want := []authz.Statement{grant.Statement, others[winner].Statement}
	if winner == 0 {
		want = nil
	}
	same(t, "the statements", w.subject(w.user.ID).Rights.Statements, want)
	found, err := h.Store.Get(t.Context(), w.app, grant.ID)
	if errors.Is(err, access.ErrNotFound) || found.RevokedAt.IsZero() == (winner == 0) {
		t.Errorf("racer %d won; the grant is %+v, %v", winner, found, err)
	}
	w.recorded("put", "race")
}
