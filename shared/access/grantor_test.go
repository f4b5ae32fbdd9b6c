package access_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accesstest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// overtaken is a store that others change between a decision and its taking effect.
type overtaken struct {
	*accesstest.Store
	// before is called before each change; it has to take itself out.
	before func()
}

func (o *overtaken) Put(ctx context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	o.before()
	return o.Store.Put(ctx, by, grant, was, statements, record)
}

func (o *overtaken) Revoke(ctx context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	o.before()
	return o.Store.Revoke(ctx, by, grant, was, statements, record)
}

func (o *overtaken) SetBook(ctx context.Context, by access.Grantor, app id.App, book access.Book, record record.Record) error {
	o.before()
	return o.Store.SetBook(ctx, by, app, book, record)
}

// caller returns the key as package authn lets it in now, and the user with a token of it, if there is one.
func (s *scene) caller(t storetest.T, key, user string) authz.Caller {
	found := s.subject(t, key)
	caller := authz.Caller{App: s.app, Key: id.Key(key), Rights: found.Rights, Policy: &found.Policy, At: s.now()}
	if user != "" {
		caller.EndUser, caller.User = true, id.User(user)
		caller.UserRights, caller.Epoch = s.subject(t, user).Rights, s.subject(t, user).Epoch
	}
	return caller
}

// decides are the ways to hand something on or to change what others have, each about users:list.
func (s *scene) decides(t *testing.T) map[string]func(caller authz.Caller) error {
	role := s.role(t, "listers", nil, []string{"users:list"})
	denial := s.grant(t, access.Wish{Subject: s.key(), Permissions: []string{"users:list"}, Deny: true})
	other, name, list := s.key(), "mighty", []string{"users:list"}
	return map[string]func(caller authz.Caller) error{
		"Grant": func(caller authz.Caller) error {
			_, err := s.Grant(t.Context(), caller, access.Wish{Subject: other, Permissions: list})
			return err
		},
		"Grant to itself": func(caller authz.Caller) error {
			_, err := s.Grant(t.Context(), caller, access.Wish{Subject: caller.By(), Permissions: list})
			return err
		},
		"Revoke": func(caller authz.Caller) error {
			_, err := s.Revoke(t.Context(), caller, denial.ID, "")
			return err
		},
		"CreateRole": func(caller authz.Caller) error {
			_, err := s.CreateRole(t.Context(), caller, access.RoleWish{Name: &name, Permissions: list})
			return err
		},
		"ChangeRole": func(caller authz.Caller) error {
			_, err := s.ChangeRole(t.Context(), caller, string(role.ID), access.RoleWish{Permissions: list})
			return err
		},
		"DeleteRole": func(caller authz.Caller) error {
			_, err := s.DeleteRole(t.Context(), caller, string(role.ID), "")
			return err
		},
	}
}

// losses are the ways to lose the right to hand users:list on, and what whoever tries it is told.
func (s *scene) losses(t *testing.T, key, user string) map[string]struct {
	lose func()
	want fault.Code
} {
	holder := key
	if user != "" {
		holder = user
	}
	deny := func(subject string, permissions ...string) func() {
		return func() { s.grant(t, access.Wish{Subject: subject, Permissions: permissions, Deny: true}) }
	}
	ended := fault.APIKeyRevoked
	if user != "" {
		ended = fault.TokenRevoked
	}
	return map[string]struct {
		lose func()
		want fault.Code
	}{
		"it is denied":                  {deny(holder, "users:list"), fault.GrantExceeds},
		"granting is denied":            {deny(holder, "grants:manage", "roles:manage"), fault.PermissionDenied},
		"granting is denied to the key": {deny(key, "grants:manage", "roles:manage"), fault.PermissionDenied},
		"the key is revoked":            {func() { s.revokeKey(t, key) }, ended},
		"the holder is gone":            {func() { s.store.Remove(s.app, holder) }, ended},
		"its tokens are revoked":        {func() { s.revokeTokens(t, key, user) }, ended},
	}
}

// revokeTokens revokes the tokens of the user; those of a key, which has none, by revoking the key.
func (s *scene) revokeTokens(t storetest.T, key, user string) {
	if user == "" {
		s.revokeKey(t, key)
		return
	}
	found := s.subject(t, user)
	found.Epoch++
	s.store.AddUser(s.app, found)
}

// Nobody hands on what they have lost since they were let in: neither a key nor an end user, in no way.
func TestNobodyHandsOnWhatTheyLost(t *testing.T) {
	for _, endUser := range []bool{false, true} {
		for way := range newScene().decides(t) {
			for how := range newScene().losses(t, "", "") {
				name := fmt.Sprintf("%s, where %s, by an end user: %v", way, how, endUser)
				s := newScene()
				key, user := s.key("users:list", "grants:manage", "roles:manage"), ""
				if endUser {
					user = s.user()
					s.grant(t, access.Wish{Subject: user, Permissions: []string{"users:list", "grants:manage", "roles:manage"}})
				}
				decide, loss := s.decides(t)[way], s.losses(t, key, user)[how]
				caller := s.caller(t, key, user)
				store := &overtaken{Store: s.store}
				store.before = func() {
					store.before = func() {}
					loss.lose()
				}
				s.Store = store
				if err := decide(caller); !fault.Is(err, loss.want) {
					t.Errorf("%s: %v, want %s", name, err, loss.want)
				}
				s.wantBy(t, name, caller.By(), 0)
			}
		}
	}
}

