// Package authzdb says how rights and policies stand in the items of subjects: what other stores read along with a
// credential, and what package accessdb writes.
package authzdb

import (
	"maps"
	"slices"
	"strconv"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Rights are the attributes of a subject's item, to be embedded in its row.
type Rights struct {
	// Statements are what the subject was granted and denied, ChangedAt is when that was changed last. Version counts those
	// changes, the changes of a key's scopes, and its replacement.
	Statements []Statement `dynamodbav:"grants,omitempty"`
	Version    int64       `dynamodbav:"grants_version,omitempty"`
	ChangedAt  int64       `dynamodbav:"grants_at,omitempty"`
	// Used has the day of the last note of each permission's use, by the permission's bit.
	Used map[string]int64 `dynamodbav:"used,omitempty"`
}

// Statement is an authz.Statement. Its names are short: an item has up to access.MaxGrants of them.
type Statement struct {
	Grant string    `dynamodbav:"g"`
	Deny  bool      `dynamodbav:"d,omitempty"`
	Role  string    `dynamodbav:"r,omitempty"`
	Set   authz.Set `dynamodbav:"s,omitempty"`
	Group string    `dynamodbav:"c,omitempty"`
	Until int64     `dynamodbav:"u,omitempty"`
}

// Policy is an authz.Policy.
type Policy struct {
	Version  int64             `dynamodbav:"v"`
	Roles    map[string]Effect `dynamodbav:"r,omitempty"`
	Defaults []string          `dynamodbav:"u,omitempty"`
}

// Effect is an authz.Effect.
type Effect struct {
	Allow authz.Set `dynamodbav:"a,omitempty"`
	Deny  authz.Set `dynamodbav:"d,omitempty"`
}

// Decode returns the rights of a subject of the kind that may do base of itself.
func (r Rights) Decode(kind authz.Kind, base authz.Set) authz.Rights {
	rights := authz.Rights{Kind: kind, Base: base, Version: r.Version}
	for _, s := range r.Statements {
		rights.Statements = append(rights.Statements, authz.Statement{Grant: id.Grant(s.Grant), Deny: s.Deny,
			Role: authz.Role(s.Role), Set: s.Set, Group: id.Group(s.Group), Until: table.Instant(s.Until)})
	}
	for _, entry := range authz.Catalogue {
		if day, noted := r.Used[Bit(entry.Permission)]; noted {
			if rights.Used == nil {
				rights.Used = map[authz.Permission]int64{}
			}
			rights.Used[entry.Permission] = day
		}
	}
	return rights
}

// AsRead is the condition that the rights in an item are those of the version, and the values of its placeholders.
func AsRead(version int64) (condition string, values table.Item) {
	if version == 0 {
		return "attribute_not_exists(grants_version)", table.Item{}
	}
	return "grants_version = :seen_rights", table.Item{":seen_rights": table.N(version)}
}

// Bit is the permission's name in the attribute "used".
func Bit(permission authz.Permission) string {
	entry, _ := authz.Lookup(permission)
	return strconv.Itoa(int(entry.Bit))
}

// Statements returns how the statements are kept.
func Statements(statements []authz.Statement) []Statement {
	kept := []Statement{}
	for _, s := range statements {
		kept = append(kept, Statement{Grant: string(s.Grant), Deny: s.Deny, Role: string(s.Role), Set: s.Set,
			Group: string(s.Group), Until: table.Millis(s.Until)})
	}
	return kept
}

// NewPolicy returns how the policy is kept.
func NewPolicy(policy authz.Policy) Policy {
	kept := Policy{Version: policy.Version, Roles: map[string]Effect{}}
	for role, effect := range policy.Roles {
		kept.Roles[string(role)] = Effect{Allow: effect.Allow, Deny: effect.Deny}
	}
	for _, role := range policy.Defaults {
		kept.Defaults = append(kept.Defaults, string(role))
	}
	return kept
}

// Decode returns the policy.
func (p Policy) Decode() authz.Policy {
	policy := authz.Policy{Version: p.Version}
	for _, role := range slices.Sorted(maps.Keys(p.Roles)) {
		if policy.Roles == nil {
			policy.Roles = map[authz.Role]authz.Effect{}
		}
		policy.Roles[authz.Role(role)] = authz.Effect{Allow: p.Roles[role].Allow, Deny: p.Roles[role].Deny}
	}
	for _, role := range p.Defaults {
		policy.Defaults = append(policy.Defaults, authz.Role(role))
	}
	return policy
}
