package oracle

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// What Cedar's policies come from. A policy's ID is its origin and, for a statement, a space and the grant.
const (
	byScopes  = "scopes"
	byMember  = "account role"
	byDefault = "default role"
	byGrant   = "grant"
	byRole    = "role"
	byKind    = "kind"
)

// kinds name the kinds of subjects in Cedar.
var kinds = map[authz.Kind]cedar.EntityType{authz.Developers: "Developer", authz.Keys: "Key", authz.Users: "User"}

// rule is one of Cedar's policies.
type rule struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

// rules are those that are evaluated together.
type rules []rule

// All is what Cedar asks of a set of policies.
func (r rules) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, each := range r {
			if !yield(each.id, each.policy) {
				return
			}
		}
	}
}

// String writes the rules in Cedar's language.
func (r rules) String() string {
	var text strings.Builder
	for _, each := range r {
		fmt.Fprintf(&text, "// %s\n%s\n", each.id, each.policy.MarshalCedar())
	}
	return text.String()
}

func (r *rules) add(origin string, grant id.Grant, policy *ast.Policy) {
	name := strings.TrimSuffix(origin+" "+string(grant), " ")
	*r = append(*r, rule{cedar.PolicyID(name), cedar.NewPolicyFromAST(policy)})
}

func action[T ~string](name T) cedar.EntityUID {
	return cedar.NewEntityUID("Action", cedar.String(name))
}
func allows(role authz.Role) cedar.EntityUID { return action(role + " allows") }
func denies(role authz.Role) cedar.EntityUID { return action(role + " denies") }
func has(role authz.Role) cedar.EntityUID    { return cedar.NewEntityUID("Role", cedar.String(role)) }
func heldBy(kind authz.Kind) cedar.EntityUID { return action("held by " + string(kinds[kind])) }
func (s subject) uid() cedar.EntityUID {
	return cedar.NewEntityUID(kinds[s.kind], cedar.String(s.name))
}

// place is the resource: the app, or a group in it.
func place(group id.Group) cedar.EntityUID {
	if group == "" {
		return cedar.NewEntityUID("App", "app")
	}
	return cedar.NewEntityUID("Group", cedar.String(group))
}

// actions puts permissions into Cedar's form.
func actions(permissions []authz.Permission) []cedar.EntityUID {
	var uids []cedar.EntityUID
	for _, permission := range permissions {
		uids = append(uids, action(permission))
	}
	return uids
}

// userDefaults are the roles that every user has: the app's, and Member as long as it has decided nothing.
func (w world) userDefaults() []authz.Role {
	if w.version == 0 {
		return []authz.Role{authz.Member}
	}
	return w.defaults
}

// entities are the subjects with their roles, the actions with the groups that they are in, and the places.
func (w world) entities() cedar.EntityMap {
	parents := map[authz.Permission][]cedar.EntityUID{}
	for _, role := range w.roles {
		for _, permission := range role.allow {
			parents[permission] = append(parents[permission], allows(role.name))
		}
		for _, permission := range role.deny {
			parents[permission] = append(parents[permission], denies(role.name))
		}
	}
	entities := cedar.EntityMap{}
	add := func(uid cedar.EntityUID, in ...cedar.EntityUID) {
		entities[uid] = cedar.Entity{UID: uid, Parents: cedar.NewEntityUIDSet(in...)}
	}
	for _, entry := range authz.Catalogue {
		add(action(entry.Permission), append(parents[entry.Permission], catalogued[entry.Permission]...)...)
	}
	for _, group := range groups[1:] {
		add(place(group), place(""))
	}
	add(w.application.uid(), has("account "+w.application.member))
	var defaults []cedar.EntityUID
	for _, role := range w.userDefaults() {
		defaults = append(defaults, has(role))
	}
	add(w.user.uid(), defaults...)
	return entities
}

// catalogued has the groups of actions in which the catalogue puts each permission.
var catalogued = func() map[authz.Permission][]cedar.EntityUID {
	parents := map[authz.Permission][]cedar.EntityUID{}
	for _, entry := range authz.Catalogue {
		for kind := range kinds {
			if entry.Holders&kind != 0 {
				parents[entry.Permission] = append(parents[entry.Permission], heldBy(kind))
			}
		}
		for _, role := range entry.Roles {
			parents[entry.Permission] = append(parents[entry.Permission], allows(role))
		}
	}
	return parents
}()

// policies returns the rules about the subject.
func (w world) policies(of subject) rules {
	var rules rules
	rules.add(byKind, "", ast.Forbid().PrincipalIs(kinds[of.kind]).Unless(ast.Action().In(ast.Value(heldBy(of.kind)))))
	switch of.kind {
	case authz.Keys:
		rules.add(byScopes, "", ast.Permit().PrincipalEq(of.uid()).ActionInSet(actions(of.scopes)...))
	case authz.Developers:
		for _, member := range []authz.Role{authz.Owner, authz.Admin, authz.Auditor} {
			rules.add(byMember, "", ast.Permit().PrincipalIn(has("account "+member)).ActionIn(allows(member)))
		}
	case authz.Users:
		for _, role := range w.userDefaults() {
			rules.add(byDefault, "", ast.Permit().PrincipalIn(has(role)).ActionIn(allows(role)))
			rules.add(byDefault, "", ast.Forbid().PrincipalIn(has(role)).ActionIn(denies(role)))
		}
	}
	for _, statement := range of.statements {
		statement.addTo(&rules, of)
	}
	return rules
}

// addTo adds what the statement says of the subject.
func (s statement) addTo(rules *rules, of subject) {
	scope := func(policy *ast.Policy) *ast.Policy {
		policy = policy.PrincipalEq(of.uid()).ResourceIn(place(s.group))
		if !s.until.IsZero() {
			policy = policy.When(ast.Context().Access("now").LessThan(ast.Long(s.until.UnixNano())))
		}
		return policy
	}
	switch {
	case s.role != "":
		rules.add(byRole, s.grant, scope(ast.Permit()).ActionIn(allows(s.role)))
		rules.add(byRole, s.grant, scope(ast.Forbid()).ActionIn(denies(s.role)))
	case s.deny:
		rules.add(byGrant, s.grant, scope(ast.Forbid()).ActionInSet(actions(s.permissions)...))
	default:
		rules.add(byGrant, s.grant, scope(ast.Permit()).ActionInSet(actions(s.permissions)...))
	}
}

// at is the context of a request: nanoseconds since 1970.
func at(now time.Time) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{"now": cedar.Long(now.UnixNano())})
}
