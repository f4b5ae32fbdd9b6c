package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// carrier notes what it was to carry.
type carrier struct {
	carried []string
	err     error
}

func (c *carrier) Carry(_ context.Context, _ id.App, from, to id.Key, origin record.Origin) error {
	c.carried = append(c.carried, fmt.Sprint(from, to, origin.Actor, origin.Reason))
	return c.err
}

// granted makes a key that was granted and denied things: one of them in a group, one of which ends, one that has ended.
func (f *fixture) granted(t *testing.T) apikey.Key {
	t.Helper()
	key, _ := f.create(t, request(""))
	made := func(statement authz.Statement) authz.Statement {
		statement.Grant = id.Source{}.Grant()
		return statement
	}
	f.store.Decide(key.App, key.ID, []authz.Statement{
		made(authz.Statement{Set: authz.SetOf(authz.UsersList), Group: "g_0000000000000000000001"}),
		made(authz.Statement{Set: authz.SetOf(authz.MessagesSend), Deny: true}),
		made(authz.Statement{Set: authz.SetOf(authz.KeysRead), Until: storetest.Noon().Add(time.Minute)}),
		made(authz.Statement{Set: authz.SetOf(authz.RecordsRead), Until: storetest.Noon()})}, key.Policy)
	now, err := f.Get(t.Context(), key.App, key.ID)
	storetest.OK(t, "Get", err)
	return now
}

// A rotation hands on what the key was granted, and sheds nothing that it is denied.
func TestRotateCarriesGrants(t *testing.T) {
	f, grants := setUp(), &carrier{}
	f.Grants = grants
	old := f.granted(t)
	f.maker.Scopes, f.maker.Reason = authz.Scopes(), "quarterly"
	asked := apikey.Rotation{Overlap: time.Hour, IdempotencyKey: "r1"}
	made, text, err := f.Rotate(t.Context(), f.maker, old.ID, asked)
	storetest.OK(t, "Rotate", err)
	if text == "" || made.Rights.Base != old.Rights.Base || made.Rights.Version != 1 || len(made.Rights.Statements) != 3 {
		t.Fatalf("made %+v", made)
	}
	for i, got := range made.Rights.Statements {
		want := old.Rights.Statements[i]
		if got.Grant == want.Grant || !id.IsGrant(string(got.Grant)) {
			t.Errorf("the grant of %+v is %s", want, got.Grant)
		}
		if got.Grant = want.Grant; got != want {
			t.Errorf("carried %+v, want %+v", got, want)
		}
	}
	_, _, err = f.Rotate(t.Context(), f.maker, old.ID, asked)
	storetest.OK(t, "Rotate again", err)
	once := fmt.Sprint(old.ID, made.ID, f.maker.By, "quarterly")
	if !slices.Equal(grants.carried, []string{once, once}) {
		t.Errorf("carried %v, want %s twice", grants.carried, once)
	}
}

// A key whose grants nobody can find is not shown: the same request, or another rotation, gets one that is whole.
func TestRotateWithoutGrants(t *testing.T) {
	f, failed := setUp(), errors.New("no answer")
	f.Grants = &carrier{err: failed}
	old := f.granted(t)
	f.maker.Scopes = authz.Scopes()
	made, text, err := f.Rotate(t.Context(), f.maker, old.ID, apikey.Rotation{IdempotencyKey: "r1"})
	if !errors.Is(err, failed) || text != "" || made.ID != "" {
		t.Errorf("Rotate = %+v, %q, %v", made, text, err)
	}
	plain, _ := f.create(t, request(""))
	_, _, err = f.Rotate(t.Context(), f.maker, plain.ID, apikey.Rotation{})
	storetest.OK(t, "Rotate of a key without grants", err)
}

// Whoever rotates a key gets what it was granted: they need all of that themselves. Only the key itself has it by being it.
func TestRotateAsksForWhatIsGranted(t *testing.T) {
	f := setUp()
	for lacking, want := range map[string]fault.Code{"": "", "users:list": fault.ScopeExceedsKey, "messages:send": fault.ScopeExceedsKey,
		"keys:read": fault.ScopeExceedsKey, "records:read": ""} {
		f.maker.Scopes = authz.Scopes()
		old := f.granted(t)
		f.maker.Scopes = slices.DeleteFunc(authz.Scopes(), func(scope string) bool { return scope == lacking })
		_, _, err := f.Rotate(t.Context(), f.maker, old.ID, apikey.Rotation{})
		wantCode(t, "Rotate without "+lacking, err, want)
	}
	f.maker.Scopes = authz.Scopes()
	old := f.granted(t)
	itself := apikey.Maker{App: old.App, By: string(old.ID), ExpiresAt: old.ExpiresAt, Seen: apikey.Seen{Rights: old.Rights.Version}}
	made, _, err := f.Rotate(t.Context(), itself, old.ID, apikey.Rotation{})
	if err != nil || len(made.Rights.Statements) != 3 {
		t.Errorf("Rotate by itself = %+v, %v", made, err)
	}
}

// What was granted to a key while another rotates it does not reach them unasked.
func TestRotateOfAKeyThatIsGrantedMore(t *testing.T) {
	f := setUp()
	old, _ := f.create(t, request(""))
	more := []authz.Statement{{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.UsersList)}}
	f.interrupt(func() { f.store.Decide(old.App, old.ID, more, old.Policy) })
	_, _, err := f.Rotate(t.Context(), f.maker, old.ID, apikey.Rotation{})
	wantCode(t, "Rotate", err, fault.ScopeExceedsKey)
	f.maker.Scopes = authz.Scopes()
	made, _, err := f.Rotate(t.Context(), f.maker, old.ID, apikey.Rotation{})
	if err != nil || len(made.Rights.Statements) != 1 {
		t.Errorf("Rotate = %+v, %v", made, err)
	}
}
