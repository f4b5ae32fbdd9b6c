package oracle

import (
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// app is the tenant of all worlds.
var app = id.Source{}.App()

// policy puts what the app has decided into the product's form; it is nil where nobody has decided anything.
func (w world) policy() *authz.Policy {
	if w.version == 0 && len(w.defaults) == 0 {
		return nil
	}
	policy := &authz.Policy{Version: w.version, Defaults: w.defaults, Roles: map[authz.Role]authz.Effect{}}
	for _, role := range w.roles {
		policy.Roles[role.name] = authz.Effect{Allow: authz.SetOf(role.allow...), Deny: authz.SetOf(role.deny...)}
	}
	return policy
}

// rights puts a subject into the product's form.
func (s subject) rights() authz.Rights {
	rights := authz.Rights{Kind: s.kind, Base: authz.SetOf(s.scopes...)}
	if s.kind == authz.Developers {
		rights.Base, _ = authz.ParseSet(authz.RoleScopes(s.member))
	}
	for _, each := range s.statements {
		rights.Statements = append(rights.Statements, authz.Statement{Grant: each.grant, Deny: each.deny, Role: each.role,
			Set: authz.SetOf(each.permissions...), Group: each.group, Until: each.until})
	}
	return rights
}

// caller puts who is calling into the product's form.
func (w world) caller() authz.Caller {
	caller := authz.Caller{App: app, Key: id.Key(w.application.name), Rights: w.application.rights(), Policy: w.policy()}
	if w.application.kind == authz.Developers {
		caller.Key, caller.Developer = "", id.Developer(w.application.name)
		if !w.chosen {
			caller.App = id.App{}
		}
	}
	if w.how != alone {
		caller.EndUser, caller.User, caller.UserRights = w.how == endUser, id.User(w.user.name), w.user.rights()
	}
	return caller
}

// verdict is the answer to a request.
type verdict string

const (
	allowed   verdict = "allowed"
	denied    verdict = "denied"
	notChosen verdict = "allowed, but no app chosen"
)

// verdictOf reads the answer of RequireIn.
func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return allowed
	case fault.Is(err, fault.PermissionDenied):
		return denied
	case fault.Is(err, fault.AppNotChosen):
		return notChosen
	}
	return verdict(err.Error())
}

// product is what is compared with Cedar: the product itself, or a copy of it with a mistake.
type product interface {
	decide(rights authz.Rights, policy *authz.Policy, permission authz.Permission, group id.Group, now time.Time) authz.Decision
	requireIn(caller authz.Caller, permission authz.Permission, group id.Group) error
}

// real is the product itself.
type real struct{}

func (real) decide(rights authz.Rights, policy *authz.Policy, permission authz.Permission, group id.Group, now time.Time) authz.Decision {
	return rights.Decide(policy, permission, group, now)
}

func (real) requireIn(caller authz.Caller, permission authz.Permission, group id.Group) error {
	return caller.RequireIn(permission, group)
}
