// Package access has what an app decides about who may do what: its own roles, what it grants and denies to keys and users,
// and the answers to who may do something, since when, by whose hand, and whether it is still used.
//
// A grant is a row of its own; what of it counts for decisions is compiled into its subject's item in the same transaction,
// together with a record. Roles and the defaults of users are one Book per app; its Policy is copied into each of the app's
// keys, which every request reads anyway.
package access

import (
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// MaxGrants is how many grants a subject may have that have not ended: its item stays within the 4 KB of one read unit.
	MaxGrants = 32
	// MaxRoles is how many roles an app may have, for the same reason: each key carries them.
	MaxRoles = 50
	// MaxBulk is how many grants one call makes or revokes.
	MaxBulk = 100
	// keptFor is how long the row of a grant that has ended is kept, so that a repeated request finds it. The records keep
	// what it was for good.
	keptFor = 30 * 24 * time.Hour
)

// Grant is something that a subject was granted or denied.
type Grant struct {
	ID  id.Grant
	App id.App
	// Subject is who: a key or a user.
	Subject string
	// Statement is what; its Grant is ID.
	Statement authz.Statement
	// CreatedAt is when, CreatedBy by whom: a key, a developer or a user. Reason is why, in their words.
	CreatedAt time.Time
	CreatedBy string
	Reason    string
	// Fingerprint is that of the request that made it, by which a repeated one is known.
	Fingerprint string
	// RevokedAt is when it was revoked, RevokedBy by whom; zero for not.
	RevokedAt time.Time
	RevokedBy string
}

// EndedAt returns when the grant stops counting: at its revocation or its own end; zero for never.
func (g Grant) EndedAt() time.Time {
	if !g.RevokedAt.IsZero() {
		return g.RevokedAt
	}
	return g.Statement.Until
}

// Ended tells whether it counts no more at the time.
func (g Grant) Ended(now time.Time) bool {
	end := g.EndedAt()
	return !end.IsZero() && !now.Before(end)
}

// KeptUntil returns when the row may be swept; zero for never.
func (g Grant) KeptUntil() time.Time {
	if end := g.EndedAt(); !end.IsZero() {
		return end.Add(keptFor)
	}
	return time.Time{}
}

// Role is a role of an app's own.
type Role struct {
	ID   authz.Role
	Name string
	// Description is for people.
	Description string
	authz.Effect
	CreatedAt time.Time
	CreatedBy string
	// ChangedAt is when it was changed last.
	ChangedAt time.Time
	// Request names the request that made it, by its maker and Idempotency-Key; "" without one. Fingerprint is that of what
	// it asked for.
	Request, Fingerprint string
}

// Book is all that an app has decided for all its subjects.
type Book struct {
	// Version counts the changes; 0 for none yet.
	Version int64
	// Roles are the app's own, by ID.
	Roles []Role
	// Defaults are the roles that every user has, from Version 1 on; before that, Member.
	Defaults []authz.Role
	// ChangedAt is when it was changed last.
	ChangedAt time.Time
}

// Policy is what of the book counts for decisions.
func (b Book) Policy() authz.Policy {
	policy := authz.Policy{Version: b.Version, Defaults: b.Defaults, Roles: map[authz.Role]authz.Effect{}}
	for _, role := range b.Roles {
		policy.Roles[role.ID] = role.Effect
	}
	return policy
}

// Find returns the role of the ID.
func (b Book) Find(role authz.Role) (Role, bool) {
	for _, each := range b.Roles {
		if each.ID == role {
			return each, true
		}
	}
	return Role{}, false
}

// made returns the role that the request made.
func (b Book) made(request string) (Role, bool) {
	for _, each := range b.Roles {
		if request != "" && each.Request == request {
			return each, true
		}
	}
	return Role{}, false
}

// Named returns the role of the name, "" for a built-in one.
func (b Book) Named(name string) (authz.Role, bool) {
	if authz.Role(name).IsBuiltIn() {
		return authz.Role(name), true
	}
	for _, each := range b.Roles {
		if each.Name == name || string(each.ID) == name {
			return each.ID, true
		}
	}
	return "", false
}

// Subject is a key or a user as far as rights go.
type Subject struct {
	// ID is the key or the user, Name its name.
	ID, Name string
	// Rights are what it may do, ChangedAt is when its statements were changed last.
	Rights    authz.Rights
	ChangedAt time.Time
	// Epoch is the token epoch of a user; 0 for keys.
	Epoch int64
	// Policy is the copy of the app's policy that a key has, by which its requests are judged; none for users.
	Policy authz.Policy
	// CreatedAt is when the subject came to be, CreatedBy who made a key, "" where nobody did.
	CreatedAt time.Time
	CreatedBy string
	// EndedAt is when a key stopped or stops working; zero for never, and for users.
	EndedAt time.Time
	// UsedAt is when a key was used last; zero for never, and for users.
	UsedAt time.Time
}