// wantBy checks how many changes somebody has made.
func (s *scene) wantBy(t *testing.T, doing, who string, want int) {
	t.Helper()
	made := 0
	for _, each := range s.store.Logs.All(record.OfApp(s.app)) {
		if each.Actor == who {
			made++
		}
	}
	if made != want {
		t.Errorf("%s: %d changes by %s, want %d", doing, made, who, want)
	}
}

// Who has become another and still may is not kept from it.
func TestWhoStillMayDecides(t *testing.T) {
	for way := range newScene().decides(t) {
		for _, endUser := range []bool{false, true} {
			s := newScene()
			key, user := s.key("users:list", "grants:manage", "roles:manage"), ""
			if endUser {
				user = s.user()
				s.grant(t, access.Wish{Subject: user, Permissions: []string{"users:list", "grants:manage", "roles:manage"}})
			}
			decide, caller := s.decides(t)[way], s.caller(t, key, user)
			store, changes := &overtaken{Store: s.store}, []func(){
				func() {
					s.grant(t, access.Wish{Subject: caller.By(), Permissions: []string{"messages:read"}, Deny: true})
				},
				func() { s.role(t, "meanwhile", nil, nil) },
				func() { s.grant(t, access.Wish{Subject: key, Permissions: []string{"users:list"}}) },
			}
			store.before = func() {
				if len(changes) > 0 {
					next := changes[0]
					changes = changes[1:]
					before := store.before
					store.before = func() {}
					next()
					store.before = before
				}
			}
			s.Store = store
			storetest.OK(t, way, decide(caller))
			s.wantBy(t, way, caller.By(), 1)
			if len(changes) > 0 {
				t.Errorf("%s: %d changes never came", way, len(changes))
			}
		}
	}
}

// Whatever the order, behind the answer to who takes the right to grant from a key, no new grant of that key appears.
func TestRevocationRacesGranting(t *testing.T) {
	given := 0
	for round := range 200 {
		s := newScene()
		s.Store = s.store
		key, others := s.key("users:list"), []string{s.key(), s.key(), s.key()}
		may := s.grant(t, access.Wish{Subject: key, Permissions: []string{"grants:manage"}})
		caller := s.caller(t, key, "")
		behind := -1
		byKey := func() (count int) {
			for _, each := range s.store.Logs.All(record.OfApp(s.app)) {
				if each.Actor == key {
					count++
				}
			}
			return count
		}
		for i, err := range storetest.AtOnce(1+len(others), func(i int) error {
			if i > 0 {
				_, err := s.Grant(t.Context(), caller, access.Wish{Subject: others[i-1], Permissions: []string{"users:list"}})
				return err
			}
			var err error
			if round%2 == 0 {
				_, err = s.Revoke(t.Context(), s.owner(), may.ID, "")
			} else {
				_, err = s.Grant(t.Context(), s.owner(), access.Wish{Subject: key, Permissions: []string{"users:list"}, Deny: true})
			}
			behind = byKey()
			return err
		}) {
			refused := fault.Is(err, fault.PermissionDenied) || fault.Is(err, fault.GrantExceeds)
			if err != nil && (i == 0 || !refused) {
				t.Fatalf("%d: %v", i, err)
			}
		}
		if now := byKey(); now != behind {
			t.Fatalf("round %d: %d grants behind the answer", round, now-behind)
		}
		given += behind
	}
	t.Logf("%d of 600 were given in time", given)
}

// A rotation's grants are made once, whoever asks again, and tell of exactly what the new key has.
func TestCarry(t *testing.T) {
	s := newScene()
	from, to := id.Key(s.key()), id.Source{}.Key(s.app)
	statements := []authz.Statement{
		{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.UsersList), Until: s.now().Add(day)},
		{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.MessagesSend), Deny: true},
		{Grant: id.Source{}.Grant(), Role: authz.Auditor, Group: someGroup},
		{Grant: id.Source{}.Grant(), Set: authz.SetOf(authz.KeysRead), Until: s.now()}}
	s.store.AddKey(s.app, access.Subject{ID: string(to), Rights: authz.Rights{Statements: statements, Version: 1}})
	origin := record.Origin{Actor: sceneOwner, Reason: "quarterly"}
	for _, err := range storetest.AtOnce(3, func(int) error { return s.Carry(context.Background(), s.app, from, to, origin) }) {
		storetest.OK(t, "Carry", err)
	}
	if got := s.subject(t, string(to)).Rights.Statements; fmt.Sprint(got) != fmt.Sprint(statements[:3]) {
		t.Errorf("the key has %v, want %v", got, statements[:3])
	}
	for _, statement := range statements[:3] {
		grant, err := s.Find(t.Context(), s.app, statement.Grant)
		storetest.OK(t, "Find", err)
		if fmt.Sprint(grant.Statement) != fmt.Sprint(statement) || grant.Subject != string(to) || grant.CreatedBy != sceneOwner ||
			grant.Reason != "carried over at the rotation of "+string(from) {
			t.Errorf("%+v tells of %+v", grant, statement)
		}
	}
	s.wantBy(t, "Carry", sceneOwner, 1+3) // and the making of the first key
	_, err := s.Revoke(t.Context(), s.owner(), statements[1].Grant, "")
	storetest.OK(t, "Revoke", err)
	storetest.OK(t, "Carry again", s.Carry(t.Context(), s.app, from, to, origin))
	if got := s.subject(t, string(to)).Rights.Statements; len(got) != 2 {
		t.Errorf("what was revoked came back: %v", got)
	}
}
