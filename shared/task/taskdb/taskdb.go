// Package taskdb keeps tasks in DynamoDB, one partition for each day on which tasks are due.
package taskdb

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task"
)

// Store implements task.Store. Key: due#<day> / <time>#<kind>#<app>#<subject>. The row "swept" has the day up to which
// there is nothing left, so that tasks are found however long nobody has asked.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ task.Store = (*Store)(nil)

const (
	day = 24 * time.Hour
	// lookBack is how many days before the day that is swept are looked at all the same: for tasks that are added when
	// they are due already.
	lookBack = 3

	dayLayout = "2006-01-02"
	// timeLayout has a fixed width, so that texts sort as times do.
	timeLayout = "2006-01-02T15:04:05.000Z"
)

type row struct {
	Day      string `dynamodbav:"pk"`
	Sort     string `dynamodbav:"sk"`
	Kind     string `dynamodbav:"kind"`
	Due      int64  `dynamodbav:"due"`
	App      string `dynamodbav:"app"`
	Subject  string `dynamodbav:"subject,omitempty"`
	Attempts int    `dynamodbav:"attempts,omitempty"`
}

type sweptRow struct {
	Key  string `dynamodbav:"pk"`
	Sort string `dynamodbav:"sk"`
	Day  string `dynamodbav:"day"`
}

const swept = "swept"

func partition(on time.Time) string { return "due#" + on.UTC().Format(dayLayout) }

func sortKey(due task.Task) string {
	return due.Due.UTC().Format(timeLayout) + "#" + string(due.Kind) + "#" + due.App.String() + "#" + due.Subject
}

// Add implements task.Store.
func (s *Store) Add(ctx context.Context, added task.Task) error {
	return table.Put(ctx, s.DB, s.Table, row{Day: partition(added.Due), Sort: sortKey(added), Kind: string(added.Kind),
		Due: added.Due.UnixMilli(), App: added.App.String(), Subject: added.Subject, Attempts: added.Attempts}, "", nil, nil)
}

// Done implements task.Store.
func (s *Store) Done(ctx context.Context, done task.Task) error {
	return table.Delete(ctx, s.DB, s.Table, table.Key(partition(done.Due), sortKey(done)), "", nil, nil)
}

// Due implements task.Store: day by day, beginning where something may be left.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]task.Task, error) {
	today := now.UTC().Truncate(day)
	clean, err := s.sweptDay(ctx, today)
	if err != nil {
		return nil, err
	}
	was, empty := clean, true
	var due []task.Task
	for on := clean.Add(-lookBack * day); !on.After(today) && len(due) < limit; on = on.Add(day) {
		found, err := s.dueOn(ctx, on, now, limit-len(due))
		if err != nil {
			return nil, err
		}
		due = append(due, found...)
		if empty = empty && len(found) == 0; empty && on.Before(today) && on.Add(day).After(clean) {
			clean = on.Add(day)
		}
	}
	if clean.After(was) {
		return due, table.Put(ctx, s.DB, s.Table, sweptRow{Key: swept, Sort: swept, Day: clean.Format(dayLayout)}, "", nil, nil)
	}
	return due, nil
}

// sweptDay returns the day before which there is nothing left: today where nobody has asked yet.
func (s *Store) sweptDay(ctx context.Context, today time.Time) (time.Time, error) {
	var found sweptRow
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(swept, swept), true, &found)
	if err != nil {
		return time.Time{}, err
	}
	if !ok {
		return today, table.Put(ctx, s.DB, s.Table, sweptRow{Key: swept, Sort: swept, Day: today.Format(dayLayout)}, "", nil, nil)
	}
	clean, err := time.Parse(dayLayout, found.Day)
	if clean.After(today) { // a clock was wrong
		clean = today
	}
	return clean, err
}

// dueOn returns the tasks of the day that are due by now.
func (s *Store) dueOn(ctx context.Context, on, now time.Time, limit int) ([]task.Task, error) {
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("pk = :day AND sk < :end"),
		// "$" comes behind "#", which ends the time in a sort key: whatever is due at this very millisecond is before it.
		ExpressionAttributeValues: table.Item{":day": table.S(partition(on)), ":end": table.S(now.UTC().Format(timeLayout) + "$")},
		Limit:                     aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		return nil, table.Classify("read tasks", err)
	}
	tasks := make([]task.Task, 0, len(answer.Items))
	for _, item := range answer.Items {
		var found row
		if err := table.Decode(item, &found); err != nil {
			return nil, err
		}
		tasks = append(tasks, task.Task{Kind: task.Kind(found.Kind), Due: time.UnixMilli(found.Due).UTC(),
			App: id.StoredApp(found.App), Subject: found.Subject, Attempts: found.Attempts})
	}
	return tasks, nil
}
