package oracle

import (
	"slices"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// The classes of cases. A million cases would prove little if most of them were refused for want of anything: each class
// has to be met often.
const (
	elsewhere      = "denied: holds in another group only"
	expired        = "denied: has ended"
	wrongKind      = "denied: nobody of the kind can have it"
	deletedRole    = "denied: has a role that was deleted"
	nothing        = "denied: nothing was said"
	unknown        = "denied: no such permission"
	denialElse     = "allowed: denied in another group only"
	denialOver     = "allowed: the denial has ended"
	keyLacks       = "end user: may, but the key lacks what reaches beyond"
	keyHas         = "end user: may, and the key has what reaches beyond"
	keyNotAsked    = "end user: may, whatever the key has"
	userLacks      = "acting: the application may, the user may not"
	userNotAsked   = "acting: the application may, whatever the user may"
	userDenied     = "acting: the application may, to the user it is denied"
	bothMay        = "acting: both may"
	appNotChosen   = "developer: may, but has chosen no app"
	allowedOnly    = "allowed by nothing but: "
	deniedAlthough = "denied, although allowed, by nothing but: "
)

// classes are all that have to be met.
var classes = []string{elsewhere, expired, wrongKind, deletedRole, nothing, unknown, denialElse, denialOver,
	keyLacks, keyHas, keyNotAsked, userLacks, userNotAsked, userDenied, bothMay, appNotChosen,
	allowedOnly + byScopes, allowedOnly + byMember, allowedOnly + byDefault, allowedOnly + byGrant, allowedOnly + byRole,
	deniedAlthough + byDefault, deniedAlthough + byGrant, deniedAlthough + byRole}

// tally counts the cases of each class.
type tally map[string]int

// subject counts the answer about one subject. What would be otherwise at another time or in another group is asked of
// Cedar.
func (seen tally) subject(j judge, r request, a answer) {
	switch {
	case a.may:
		seen.allowed(j, r, a)
	case a.explicit():
		if origin := a.only(); origin != "" && j.askOf(append(slices.Clone(j.permits), j.policies[0]), r).may {
			seen[deniedAlthough+origin]++
		}
	default:
		seen[j.missing(r)]++
	}
}

func (seen tally) allowed(j judge, r request, a answer) {
	if origin := a.only(); origin != "" {
		seen[allowedOnly+origin]++
	}
	if j.ask(request{r.permission, r.group, early}).explicit() {
		seen[denialOver]++
	}
	if j.otherGroup(r, answer.explicit) {
		seen[denialElse]++
	}
}

// missing says why nothing allows it.
func (j judge) missing(r request) string {
	switch _, known := authz.Lookup(r.permission); {
	case !known:
		return unknown
	case j.askOf(j.unkind, r).may:
		return wrongKind
	case j.ask(request{r.permission, r.group, early}).may:
		return expired
	case j.otherGroup(r, func(a answer) bool { return a.may }):
		return elsewhere
	case slices.ContainsFunc(j.of.statements, func(s statement) bool {
		return slices.Contains(gone, s.role) && (s.group == "" || s.group == r.group) && (s.until.IsZero() || r.now.Before(s.until))
	}):
		return deletedRole
	}
	return nothing
}

// otherGroup tells whether the answer is such in another group.
func (j judge) otherGroup(r request, is func(answer) bool) bool {
	return slices.ContainsFunc(groups, func(other id.Group) bool {
		return other != r.group && is(j.ask(request{r.permission, other, r.now}))
	})
}

// caller counts how the two answers come together.
func (seen tally) caller(w world, permission authz.Permission, application, user answer) {
	entry, _ := authz.Lookup(permission)
	both := entry.Holders&authz.Users != 0 && !entry.Beyond
	switch {
	case w.how == endUser && user.may && entry.Beyond && application.may:
		seen[keyHas]++
	case w.how == endUser && user.may && entry.Beyond:
		seen[keyLacks]++
	case w.how == endUser && user.may && !application.may:
		seen[keyNotAsked]++
	case w.how == actingFor && application.may && both && user.may:
		seen[bothMay]++
	case w.how == actingFor && application.may && both:
		seen[userLacks]++
	case w.how == actingFor && application.may && user.explicit() && entry.Holders&authz.Users != 0:
		seen[userDenied]++
	case w.how == actingFor && application.may && !user.may:
		seen[userNotAsked]++
	}
	if w.verdict(permission, application, user) == notChosen {
		seen[appNotChosen]++
	}
}
