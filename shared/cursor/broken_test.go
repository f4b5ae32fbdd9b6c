package cursor_test

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
)

var errBroken = errors.New("no answer")

// brokenStore answers no read.
type brokenStore struct{ *sealtest.Store }

func (brokenStore) Latest(context.Context, id.App) (seal.DataKey, error) {
	return seal.DataKey{}, errBroken
}

func (brokenStore) Get(context.Context, id.App, uint32) (seal.DataKey, error) {
	return seal.DataKey{}, errBroken
}
