package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// judge asks Cedar what one subject may do.
type judge struct {
	of subject
	// rights are the same for the product.
	rights   authz.Rights
	entities cedar.EntityMap
	// policies are all about the subject; unkind leaves out what a kind can have.
	policies, permits, unkind rules
	// known are answers that were given before.
	known map[request]answer
}

func (w world) judge(of subject, entities cedar.EntityMap) judge {
	j := judge{of: of, rights: of.rights(), entities: entities, policies: w.policies(of), known: map[request]answer{}}
	for _, each := range j.policies {
		if each.policy.Effect() == cedar.Permit {
			j.permits = append(j.permits, each)
		}
		if each.id != byKind {
			j.unkind = append(j.unkind, each)
		}
	}
	return j
}

// request is what is asked.
type request struct {
	permission authz.Permission
	group      id.Group
	now        time.Time
}

// answer is Cedar's: whether the subject may, and which policies say so.
type answer struct {
	may     bool
	reasons []reason
}

// reason is what a policy came from.
type reason struct {
	origin string
	grant  id.Grant
}

// ask asks of all policies.
func (j judge) ask(r request) answer {
	answer, known := j.known[r]
	if !known {
		answer = j.askOf(j.policies, r)
		j.known[r] = answer
	}
	return answer
}

// askOf asks of some of the policies. An error would make Cedar leave a policy out, which must not go unseen.
func (j judge) askOf(policies rules, r request) answer {
	decision, diagnostic := cedar.Authorize(policies, j.entities,
		cedar.Request{Principal: j.of.uid(), Action: action(r.permission), Resource: place(r.group), Context: at(r.now)})
	if len(diagnostic.Errors) > 0 {
		panic(fmt.Sprint("Cedar cannot evaluate a policy: ", diagnostic.Errors))
	}
	answer := answer{may: decision == cedar.Allow}
	for _, each := range diagnostic.Reasons {
		origin, grant := string(each.PolicyID), ""
		if at := strings.Index(origin, " gr_"); at >= 0 {
			origin, grant = origin[:at], origin[at+1:]
		}
		answer.reasons = append(answer.reasons, reason{origin, id.Grant(grant)})
	}
	return answer
}

// only returns the one origin of all the reasons, kind left aside, and "" where there are several or none.
func (a answer) only() string {
	var origins []string
	for _, each := range a.reasons {
		if each.origin != byKind && !slices.Contains(origins, each.origin) {
			origins = append(origins, each.origin)
		}
	}
	if len(origins) != 1 {
		return ""
	}
	return origins[0]
}

// explicit tells whether something denies it that was decided about the app or the subject.
func (a answer) explicit() bool {
	return !a.may && slices.ContainsFunc(a.reasons, func(r reason) bool { return r.origin != byKind })
}

// from tells whether one of the reasons is of the origin, and of the grant where there is one.
func (a answer) from(grant id.Grant, origins ...string) bool {
	return slices.ContainsFunc(a.reasons, func(r reason) bool { return r.grant == grant && slices.Contains(origins, r.origin) })
}

// verdict puts the answers about the application and the user together, as the rules of callers have it: an end user
// needs the permission, and its key too where that reaches beyond the user's own data; whoever acts for a user needs that
// both may, for what is the user's own, and for the rest that it is not denied to the user; a developer needs an app for what is
// done in one.
func (w world) verdict(permission authz.Permission, application, user answer) verdict {
	entry, _ := authz.Lookup(permission)
	users, may := entry.Holders&authz.Users != 0, application.may
	switch {
	case w.how == endUser:
		may = user.may && (application.may || !entry.Beyond)
	case w.how == actingFor && users && !entry.Beyond:
		may = application.may && user.may
	case w.how == actingFor && users:
		may = application.may && !user.explicit()
	}
	switch {
	case !may:
		return denied
	case w.application.kind == authz.Developers && !w.chosen && (users || entry.Holders&authz.Keys != 0):
		return notChosen
	}
	return allowed
}
