package oracle

import (
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// mistake is one that the decision could have.
type mistake string

// The mistakes.
const (
	none mistake = "none: the copy is true"

	untilInclusive     mistake = "the instant of the end counts still"
	untilIgnored       mistake = "what is allowed never ends"
	denialsNeverEnd    mistake = "denials never end"
	denialsIgnored     mistake = "denials do not count"
	roleDenialsIgnored mistake = "what a role denies does not count"
	defaultDenials     mistake = "what a default role denies does not count"
	denialsNotInGroups mistake = "a denial for the whole app does not count in its groups"
	groupDenialLeaks   mistake = "a denial for one group counts everywhere"
	groupLeaksToApp    mistake = "what is allowed in one group is allowed in the whole app"
	groupLeaksToOther  mistake = "what is allowed in one group is allowed in all groups, not in the app"
	appNotInGroups     mistake = "what is allowed in the whole app is not allowed in its groups"
	firstWins          mistake = "the first that says something decides"
	lastWins           mistake = "the last that says something decides"
	scopesBeatDenials  mistake = "scopes beat denials"
	defaultsIgnored    mistake = "default roles do not count"
	defaultsForAll     mistake = "keys and developers have the default roles too"
	memberAlways       mistake = "every user is a member, whatever the app has decided"
	noneMeansMember    mistake = "no default roles means Member"
	oldDefaults        mistake = "default roles count before the app has decided"
	kindIgnored        mistake = "nobody asks what a kind can have"
	deletedIsMember    mistake = "a deleted role is that of a member"
	builtInOnly        mistake = "the app's own roles give nothing"

	beyondIgnored   mistake = "the key is not asked for what reaches beyond"
	keyIsEnough     mistake = "for what reaches beyond, the key alone is asked"
	keyAlwaysAsked  mistake = "the key is asked for everything"
	userNeverAsked  mistake = "who acts for a user needs only the own right"
	userDenialsLost mistake = "what is denied to a user is not to who acts for it"
	userAlwaysAsked mistake = "who acts for a user needs what reaches beyond from the user too"
	applicationNot  mistake = "who acts for a user needs only the user's right"
	noAppNeeded     mistake = "a developer needs no app"
	appNeededAlways mistake = "a developer needs an app for everything"
	policyForgotten mistake = "callers are judged without the app's policy"
	userGroupLost   mistake = "users are judged for the whole app only"
)

// mistakes are all of them.
var mistakes = []mistake{
	untilInclusive, untilIgnored, denialsNeverEnd, denialsIgnored, roleDenialsIgnored, defaultDenials, denialsNotInGroups, groupDenialLeaks,
	groupLeaksToApp, groupLeaksToOther, appNotInGroups, firstWins, lastWins, scopesBeatDenials, defaultsIgnored, defaultsForAll, memberAlways,
	noneMeansMember, oldDefaults, kindIgnored, deletedIsMember, builtInOnly, beyondIgnored, keyIsEnough, keyAlwaysAsked, userNeverAsked,
	userDenialsLost, userAlwaysAsked, applicationNot, noAppNeeded, appNeededAlways, policyForgotten, userGroupLost,
}

// decide is a copy of the product's decision with the mistake in it.
func (m mistake) decide(rights authz.Rights, policy *authz.Policy, permission authz.Permission, group id.Group, now time.Time) authz.Decision {
	want := authz.SetOf(permission)
	may := rights.Base&want != 0
	if may && m == scopesBeatDenials {
		return authz.Decision{Allowed: authz.HeldBy(rights.Kind)&want != 0}
	}
	defaults := m.defaults(rights.Kind, policy)
	for number, statement := range slices.Concat(defaults, rights.Statements) {
		effect := m.effect(statement, policy)
		if m == defaultDenials && number < len(defaults) {
			effect.Deny = 0
		}
		allows := effect.Allow&want != 0 && m.holds(statement, false, group, now)
		denies := effect.Deny&want != 0 && m.holds(statement, true, group, now)
		switch {
		case m == firstWins && !may && allows && !denies:
			return authz.Decision{Allowed: authz.HeldBy(rights.Kind)&want != 0}
		case m == lastWins && denies:
			may = false
		case denies:
			return authz.Decision{Via: authz.ViaGrant}
		}
		may = may || allows && !denies
	}
	return authz.Decision{Allowed: may && (m == kindIgnored || authz.HeldBy(rights.Kind)&want != 0)}
}

// holds tells whether what the statement denies, or allows, holds then and there.
func (m mistake) holds(statement authz.Statement, denial bool, group id.Group, now time.Time) bool {
	return m.inGroup(statement, denial, group) && m.inTime(statement, denial, now)
}

func (m mistake) inGroup(statement authz.Statement, denial bool, group id.Group) bool {
	whole := statement.Group == ""
	switch {
	case m == denialsNotInGroups && denial && whole, m == appNotInGroups && !denial && whole:
		return group == ""
	case m == groupDenialLeaks && denial, m == groupLeaksToApp && !denial && group == "", m == groupLeaksToOther && !denial && group != "":
		return true
	}
	return whole || statement.Group == group
}

func (m mistake) inTime(statement authz.Statement, denial bool, now time.Time) bool {
	switch {
	case m == denialsNeverEnd && denial, m == untilIgnored && !denial:
		return true
	case m == untilInclusive:
		return statement.Until.IsZero() || !now.After(statement.Until)
	}
	return statement.Until.IsZero() || now.Before(statement.Until)
}

// effect returns what the statement allows and denies.
func (m mistake) effect(statement authz.Statement, policy *authz.Policy) authz.Effect {
	var effect authz.Effect
	switch {
	case statement.Role == "" && statement.Deny:
		effect.Deny = statement.Set
	case statement.Role == "":
		effect.Allow = statement.Set
	default:
		effect = m.role(statement.Role, policy)
	}
	if m == denialsIgnored {
		effect.Deny = 0
	}
	return effect
}

func (m mistake) role(role authz.Role, policy *authz.Policy) authz.Effect {
	if role.IsBuiltIn() {
		return authz.Effect{Allow: role.Set()}
	}
	var effect authz.Effect
	if policy != nil && m != builtInOnly {
		own, there := policy.Roles[role]
		if effect = own; !there && m == deletedIsMember {
			effect.Allow = authz.Member.Set()
		}
	}
	if m == roleDenialsIgnored {
		effect.Deny = 0
	}
	return effect
}

// defaults returns the statements of the default roles.
func (m mistake) defaults(kind authz.Kind, policy *authz.Policy) []authz.Statement {
	if kind != authz.Users && m != defaultsForAll || m == defaultsIgnored {
		return nil
	}
	roles := []authz.Role{authz.Member}
	if policy != nil && (policy.Version > 0 || m == oldDefaults) {
		roles = policy.Defaults
		if m == memberAlways || m == noneMeansMember && len(roles) == 0 {
			roles = append([]authz.Role{authz.Member}, roles...)
		}
	}
	var statements []authz.Statement
	for _, role := range roles {
		statements = append(statements, authz.Statement{Role: role})
	}
	return statements
}

// requireIn is a copy of the product's, with the mistake in it.
func (m mistake) requireIn(caller authz.Caller, permission authz.Permission, group id.Group) error {
	entry, _ := authz.Lookup(permission)
	policy := caller.Policy
	if m == policyForgotten {
		policy = nil
	}
	application := m.decide(caller.Rights, policy, permission, group, caller.At).Allowed
	if m == userGroupLost {
		group = ""
	}
	user := m.decide(caller.UserRights, policy, permission, group, caller.At)
	acted := caller.User != "" && !caller.EndUser && entry.Holders&authz.Users != 0 && m != userNeverAsked && m != userDenialsLost
	if !m.may(caller, entry, application, user.Allowed) || acted && user.Via == authz.ViaGrant && !user.Allowed {
		return fault.New(fault.PermissionDenied, "somebody", string(permission))
	}
	if caller.Developer != "" && caller.App.IsZero() && m != noAppNeeded && (entry.InApp() || m == appNeededAlways) {
		return fault.New(fault.AppNotChosen)
	}
	return nil
}

// may puts the two decisions together.
func (m mistake) may(caller authz.Caller, entry authz.Entry, application, user bool) bool {
	switch {
	case caller.EndUser && m == keyIsEnough && entry.Beyond:
		return application
	case caller.EndUser && m != beyondIgnored && (entry.Beyond || m == keyAlwaysAsked):
		return user && application
	case caller.EndUser:
		return user
	case caller.User == "" || m == userNeverAsked || entry.Holders&authz.Users == 0 || entry.Beyond && m != userAlwaysAsked:
		return application
	}
	return user && (application || m == applicationNot)
}
