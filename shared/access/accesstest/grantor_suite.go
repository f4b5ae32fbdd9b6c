package accesstest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// decisions are a key and a user with a grant each, and a book of the version, for the grantor to decide about.
type decisions struct {
	*world
	standing access.Grant
	version  int64
}

func newDecisions(t *testing.T, h Harness) *decisions {
	w := newWorld(t, h)
	d := &decisions{world: w, standing: NewGrant(w.app, w.user.ID), version: 1}
	w.put(d.standing)
	storetest.OK(t, "Align", h.Store.Align(t.Context(), w.app, w.set(1), storetest.Noon()))
	return d
}

// add adds a subject, and returns it as it stands.
func (d *decisions) add(subject access.Subject) access.Subject {
	d.Add(d.T, d.app, subject)
	if id.IsKey(subject.ID) {
		storetest.OK(d.T, "Align", d.Store.Align(d.Context(), d.app, d.book().Policy(), storetest.Noon()))
	}
	return d.subject(subject.ID)
}

// by returns the key, and the user if there is one, as a grantor who was read now.
func (d *decisions) by(key string, user string) access.Grantor {
	found := d.subject(key)
	by := access.Grantor{Key: id.Key(key), KeyVersion: found.Rights.Version, PolicyVersion: found.Policy.Version}
	if user != "" {
		found := d.subject(user)
		by.User, by.UserVersion, by.Epoch = id.User(user), found.Rights.Version, found.Epoch
	}
	return by
}

// tries has the grantor decide in every way, about others and about itself, and returns each outcome.
func (d *decisions) tries(by access.Grantor) map[string]error {
	outcomes := map[string]error{}
	for _, subject := range []string{d.key.ID, d.user.ID, string(by.Key), string(by.User)} {
		if subject == "" {
			continue
		}
		was, err := d.Store.Subject(d.Context(), d.app, subject)
		if err != nil {
			was = access.Subject{ID: subject}
		}
		_, outcomes["Put for "+subject] = d.Store.Put(d.Context(), by, NewGrant(d.app, subject), was, was.Rights.Statements, d.note("put"))
		if outcomes["Put for "+subject] == nil && subject == string(by.Key) {
			by.KeyVersion++
		} else if outcomes["Put for "+subject] == nil && subject == string(by.User) {
			by.UserVersion++
		}
	}
	_, outcomes["Revoke"] = d.Store.Revoke(d.Context(), by, revoked(d.standing), d.subject(d.user.ID), nil, d.note("revoke"))
	outcomes["SetBook"] = d.Store.SetBook(d.Context(), by, d.app, bookOf(d.version+1), d.note("book"))
	return outcomes
}

// runGrantorRefused changes who decides in every way that may take something from them, behind their being read.
func runGrantorRefused(t *testing.T, h Harness) {
	d := newDecisions(t, h)
	for doing, change := range map[string]func(by access.Grantor){
		"a key that was denied something": func(by access.Grantor) { d.put(NewGrant(d.app, string(by.Key))) },
		"a user that was denied something": func(by access.Grantor) {
			d.put(NewGrant(d.app, string(by.User)))
		},
		"a revoked key":       func(by access.Grantor) { h.End(t, d.app, by.Key, false) },
		"a suspended key":     func(by access.Grantor) { h.End(t, d.app, by.Key, true) },
		"a key that is gone":  func(by access.Grantor) { h.Remove(t, d.app, string(by.Key)) },
		"a user that is gone": func(by access.Grantor) { h.Remove(t, d.app, string(by.User)) },
		"a user whose tokens were revoked": func(by access.Grantor) {
			user := d.subject(string(by.User))
			user.Epoch++
			h.Add(t, d.app, user)
		},
		"a key with another policy": func(by access.Grantor) {
			d.version++
			storetest.OK(t, "Align", h.Store.Align(t.Context(), d.app, d.set(d.version), storetest.Noon()))
		},
	} {
		by := d.by(d.add(NewKey(d.app)).ID, d.add(NewUser()).ID)
		change(by)
		before, records := d.list(access.Filter{}, 100), len(d.reasons())
		for way, err := range d.tries(by) {
			if !errors.Is(err, access.ErrGrantorChanged) {
				t.Errorf("%s by %s: %v", way, doing, err)
			}
		}
		same(t, "the grants", d.list(access.Filter{}, 100), before)
		same(t, "the book", d.book(), bookOf(d.version))
		if now := len(d.reasons()); now != records {
			t.Errorf("%s has left %d records", doing, now-records)
		}
	}
	d.stands(d.standing)
}

// runGrantorStands has those decide who are as they were read: the book may be ahead of the copy that they were judged by.
func runGrantorStands(t *testing.T, h Harness) {
	for name, ahead := range map[string]bool{"with the policy of the book": false, "with one behind the book": true} {
		for _, user := range []bool{false, true} {
			d := newDecisions(t, h)
			by := d.by(d.add(NewKey(d.app)).ID, "")
			if user {
				by = d.by(string(by.Key), d.add(NewUser()).ID)
			}
			if ahead {
				d.version++
				d.set(d.version)
			}
			for way, err := range d.tries(by) {
				if err != nil {
					t.Errorf("%s, by one %s: %v", way, name, err)
				}
			}
		}
	}
}

// runGrantorRace takes something from a key that grants without a pause: behind that nothing of it comes to be.
func runGrantorRace(t *testing.T, h Harness) {
	const granters = 4
	d := newDecisions(t, h)
	by := d.by(d.add(NewKey(d.app)).ID, "")
	subjects := make([]access.Subject, granters)
	for i := range subjects {
		subjects[i] = d.add(NewUser())
	}
	var tried atomic.Int64
	var behind []access.Grant
	for i, err := range storetest.AtOnce(granters+1, func(i int) error {
		if i < granters {
			for was := subjects[i]; ; was.Rights.Version++ {
				_, err := h.Store.Put(t.Context(), by, NewGrant(d.app, was.ID), was, nil, d.note("put"))
				tried.Add(1)
				if err != nil {
					return err
				}
			}
		}
		for tried.Load() < 2*granters {
			time.Sleep(time.Millisecond)
		}
		was := d.subject(string(by.Key))
		if _, err := h.Store.Put(t.Context(), access.Grantor{}, NewGrant(d.app, was.ID), was, nil, d.note("put")); err != nil {
			return fmt.Errorf("the denial: %w", err)
		}
		behind = d.list(access.Filter{}, 1000)
		return nil
	}) {
		if i < granters && !errors.Is(err, access.ErrGrantorChanged) || i == granters && err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	same(t, "the grants", d.list(access.Filter{}, 1000), behind)
}
