package oracle

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// world is one random state of an app with those who want something in it, in words that neither the product nor Cedar
// uses: product_test.go and cedar_test.go put it into theirs, each for itself.
type world struct {
	// version, roles and defaults are what the app has decided. Statements may also name roles that are gone.
	version  int64
	roles    []role
	defaults []authz.Role
	// application is a key or a developer, user an end user; how tells which of them is calling.
	application, user subject
	how               how
	// chosen tells whether a developer has chosen the app.
	chosen bool
}

// role is one of the app's own.
type role struct {
	name        authz.Role
	allow, deny []authz.Permission
}

// subject is somebody who wants something.
type subject struct {
	kind authz.Kind
	name string
	// scopes are a key's, member is what a developer is in the account.
	scopes     []authz.Permission
	member     authz.Role
	statements []statement
}

// statement is something granted or denied: a role, or else permissions.
type statement struct {
	grant       id.Grant
	deny        bool
	role        authz.Role
	permissions []authz.Permission
	group       id.Group
	until       time.Time
}

// how is the way in which a request is made.
type how int

const (
	alone     how = iota // an application for itself
	endUser              // a user with a token
	actingFor            // an application for a user
)

// edges are when statements end. Requests come a nanosecond before, then, and a nanosecond after.
var edges = []time.Time{storetest.Noon().Add(-time.Hour), storetest.Noon(), storetest.Noon().Add(time.Hour)}

// early is before all edges.
var early = edges[0].Add(-time.Nanosecond)

// groups are those that requests name; statements name the first two beside the whole app.
var groups = []id.Group{"", "g_1", "g_2", "g_3"}

// unlisted are asked for like permissions, but nobody can have them.
var unlisted = []authz.Permission{authz.Public, "no:such", ""}

// gone are roles that were deleted.
var gone = []authz.Role{"role_gone1", "role_gone2"}

// dice draws worlds.
type dice struct{ *rand.Rand }

// worldOf returns the world of that number: always the same for the same seed.
func worldOf(seed, number uint64) (world, dice) {
	d := dice{rand.New(rand.NewPCG(seed, number))}
	return d.world(), d
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// percent is true that often.
func (d dice) percent(n int) bool { return d.IntN(100) < n }

// some returns up to so many permissions. None may come twice, but it does no harm.
func (d dice) some(most int) []authz.Permission {
	var some []authz.Permission
	for range d.IntN(most + 1) {
		some = append(some, pick(d, authz.Catalogue).Permission)
	}
	return some
}

func (d dice) world() world {
	w := world{how: pick(d, []how{alone, endUser, endUser, actingFor, actingFor}), chosen: d.percent(85)}
	if d.percent(70) {
		w.version = 1 + d.Int64N(9)
		for n := range d.IntN(4) {
			w.roles = append(w.roles, role{name: authz.Role(fmt.Sprintf("role_own%d", n)), allow: d.some(6), deny: d.some(6)})
		}
	}
	for range d.IntN(4) { // what a version 0 says of defaults must not count
		w.defaults = append(w.defaults, d.role(w))
	}
	w.application = d.application(w)
	w.user = subject{kind: authz.Users, name: "u_1", statements: d.statements(w, "user")}
	return w
}

// application draws a key or, where no token of it is used, maybe a developer.
func (d dice) application(w world) subject {
	if w.how != endUser && d.percent(35) {
		members := []authz.Role{authz.Owner, authz.Admin, authz.Auditor, authz.Moderator, ""}
		return subject{kind: authz.Developers, name: "dev_1", member: pick(d, members), statements: d.statements(w, "developer")}
	}
	return subject{kind: authz.Keys, name: "key_1", scopes: d.some(20), statements: d.statements(w, "key")}
}

// role draws a built-in one, one of the app's own, or one that is gone.
func (d dice) role(w world) authz.Role {
	switch {
	case len(w.roles) > 0 && d.percent(50):
		return pick(d, w.roles).name
	case d.percent(20):
		return pick(d, gone)
	}
	return pick(d, authz.BuiltIns).Role
}

func (d dice) statements(w world, of string) []statement {
	var statements []statement
	for n := range d.IntN(7) {
		s := statement{grant: id.Grant(fmt.Sprintf("gr_%s%d", of, n)), group: pick(d, []id.Group{"", "", "", "g_1", "g_2"})}
		switch {
		case d.percent(35):
			s.role = d.role(w)
		default:
			s.deny, s.permissions = d.percent(40), d.some(8)
		}
		if d.percent(50) {
			s.until = pick(d, edges)
			if d.percent(20) { // the same instant
				s.until = s.until.In(time.FixedZone("elsewhere", -5*60*60))
			}
		}
		statements = append(statements, s)
	}
	return statements
}

// permission draws one that is asked for.
func (d dice) permission() authz.Permission {
	if d.percent(3) {
		return pick(d, unlisted)
	}
	return pick(d, authz.Catalogue).Permission
}

// instant draws when a request comes.
func (d dice) instant() time.Time {
	return pick(d, edges).Add(time.Duration(d.IntN(3)-1) * time.Nanosecond)
}
