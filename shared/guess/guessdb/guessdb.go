// Package guessdb keeps counters of guesses in DynamoDB: guess#<subject> / "-". The subject is a hash already.
package guessdb

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements guess.Store.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ guess.Store = (*Store)(nil)

// sortKey is the sort key of every counter: the table's keys have two parts.
const sortKey = "-"

type row struct {
	Key     string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Count   int    `dynamodbav:"count"`
	Next    int64  `dynamodbav:"next"` // milliseconds since 1970, 0 for none
	Version int64  `dynamodbav:"v"`
	Expires int64  `dynamodbav:"expires"` // seconds since 1970; the table's time to live
	// Write names the write that made the row.
	Write string `dynamodbav:"write"`
}

func partition(subject string) string { return "guess#" + subject }

// Get implements guess.Store.
func (s *Store) Get(ctx context.Context, subject string) (guess.Counter, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(partition(subject), sortKey), true, &found)
	if err != nil || !ok {
		return guess.Counter{Subject: subject}, err
	}
	counter := guess.Counter{Subject: subject, Count: found.Count, Version: found.Version,
		Expires: time.Unix(found.Expires, 0).UTC()}
	if found.Next != 0 {
		counter.Next = time.UnixMilli(found.Next).UTC()
	}
	return counter, nil
}

// Save implements guess.Store. A write whose answer was lost is tried again by the SDK and then finds itself in its own
// way: it knows its row by the name, so that one guess is not counted twice.
func (s *Store) Save(ctx context.Context, counter guess.Counter, ifVersion int64) error {
	next := row{Key: partition(counter.Subject), Sort: sortKey, Count: counter.Count, Version: ifVersion + 1,
		Expires: counter.Expires.Unix(), Write: rand.Text()}
	if !counter.Next.IsZero() {
		next.Next = counter.Next.UnixMilli()
	}
	condition, values := "attribute_not_exists(pk)", table.Item(nil)
	if ifVersion > 0 {
		condition, values = "v = :version", table.Item{":version": table.N(ifVersion)}
	}
	var standing row
	err := table.Put(ctx, s.DB, s.Table, next, condition, values, &standing)
	if errors.Is(err, table.ErrCondition) && standing != next {
		return guess.ErrChanged
	}
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}
