package authn_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// noted writes down what it is told, or fails.
type noted struct {
	seen map[string]int64
	err  error
}

func (n *noted) note(who string, permission authz.Permission, day int64) error {
	n.seen[who+" "+string(permission)] = day
	return n.err
}

type keyNotes struct{ *noted }

func (keyNotes) Used(context.Context, id.App, id.Key, time.Time, time.Time, string) error { return nil }

func (n keyNotes) UsedFor(_ context.Context, _ id.App, _ id.Key, permission authz.Permission, day int64) error {
	return n.note("key", permission, day)
}

type userNotes struct{ *noted }

func (n userNotes) UsedFor(_ context.Context, _ id.App, _ id.User, permission authz.Permission, day int64) error {
	return n.note("user", permission, day)
}

// What is used is written down once a day: for keys all of it, for users what they were granted, for a token that reaches
// beyond its user's data both.
func TestNote(t *testing.T) {
	now := storetest.Noon()
	today := authz.Day(now)
	key := authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)}
	granted := authz.Rights{Kind: authz.Users, Statements: []authz.Statement{{Grant: "gr_1", Set: authz.SetOf(authz.UsersList, authz.MessagesSend)}}}
	usedOn := func(rights authz.Rights, day int64, permissions ...authz.Permission) authz.Rights {
		rights.Used = map[authz.Permission]int64{}
		for _, permission := range permissions {
			rights.Used[permission] = day
		}
		return rights
	}
	for name, test := range map[string]struct {
		caller     authz.Caller
		permission authz.Permission
		want       map[string]int64
	}{
		"a key":                             {authz.Caller{Rights: key}, authz.UsersList, map[string]int64{"key users:list": today}},
		"a key again today":                 {authz.Caller{Rights: usedOn(key, today, authz.UsersList)}, authz.UsersList, nil},
		"a key that did another thing":      {authz.Caller{Rights: usedOn(key, today, authz.UsersRead)}, authz.UsersList, map[string]int64{"key users:list": today}},
		"a key again on another day":        {authz.Caller{Rights: usedOn(key, today-1, authz.UsersList)}, authz.UsersList, map[string]int64{"key users:list": today}},
		"a user by default":                 {authz.Caller{EndUser: true, Rights: key, UserRights: authz.Rights{Kind: authz.Users}}, authz.MessagesSend, nil},
		"a user by default, though granted": {authz.Caller{EndUser: true, Rights: key, UserRights: granted}, authz.MessagesSend, nil},
		"a user by a grant":                 {authz.Caller{EndUser: true, Rights: key, UserRights: granted}, authz.UsersList, map[string]int64{"user users:list": today, "key users:list": today}},
		"a developer":                       {authz.Caller{Developer: "dev_1", Rights: authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Owner)}}, authz.UsersList, nil},
	} {
		notes := &noted{seen: map[string]int64{}}
		test.caller.At, test.caller.Key, test.caller.User = now, "key_1", "u_1"
		(&authn.Authenticator{Uses: keyNotes{notes}, UserUses: userNotes{notes}}).Note(t.Context(), test.caller, authz.Asked{Permission: test.permission})
		if !maps.Equal(notes.seen, test.want) {
			t.Errorf("%s: noted %v, want %v", name, notes.seen, test.want)
		}
	}
}

// A note that fails, and one that nobody takes, is no error of the request.
func TestNoteMayFail(t *testing.T) {
	caller := authz.Caller{Key: "key_1", Rights: authz.Rights{Kind: authz.Keys}, At: storetest.Noon()}
	notes := &noted{seen: map[string]int64{}, err: errors.New("throttled")}
	(&authn.Authenticator{Uses: keyNotes{notes}, UserUses: userNotes{notes}}).Note(t.Context(), caller, authz.Asked{Permission: authz.UsersList})
	(&authn.Authenticator{}).Note(t.Context(), caller, authz.Asked{Permission: authz.UsersList})
	if len(notes.seen) != 1 {
		t.Errorf("noted %v", notes.seen)
	}
}
