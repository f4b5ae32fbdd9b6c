package authz_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// drawn are few permissions, so that statements meet often, and of all sorts: for all kinds, for one, beyond.
var drawn = []authz.Permission{authz.MessagesSend, authz.UsersList, authz.TicketsCreate, authz.KeysRead}

// instants are when statements end, and when somebody looks.
func instants() []time.Time {
	var all []time.Time
	for hour := range 5 {
		end := storetest.Noon().Add(time.Duration(hour) * time.Hour)
		all = append(all, end.Add(-1), end, end.Add(1))
	}
	return all
}

func drawSet(t *rapid.T, label string) authz.Set {
	return authz.SetOf(rapid.SliceOfN(rapid.SampledFrom(drawn), 0, 3).Draw(t, label)...)
}

// drawRights returns somebody's rights, and the policy of an app with two roles of its own.
func drawRights(t *rapid.T, kinds ...authz.Kind) (authz.Rights, *authz.Policy) {
	roles := []authz.Role{"role_1", "role_2", "role_gone", authz.Moderator}
	policy := &authz.Policy{Version: rapid.Int64Range(0, 1).Draw(t, "version"), Roles: map[authz.Role]authz.Effect{},
		Defaults: rapid.SliceOfN(rapid.SampledFrom(roles), 0, 1).Draw(t, "defaults")}
	for _, role := range roles[:2] {
		policy.Roles[role] = authz.Effect{Allow: drawSet(t, "allow"), Deny: drawSet(t, "deny")}
	}
	rights := authz.Rights{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	if rights.Kind != authz.Users {
		rights.Base = drawSet(t, "base")
	}
	for range rapid.IntRange(0, 5).Draw(t, "statements") {
		statement := authz.Statement{Group: rapid.SampledFrom([]id.Group{"", "", "g_1"}).Draw(t, "group"),
			Until: rapid.SampledFrom(append(instants(), time.Time{}, time.Time{})).Draw(t, "until")}
		if statement.Role = rapid.SampledFrom(append(roles, "", "", "")).Draw(t, "role"); statement.Role == "" {
			statement.Deny, statement.Set = rapid.Bool().Draw(t, "denies"), drawSet(t, "set")
		}
		rights.Statements = append(rights.Statements, statement)
	}
	return rights, policy
}

var anybody = []authz.Kind{authz.Developers, authz.Keys, authz.Users}

// later returns the instants from now on.
func later(now time.Time) []time.Time {
	return slices.DeleteFunc(instants(), func(at time.Time) bool { return at.Before(now) })
}

// Now has what Decide allows.
func TestNowIsWhatIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rights, policy := drawRights(t, anybody...)
		now := rapid.SampledFrom(instants()).Draw(t, "now")
		for _, group := range []id.Group{"", "g_1", "g_2"} {
			for _, permission := range declaredIn(rights.Now(policy, group, now)) {
				if rights.Decide(policy, permission.name, group, now).Allowed != permission.in {
					t.Errorf("%s in %q: %v", permission.name, group, permission.in)
				}
			}
		}
	})
}

// asked is a permission and whether a set has it.
type asked struct {
	name authz.Permission
	in   bool
}

func declaredIn(set authz.Set) (all []asked) {
	for _, entry := range authz.Catalogue {
		all = append(all, asked{entry.Permission, set.Has(entry.Permission)})
	}
	return all
}

// End is the first instant at which the answer is no, as looking at each instant finds.
func TestEndIsWhereTheAnswerTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rights, policy := drawRights(t, anybody...)
		now := rapid.SampledFrom(instants()).Draw(t, "now")
		for _, permission := range drawn {
			may := func(at time.Time) bool { return rights.Decide(policy, permission, "", at).Allowed }
			var want time.Time
			if turns := slices.IndexFunc(later(now), func(at time.Time) bool { return !may(at) }); may(now) && turns >= 0 {
				want = later(now)[turns]
			}
			if got := rights.End(policy, permission, now); !got.Equal(want) {
				t.Errorf("%s ends %v; want %v", permission, got, want)
			}
		}
	})
}

