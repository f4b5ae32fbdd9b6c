package apikey_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// interrupted is a store that others change between a decision and its taking effect.
type interrupted struct {
	*apikeytest.Store
	before func()
}

func (i interrupted) Create(ctx context.Context, key apikey.Key, maker apikey.Seen, made record.Record) (apikey.Key, error) {
	i.before()
	return i.Store.Create(ctx, key, maker, made)
}

func (i interrupted) Rotate(ctx context.Context, replaced, made apikey.Key, maker apikey.Seen, records ...record.Record) (apikey.Key, error) {
	i.before()
	return i.Store.Rotate(ctx, replaced, made, maker, records...)
}

// interrupt has the changes come one by one, each before a key would be made.
func (f *fixture) interrupt(changes ...func()) {
	f.Store = interrupted{f.store, func() {
		if len(changes) > 0 {
			next := changes[0]
			changes = changes[1:]
			next()
		}
	}}
}

// keys counts the keys of the app.
func (f *fixture) keys(t *testing.T) int {
	t.Helper()
	keys, err := f.store.List(t.Context(), f.maker.App, "", 1000)
	storetest.OK(t, "List", err)
	return len(keys)
}

func denial(permissions ...authz.Permission) []authz.Statement {
	return []authz.Statement{{Grant: id.Source{}.Grant(), Deny: true, Set: authz.SetOf(permissions...)}}
}

// making are the ways in which the key makes another that may send.
func (f *fixture) making(t *testing.T, key apikey.Key) map[string]func() error {
	old, _ := f.create(t, request(""))
	return map[string]func() error{
		"Create": func() error { _, _, err := f.Create(t.Context(), of(key), request("")); return err },
		"Rotate": func() error { _, _, err := f.Rotate(t.Context(), of(key), old.ID, apikey.Rotation{}); return err },
	}
}

// A key makes none by what it has lost since it was let in.
func TestNobodyMakesKeysByWhatTheyLost(t *testing.T) {
	for way := range setUp().making(t, apikey.Key{}) {
		for how, loss := range map[string]struct {
			lose func(f *fixture, key apikey.Key) error
			want fault.Code
		}{
			"the scope is denied": {func(f *fixture, key apikey.Key) error {
				f.store.Decide(key.App, key.ID, denial(authz.MessagesSend), key.Policy)
				return nil
			}, fault.ScopeExceedsKey},
			"making keys is denied": {func(f *fixture, key apikey.Key) error {
				f.store.Decide(key.App, key.ID, denial(authz.KeysManage), key.Policy)
				return nil
			}, fault.PermissionDenied},
			"the scope is taken": {func(f *fixture, key apikey.Key) error {
				_, err := f.store.Narrow(t.Context(), key.App, key.ID, key.Scopes[1:], key.Scopes, apikeytest.Record(key, record.KeyNarrowed))
				return err
			}, fault.ScopeExceedsKey},
			"the key is revoked": {func(f *fixture, key apikey.Key) error {
				_, err := f.store.Revoke(t.Context(), key.App, key.ID, storetest.Noon(), apikeytest.Record(key, record.KeyRevoked))
				return err
			}, fault.APIKeyRevoked},
			"the key is suspended": {func(f *fixture, key apikey.Key) error {
				return f.store.Suspend(t.Context(), key.App, key.ID, true)
			}, fault.AppDeleted},
		} {
			f := setUp()
			key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes, ExpiresAt: storetest.Noon().Add(2 * time.Hour)})
			do := f.making(t, key)[way]
			f.interrupt(func() { storetest.OK(t, how, loss.lose(f, key)) })
			before := f.keys(t)
			wantCode(t, way+", where "+how, do(), loss.want)
			if now := f.keys(t); now != before {
				t.Errorf("%s, where %s: %d keys came to be", way, how, now-before)
			}
		}
	}
}

// A key that was replaced since it was let in makes none that outlives it.
func TestNobodyMakesKeysThatOutliveThem(t *testing.T) {
	for way := range setUp().making(t, apikey.Key{}) {
		f := setUp()
		key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes})
		do := f.making(t, key)[way]
		f.interrupt(func() {
			_, _, err := f.Rotate(t.Context(), f.maker, key.ID, apikey.Rotation{Overlap: time.Minute})
			storetest.OK(t, "Rotate", err)
		})
		if err := do(); err != nil && !fault.Is(err, fault.ExpiryExceedsKey) {
			t.Errorf("%s: %v", way, err)
		}
		ends := storetest.Noon().Add(time.Minute)
		keys, err := f.store.List(t.Context(), key.App, "", 1000)
		storetest.OK(t, "List", err)
		for _, made := range keys {
			if made.CreatedBy == string(key.ID) && (made.ExpiresAt.IsZero() || made.ExpiresAt.After(ends)) {
				t.Errorf("%s: the key ends %v, its maker %v", way, made.ExpiresAt, ends)
			}
		}
	}
}

// A key that has become another and still may makes keys; one that never stays the same may ask again.
func TestWhoStillMayMakesKeys(t *testing.T) {
	for way := range setUp().making(t, apikey.Key{}) {
		for _, often := range []int{2, 100} {
			f := setUp()
			key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes, ExpiresAt: storetest.Noon().Add(2 * time.Hour)})
			do, change := f.making(t, key)[way], func() { f.store.Decide(key.App, key.ID, denial(authz.UsersList), key.Policy) }
			changes := make([]func(), often)
			for i := range changes {
				changes[i] = change
			}
			f.interrupt(changes...)
			err := do()
			if often == 2 {
				storetest.OK(t, way, err)
			} else if !fault.Is(err, fault.Overtaken) || !errors.Is(err, apikey.ErrMakerChanged) {
				t.Errorf("%s by a key that changes without end: %v", way, err)
			}
		}
	}
}
