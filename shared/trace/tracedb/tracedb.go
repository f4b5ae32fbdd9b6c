// Package tracedb keeps failed pushes in DynamoDB, among the client-ID records: both are what a send leaves for seven days.
package tracedb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/trace"
)

// Store implements trace.Store. Key: app#conversation#sequence#trace#user. No client-ID record has such a key: where that has
// a sequence, those have a user.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ trace.Store = (*Store)(nil)

type row struct {
	Key     string    `dynamodbav:"pk"`
	Failed  []failure `dynamodbav:"failed"`
	Expires int64     `dynamodbav:"expires"` // TTL, seconds
}

type failure struct {
	Device     string `dynamodbav:"d,omitempty"`
	Connection string `dynamodbav:"c"`
	Code       string `dynamodbav:"why"`
	At         int64  `dynamodbav:"at"`
}

func key(at trace.Place, user id.User) string {
	return fmt.Sprintf("%s#%s#%016d#trace#%s", at.App, at.Conversation, at.Sequence, user)
}

// Put implements trace.Store.
func (s *Store) Put(ctx context.Context, at trace.Place, failures []trace.Failure, until time.Time) error {
	kept := row{Key: key(at, at.User), Expires: until.Unix()}
	for _, each := range failures {
		kept.Failed = append(kept.Failed, failure{each.Device, each.Connection, string(each.Code), table.Millis(each.At)})
	}
	return table.Put(ctx, s.DB, s.Table, kept, "", nil, nil)
}

// Get implements trace.Store. DynamoDB deletes expired items within days, so an expired one counts as none.
func (s *Store) Get(ctx context.Context, at trace.Place, users []id.User, now time.Time) (map[id.User][]trace.Failure, error) {
	read := table.Read{Table: s.Table}
	for _, user := range users {
		read.Keys = append(read.Keys, table.Key(key(at, user)))
	}
	items, err := table.BatchGet(ctx, s.DB, read)
	if err != nil {
		return nil, err
	}
	found := map[id.User][]trace.Failure{}
	for _, item := range items[s.Table] {
		var kept row
		if err := table.Decode(item, &kept); err != nil {
			return nil, err
		}
		if kept.Expires > now.Unix() {
			found[id.User(kept.Key[strings.LastIndexByte(kept.Key, '#')+1:])] = kept.failures()
		}
	}
	return found, nil
}

func (r row) failures() []trace.Failure {
	failures := make([]trace.Failure, len(r.Failed))
	for i, each := range r.Failed {
		failures[i] = trace.Failure{Device: each.Device, Connection: each.Connection, Code: trace.Code(each.Code), At: table.Instant(each.At)}
	}
	return failures
}
