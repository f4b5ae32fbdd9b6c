// Package apitest has what tests of routes share.
package apitest

import (
	"context"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
)

// Everybody implements api.Authenticator: every credential is the caller's.
type Everybody struct{ Caller authz.Caller }

var _ api.Authenticator = Everybody{}

// Key implements api.Authenticator.
func (e Everybody) Key(context.Context, string, authz.Request) (authz.Caller, error) {
	return e.Caller, nil
}

// Token implements api.Authenticator.
func (e Everybody) Token(context.Context, string, authz.Request) (authz.Caller, error) {
	return e.Caller, nil
}

// Session implements api.Authenticator.
func (e Everybody) Session(context.Context, string, authz.Request) (authz.Caller, error) {
	return e.Caller, nil
}

// Note implements api.Authenticator.
func (Everybody) Note(context.Context, authz.Caller, authz.Asked) {}