// What lasts is what is allowed now and at every later instant, for the whole app in each of its groups: no less, and above
// all no more.
func TestLastingIsWhatNeverEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rights, policy := drawRights(t, anybody...)
		before, now := slices.Clone(rights.Statements), rapid.SampledFrom(instants()).Draw(t, "now")
		for _, group := range []id.Group{"", "g_1", "g_2"} {
			want := rights.Now(policy, group, now)
			for _, at := range append(later(now), now) {
				want &= rights.Now(policy, group, at)
				if group == "" {
					want &= rights.Now(policy, "g_1", at) & rights.Now(policy, "g_2", at)
				}
			}
			if got := rights.Lasting(policy, group, now); got != want {
				t.Errorf("in %q %v lasts; want %v", group, got.Names(), want.Names())
			}
		}
		if !slices.Equal(rights.Statements, before) {
			t.Error("asking changed the statements")
		}
	})
}

// Every user has the app's default roles, and Member as long as the app has decided nothing. They never name a grant.
func TestDefaultRoles(t *testing.T) {
	own, member := authz.Role("role_1"), authz.Member.Set()
	roles := map[authz.Role]authz.Effect{own: {Allow: authz.SetOf(authz.UsersList), Deny: authz.SetOf(authz.MessagesSend)}}
	for name, test := range map[string]struct {
		policy *authz.Policy
		want   authz.Set
	}{
		"unknown":          {nil, member},
		"nothing decided":  {&authz.Policy{Defaults: []authz.Role{authz.Admin}}, member},
		"none":             {&authz.Policy{Version: 1}, 0},
		"one of its own":   {&authz.Policy{Version: 1, Roles: roles, Defaults: []authz.Role{own}}, authz.SetOf(authz.UsersList)},
		"member and own":   {&authz.Policy{Version: 2, Roles: roles, Defaults: []authz.Role{authz.Member, own}}, member&^authz.SetOf(authz.MessagesSend) | authz.SetOf(authz.UsersList)},
		"one that is gone": {&authz.Policy{Version: 3, Roles: roles, Defaults: []authz.Role{"role_gone"}}, 0},
		"a moderator's":    {&authz.Policy{Version: 4, Defaults: []authz.Role{authz.Moderator}}, authz.Moderator.Set()},
	} {
		if got := (authz.Rights{Kind: authz.Users}).Now(test.policy, "", storetest.Noon()); got != test.want {
			t.Errorf("%s: %v; want %v", name, got.Names(), test.want.Names())
		}
		if got := (authz.Rights{Kind: authz.Keys}).Now(test.policy, "", storetest.Noon()); got != 0 {
			t.Errorf("%s: a key has %v", name, got.Names())
		}
	}
	if decision := user().Decide(nil, authz.MessagesSend, "", storetest.Noon()); decision.Via != authz.ViaDefault ||
		decision.Statement.Role != authz.Member || decision.Statement.Grant != "" {
		t.Errorf("%+v", decision)
	}
}

// A right through a role that ends must not be handed on, even where the role also denies something.
func TestRolesThatEndDoNotLast(t *testing.T) {
	now, mixed := storetest.Noon(), authz.Role("role_1")
	policy := &authz.Policy{Version: 1, Roles: map[authz.Role]authz.Effect{mixed: {
		Allow: authz.SetOf(authz.UsersList), Deny: authz.SetOf(authz.MessagesSend)}}}
	rights := authz.Rights{Kind: authz.Keys, Base: authz.SetOf(authz.MessagesSend, authz.MessagesRead),
		Statements: []authz.Statement{{Role: mixed, Until: now.Add(time.Hour)}}}
	if got := rights.Now(policy, "", now); got != authz.SetOf(authz.UsersList, authz.MessagesRead) {
		t.Errorf("now %v", got.Names())
	}
	if got := rights.Lasting(policy, "", now); got != authz.SetOf(authz.MessagesRead) {
		t.Errorf("lasting %v", got.Names())
	}
}
