package apikey

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Grants keeps what keys were granted and denied. Package access does.
type Grants interface {
	// Carry makes, for everything that the key to was granted and denied in the place of the key from, the grant that tells
	// of it, by the origin. What there is already stays as it is: it may be called again.
	Carry(ctx context.Context, app id.App, from, to id.Key, origin record.Origin) error
}

// handedTo returns the rights of the key's replacement. What it was granted and denied comes into force in the transaction
// that makes the new key, so there is no moment without a denial; Carry tells of it behind that.
func (k Key) handedTo(made Key) authz.Rights {
	rights := RightsOf(k.Scopes)
	for _, statement := range k.lasting(made.CreatedAt) {
		statement.Grant = id.DeriveGrant(made.App, "carried", string(made.ID), string(statement.Grant))
		rights.Statements = append(rights.Statements, statement)
		rights.Version = 1
	}
	return rights
}

// lasting returns the statements that have not ended.
func (k Key) lasting(now time.Time) (statements []authz.Statement) {
	for _, statement := range k.Rights.Statements {
		if statement.Until.IsZero() || now.Before(statement.Until) {
			statements = append(statements, statement)
		}
	}
	return statements
}

// reach returns all that the key may do in the app or in any group of it, or might as soon as a denial falls: what whoever
// gets its replacement has in hand.
func (k Key) reach(now time.Time) []string {
	reach := k.Rights.Base
	for _, statement := range k.lasting(now) {
		reach |= statement.Effect(&k.Policy).Allow & authz.HeldBy(authz.Keys)
	}
	return reach.Names()
}

// carry has the grants of the new key made. It is done again for a repeated request: the first may have died before.
func (s *Service) carry(ctx context.Context, made Key, maker Maker) error {
	if s.Grants == nil || len(made.Rights.Statements) == 0 {
		return nil
	}
	return s.Grants.Carry(ctx, made.App, made.RotatedFrom, made.ID, maker.origin())
}
