package api

// PageQuery are the parameters of every list.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many items the page has at most."`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before; nothing for the first."`
}

// Page is the body of every list.
type Page[T any] struct {
	Items      []T    `json:"items" doc:"The items."`
	NextCursor string `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last."`
}

// IdempotencyKey is the header of calls that create something.
type IdempotencyKey struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"128" doc:"Makes a repeated request find what the first one created."`
}

// NewPage returns a page whose items are never null.
func NewPage[T any](items []T, nextCursor string) Page[T] {
	if items == nil {
		items = []T{}
	}
	return Page[T]{Items: items, NextCursor: nextCursor}
}
