package authz

import (
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Statement is one thing that a subject was granted or denied, as it is compiled into the subject's record.
type Statement struct {
	// Grant is where it comes from; "" for what comes of itself: a key's scopes, a developer's role, a user's default role.
	Grant id.Grant
	// Deny turns it into a denial, which beats everything that allows.
	Deny bool
	// Role is the role that it gives, or "" and Set has the permissions.
	Role Role
	Set  Set
	// Group is the one group in which it holds; "" for the whole app.
	Group id.Group
	// Until is when it ends; zero for never.
	Until time.Time
}

// in tells whether the statement holds in the group at the time. What holds in the whole app holds in each of its groups.
func (s Statement) in(group id.Group, now time.Time) bool {
	return (s.Group == "" || s.Group == group) && (s.Until.IsZero() || now.Before(s.Until))
}

// Effect returns what the statement allows and denies, by itself or through its role.
func (s Statement) Effect(policy *Policy) Effect {
	switch {
	case s.Role != "" && !s.Deny:
		return policy.Role(s.Role)
	case s.Role != "":
		return Effect{}
	case s.Deny:
		return Effect{Deny: s.Set}
	}
	return Effect{Allow: s.Set}
}

// Effect is what something allows and what it denies.
type Effect struct{ Allow, Deny Set }

// Policy is what an app has decided for all its subjects: its own roles, and the roles that every user has.
type Policy struct {
	// Version counts its changes; 0 for an app that has decided nothing.
	Version int64
	// Roles are the app's own.
	Roles map[Role]Effect
	// Defaults are the roles of every user, from Version 1 on; before that it is Member.
	Defaults []Role
}

// Role returns what the role allows and denies, built-in or the app's own. A role that is gone does neither.
func (p *Policy) Role(role Role) Effect {
	if role.IsBuiltIn() {
		return Effect{Allow: role.Set()}
	}
	if p == nil {
		return Effect{}
	}
	return p.Roles[role]
}

// Has tells whether there is the role, built-in or the app's own.
func (p *Policy) Has(role Role) bool {
	if p == nil || role.IsBuiltIn() {
		return role.IsBuiltIn()
	}
	_, own := p.Roles[role]
	return own
}

// UserRoles returns the roles that every user has.
func (p *Policy) UserRoles() []Role {
	if p == nil || p.Version == 0 {
		return []Role{Member}
	}
	return p.Defaults
}

// Rights are what one subject may do.
type Rights struct {
	// Kind is what it is; it bounds what it can be allowed.
	Kind Kind
	// Base is what it may do of itself: a key's scopes, the permissions of a developer's role.
	Base Set
	// Statements are what it was granted and denied.
	Statements []Statement
	// Version counts the changes of Base and Statements, where they stand in an item of the subject's own, and a key's
	// replacement, which ends it; 0 for none yet.
	// Whoever decided by them finds out by it, when the decision takes effect, whether they still hold.
	Version int64
	// Used has, for permissions whose use was noted, the day of the last note, in days since 1970.
	Used map[Permission]int64
}

// Via says what made a decision.
type Via string

// What can make a decision. By default everything is denied.
const (
	ViaNothing Via = "default_deny"
	ViaBase    Via = "scopes"
	ViaDefault Via = "default_role"
	ViaGrant   Via = "grant"
	// ViaMember is a developer's role in the account.
	ViaMember Via = "account_role"
)

// Decision is the answer to whether a subject may do something.
type Decision struct {
	// Allowed is the answer.
	Allowed bool
	// Via says what made it, Statement which, for ViaGrant and ViaDefault.
	Via       Via
	Statement Statement
}

// Denies tells whether something denies it, and not only nothing allows it.
func (d Decision) Denies() bool { return !d.Allowed && d.Via != ViaNothing }

// Decide tells whether the subject has the permission in the group, or in the whole app for "", at the time. A denial that
// holds beats everything; without one, anything that allows is enough; else the answer is no.
func (r Rights) Decide(policy *Policy, permission Permission, group id.Group, now time.Time) Decision {
	want := SetOf(permission)
	decision := Decision{Via: ViaNothing}
	if r.Base&want != 0 {
		decision = Decision{Allowed: true, Via: ViaBase}
	}
	for via, statements := range r.all(policy) {
		for _, statement := range statements {
			if !statement.in(group, now) {
				continue
			}
			effect := statement.Effect(policy)
			if effect.Deny&want != 0 {
				return Decision{Via: via, Statement: statement}
			}
			if effect.Allow&want != 0 && !decision.Allowed {
				decision = Decision{Allowed: true, Via: via, Statement: statement}
			}
		}
	}
	if decision.Allowed && HeldBy(r.Kind)&want == 0 { // nobody of the kind can have it, whatever was granted
		return Decision{Via: ViaNothing}
	}
	return decision
}

// all yields the statements that the subject has by default, then its own.
func (r Rights) all(policy *Policy) func(func(Via, []Statement) bool) {
	return func(yield func(Via, []Statement) bool) {
		if r.Kind == Users {
			var defaults []Statement
			for _, role := range policy.UserRoles() {
				defaults = append(defaults, Statement{Role: role})
			}
			if !yield(ViaDefault, defaults) {
				return
			}
		}
		yield(ViaGrant, r.Statements)
	}
}

// Now returns all that the subject may do in the group, or in the whole app for "", at the time.
func (r Rights) Now(policy *Policy, group id.Group, now time.Time) Set {
	return setWhere(func(entry Entry) bool { return r.Decide(policy, entry.Permission, group, now).Allowed })
}

// Lasting returns what of Now can be handed on: what does not end by itself, for a right that ends on Friday must not live on
// in another's hands; and for the whole app what is denied in none of its groups, where another would have it too.
func (r Rights) Lasting(policy *Policy, group id.Group, now time.Time) Set {
	lasting := r
	lasting.Statements = slices.Clone(r.Statements)
	for i, statement := range lasting.Statements {
		elsewhere := group == "" && statement.Group != ""
		if !statement.Until.IsZero() || elsewhere { // what it denies still counts; a role may allow and deny
			statement.Set = statement.Effect(policy).Deny
			statement.Role, statement.Deny = "", true
		}
		if elsewhere {
			statement.Group = ""
		}
		lasting.Statements[i] = statement
	}
	return lasting.Now(policy, group, now)
}

// End returns when the subject stops having the permission in the whole app by itself; zero for never, and for a subject
// that does not have it.
func (r Rights) End(policy *Policy, permission Permission, now time.Time) time.Time {
	var end time.Time
	for at := now; r.Decide(policy, permission, "", at).Allowed; at = end {
		next := r.nextEnd(at)
		if next.IsZero() {
			return time.Time{}
		}
		end = next
	}
	return end
}

// nextEnd returns when the first of the statements ends that still hold at the time; zero where none ends.
func (r Rights) nextEnd(now time.Time) time.Time {
	var next time.Time
	for _, statement := range r.Statements {
		if statement.Until.After(now) && (next.IsZero() || statement.Until.Before(next)) {
			next = statement.Until
		}
	}
	return next
}
