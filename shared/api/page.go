package api

import (
	"context"

	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/id"
)

// PageQuery are the parameters of every list.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many items the page has at most."`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before; nothing for the first."`
}

// Page is the body of every list.
type Page[T any] struct {
	Items      []T    `json:"items" nullable:"false" doc:"The items."`
	NextCursor string `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last."`
}

// IdempotencyKey is the header of calls that create something.
type IdempotencyKey struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"128" doc:"Makes a repeated request find what the first one created."`
}

// Paged opens the cursor of the app's list, reads a page from its position on, and makes the next cursor. read returns
// the items and the next position, "" at the end. Items are never null.
func Paged[T any](ctx context.Context, signer cursor.Signer, app id.App, list, at string, read func(position string) ([]T, string, error)) (Page[T], error) {
	position, err := cursor.Decode(ctx, signer, app, list, at)
	if err != nil {
		return Page[T]{}, err
	}
	items, next, err := read(position)
	if err != nil {
		return Page[T]{}, err
	}
	if items == nil {
		items = []T{}
	}
	next, err = cursor.Encode(ctx, signer, app, list, next)
	return Page[T]{Items: items, NextCursor: next}, err
}
