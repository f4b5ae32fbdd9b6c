package apikeytest

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// seen is how the store has the key now.
func seen(t *testing.T, store World, key apikey.Key) (apikey.Key, apikey.Seen) {
	t.Helper()
	found, err := store.Get(t.Context(), key.App, key.ID)
	storetest.OK(t, "Get", err)
	return found, apikey.Seen{Rights: found.Rights.Version, Policy: found.Policy.Version}
}

// denied is a statement that takes everything.
func denied() []authz.Statement {
	return []authz.Statement{{Grant: id.Source{}.Grant(), Deny: true, Set: authz.HeldBy(authz.Keys)}}
}

// runMakerChanged changes a key in each way that may take something from it, between its being seen and its making and
// rotating keys: it does neither.
func runMakerChanged(t *testing.T, store World) {
	app := id.Source{}.App()
	maker, old := create(t, store, NewKey(app)), create(t, store, NewKey(app))
	for doing, change := range map[string]func(){
		"denied": func() { store.Decide(app, maker.ID, denied(), maker.Policy) },
		"of another policy": func() {
			now, _ := seen(t, store, maker)
			store.Decide(app, maker.ID, now.Rights.Statements, policy(now.Policy.Version+1))
		},
		"replaced": func() {
			now, _ := seen(t, store, maker)
			replaced, next := rotation(now, time.Minute)
			_, err := store.Rotate(t.Context(), replaced, next, apikey.Seen{}, told(replaced, next)...)
			storetest.OK(t, "Rotate", err)
		},
		"narrowed": func() {
			now, _ := seen(t, store, maker)
			scopes := now.Scopes[:len(now.Scopes)-1]
			_, err := store.Narrow(t.Context(), app, maker.ID, scopes, now.Scopes, Record(maker, record.KeyNarrowed))
			storetest.OK(t, "Narrow", err)
		},
	} {
		was, before := seen(t, store, maker)
		change()
		made := NewKey(app)
		made.CreatedBy = string(maker.ID)
		_, err := store.Create(t.Context(), made, before, Record(made, record.KeyCreated))
		storetest.Refused(t, "Create by a key that is "+doing, err, apikey.ErrMakerChanged)
		replaced, next := rotation(old, time.Minute)
		next.CreatedBy = string(maker.ID)
		_, err = store.Rotate(t.Context(), replaced, next, before, told(replaced, next)...)
		storetest.Refused(t, "Rotate by a key that is "+doing, err, apikey.ErrMakerChanged)
		replaced, itself := rotation(was, time.Minute)
		itself.CreatedBy = string(maker.ID)
		_, err = store.Rotate(t.Context(), replaced, itself, before, told(replaced, itself)...)
		storetest.Refused(t, "Rotate of itself by a key that is "+doing, err, apikey.ErrNotRotatable)
		for _, none := range []apikey.Key{made, next, itself} {
			absent(t, store, none)
		}
		stands(t, store, old)

		_, now := seen(t, store, maker)
		_, err = store.Create(t.Context(), made, now, Record(made, record.KeyCreated))
		storetest.OK(t, "Create by a key as it was seen", err)
	}
	nobody := NewKey(app)
	nobody.CreatedBy = string(id.Source{}.Key(app))
	_, err := store.Create(t.Context(), nobody, apikey.Seen{}, Record(nobody, record.KeyCreated))
	storetest.Refused(t, "Create by a key that is gone", err, apikey.ErrMakerChanged)

	replaced, made := rotation(old, time.Minute)
	store.Decide(app, old.ID, denied(), old.Policy)
	_, err = store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
	storetest.Refused(t, "Rotate of a key that is denied something since", err, apikey.ErrNotRotatable)
	absent(t, store, made)
}

// runMakerRace takes something from a key that makes others without a pause: behind that it makes none.
func runMakerRace(t *testing.T, store World) {
	const makers = 8
	app := id.Source{}.App()
	maker := create(t, store, NewKey(app))
	var tried atomic.Int64
	behind := []id.Key{}
	for i, err := range storetest.AtOnce(makers+1, func(i int) error {
		if i < makers {
			for {
				made := NewKey(app)
				made.CreatedBy = string(maker.ID)
				_, err := store.Create(t.Context(), made, apikey.Seen{}, Record(made, record.KeyCreated))
				tried.Add(1)
				if err != nil {
					return err
				}
			}
		}
		for tried.Load() < 2*makers {
			time.Sleep(time.Millisecond)
		}
		store.Decide(app, maker.ID, denied(), maker.Policy)
		keys, err := store.List(t.Context(), app, "", 1000)
		for _, key := range keys {
			behind = append(behind, key.ID)
		}
		return err
	}) {
		if i < makers && !errors.Is(err, apikey.ErrMakerChanged) || i == makers && err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	keys, err := store.List(t.Context(), app, "", 1000)
	storetest.OK(t, "List", err)
	for _, key := range keys {
		if !slices.Contains(behind, key.ID) {
			t.Errorf("%s came to be behind the denial", key.ID)
		}
	}
}

// runStatements makes a key that has statements from the start, as a rotation does.
func runStatements(t *testing.T, store World) {
	old := NewKey(id.Source{}.App())
	old.Rights.Version, old.Rights.Statements = 1, []authz.Statement{
		{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.UsersList), Group: "g_0123456789012345678901", Until: storetest.Noon()},
		{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.MessagesSend), Deny: true},
		{Grant: id.Source{}.Grant(), Role: authz.Auditor}}
	create(t, store, old)
	stands(t, store, old)
	replaced, made := rotation(old, time.Minute)
	made.Rights.Version, made.Rights.Statements = 1, old.Rights.Statements[1:]
	got, err := store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
	storetest.OK(t, "Rotate", err)
	same(t, "Rotate", got, made)
	stands(t, store, made)
}
