package recorddb

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements record.Store on what a Writer writes.
type Store struct{ *Writer }

var _ record.Store = (*Store)(nil)

// Append implements record.Store.
func (s *Store) Append(ctx context.Context, r record.Record) error {
	return s.Run(ctx, &table.Transaction{DB: s.DB, Doing: "add a record"}, r)
}

// Head implements record.Store.
func (s *Store) Head(ctx context.Context, log record.Log, chain int) (record.Head, error) {
	return readHead(ctx, s.DB, s.Table, log, chain)
}

// Chain implements record.Store.
func (s *Store) Chain(ctx context.Context, log record.Log, chain int, after int64, limit int) (entries []record.Entry, err error) {
	input := &dynamodb.QueryInput{
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :from AND :to"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: table.Item{":pk": table.S(chainKey(log, chain)), ":from": table.S(sortOf(after + 1)), ":to": table.S("9~")},
	}
	for len(entries) < limit {
		answer, err := s.query(ctx, input, limit-len(entries))
		if err != nil {
			return nil, err
		}
		for _, item := range answer.Items {
			var found row
			if err := table.Decode(item, &found); err != nil {
				return nil, err
			}
			entries = append(entries, found.entry())
		}
		if input.ExclusiveStartKey = answer.LastEvaluatedKey; len(answer.LastEvaluatedKey) == 0 {
			break
		}
	}
	return entries, nil
}

// entry reads a row as it is kept, whatever has become of it.
func (r row) entry() record.Entry {
	entry, err := record.Decode(r.Text)
	if err != nil {
		entry = record.Entry{Text: r.Text}
	}
	if place, err := strconv.ParseInt(r.Sort, 10, 64); err == nil && sortOf(place) == r.Sort {
		entry.Place = place
	}
	entry.Listed = rowOf(entry.Record, r.Text) == r
	return entry
}

func (s *Store) query(ctx context.Context, input *dynamodb.QueryInput, limit int) (*dynamodb.QueryOutput, error) {
	input.TableName, input.Limit = &s.Table, aws.Int32(int32(limit))
	input.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, table.Classify("read records", err)
	}
	return answer, nil
}
