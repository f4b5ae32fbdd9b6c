package recorddb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

const (
	// chunk is how many records are read at once where a filter leaves some out.
	chunk = 200
	// perQuery is what a query counts against record.MostRead at least, so that years without a record end a call too.
	perQuery = 10
)

// List implements record.Store.
func (s *Store) List(ctx context.Context, log record.Log, filter record.Filter, oldestFirst bool, position string, limit int) ([]record.Entry, string, error) {
	r := &reading{store: s, log: log, filter: filter, oldestFirst: oldestFirst, position: position, limit: limit,
		span: spanOf(filter, oldestFirst, position), left: record.MostRead}
	if filter.Subject != "" {
		r.index, r.attribute = "by_subject", "subject"
		_, err := r.partition(ctx, subjectKey(log, filter.Subject))
		return r.entries, r.next, err
	}
	r.index, r.attribute = "by_time", "month"
	err := r.months(ctx)
	return r.entries, r.next, err
}

// span is a part of an index, both ends in it.
type span struct{ low, high string }

// spanOf returns where the records can stand that the filter chooses and that come after the position.
func spanOf(filter record.Filter, oldestFirst bool, position string) span {
	all := span{low: record.Instant(time.UnixMilli(0)), high: "9999999999999~"}
	if !filter.From.IsZero() {
		all.low = record.Instant(filter.From)
	}
	if !filter.Until.IsZero() {
		all.high = record.Instant(filter.Until.Add(time.Millisecond)) // Matches knows the rest of the millisecond
	}
	switch {
	case position == "":
	case oldestFirst:
		all.low = max(all.low, position)
	default:
		all.high = min(all.high, position)
	}
	return all
}

// reading is a page under way.
type reading struct {
	store       *Store
	log         record.Log
	filter      record.Filter
	oldestFirst bool
	position    string
	limit       int

	index, attribute string
	span             span
	// left is how many records may still be read.
	left    int
	entries []record.Entry
	next    string
}

// months reads the log month by month.
func (r *reading) months(ctx context.Context) error {
	first, last, err := r.bounds(ctx)
	if err != nil || first.After(last) {
		return err
	}
	for month, step := r.way(first, last); !month.Before(first) && !month.After(last); month = month.AddDate(0, step, 0) {
		if r.left <= 0 {
			r.next = record.Instant(month)
			if !r.oldestFirst {
				r.next = record.Instant(month.AddDate(0, 1, 0))
			}
			return nil
		}
		if full, err := r.partition(ctx, monthKey(r.log, month)); full || err != nil {
			return err
		}
	}
	return nil
}

// way returns where to begin and which way to go.
func (r *reading) way(first, last time.Time) (time.Time, int) {
	if r.oldestFirst {
		return first, 1
	}
	return last, -1
}

// bounds returns the months in which records can be: those of the span, as far as the log reaches.
func (r *reading) bounds(ctx context.Context) (first, last time.Time, err error) {
	from, to, err := r.store.extent(ctx, r.log)
	if err != nil {
		return first, last, err
	}
	low, err := instantOf(r.span.low)
	if err != nil {
		return first, last, err
	}
	high, err := instantOf(r.span.high)
	if low.Before(from) {
		low = from
	}
	if high.After(to) {
		high = to
	}
	return monthOf(low), monthOf(high), err
}

func monthOf(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// instantOf reads the time of a position.
func instantOf(position string) (time.Time, error) {
	milliseconds, err := strconv.ParseInt(position[:min(13, len(position))], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("position %q of records: %w", position, err)
	}
	return time.UnixMilli(milliseconds).UTC(), nil
}

// partition reads a partition of the index until its end, or until the page is full or the call has read enough; then
// full is true and next says where to go on.
func (r *reading) partition(ctx context.Context, key string) (full bool, err error) {
	if r.span.low > r.span.high {
		return false, nil // which DynamoDB refuses
	}
	input := &dynamodb.QueryInput{
		IndexName: &r.index, KeyConditionExpression: aws.String("#partition = :partition AND #when BETWEEN :low AND :high"),
		ExpressionAttributeNames:  map[string]string{"#partition": r.attribute, "#when": "when"},
		ExpressionAttributeValues: table.Item{":partition": table.S(key), ":low": table.S(r.span.low), ":high": table.S(r.span.high)},
		ScanIndexForward:          &r.oldestFirst,
	}
	for {
		answer, err := r.store.query(ctx, input, r.chunk())
		if err != nil {
			return true, err
		}
		r.left -= max(perQuery, len(answer.Items))
		if full, err = r.take(answer.Items); full || err != nil || len(answer.LastEvaluatedKey) == 0 {
			return full, err
		}
		if r.left <= 0 {
			last, _ := answer.LastEvaluatedKey["when"].(*types.AttributeValueMemberS)
			r.next = last.Value // the index has it in its key
			return true, nil
		}
		input.ExclusiveStartKey = answer.LastEvaluatedKey
	}
}

// chunk is how many records to read at once; the one at the position is read again.
func (r *reading) chunk() int {
	if r.filter.Actor == "" && r.filter.Action == "" && r.filter.Permission == "" {
		return min(r.limit-len(r.entries)+1, record.MostRead)
	}
	return chunk
}

// take adds the rows that the filter chooses, and tells whether the page is full.
func (r *reading) take(items []table.Item) (full bool, err error) {
	for _, item := range items {
		var found row
		if err := table.Decode(item, &found); err != nil {
			return true, err
		}
		// What is not as it was written is not listed, least of all another's; Verify tells of it.
		entry := found.entry()
		if found.When == r.position || entry.Log != r.log || !entry.Listed || !r.filter.Matches(entry.Record) {
			continue
		}
		r.entries = append(r.entries, entry)
		if len(r.entries) == r.limit {
			r.next = found.When
			return true, nil
		}
	}
	return false, nil
}

// slack is how much later a record can be added than it says. A request lives half a minute.
const slack = time.Hour

// extent returns the time of the log's first record and of its last, from the ends of its chains: without it a list would
// have to look at every month there ever was. Where there is no record, the first is after the last.
func (s *Store) extent(ctx context.Context, log record.Log) (first, last time.Time, err error) {
	first = time.UnixMilli(9_999_999_999_999)
	var keys []table.Item
	for chain := range record.Chains {
		keys = append(keys, headKey(log, chain), table.Key(chainKey(log, chain), sortOf(1)))
	}
	for len(keys) > 0 {
		found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: keys})
		if err != nil {
			return first, last, err
		}
		keys = nil
		for _, item := range found[s.Table] {
			if end, ok := endOf(item); ok {
				keys = append(keys, end)
				continue
			}
			var found row
			if err := table.Decode(item, &found); err != nil {
				return first, last, err
			}
			if at := found.entry().At; !at.IsZero() {
				first, last = earlier(first, at.Add(-slack)), later(last, at.Add(slack))
			}
		}
	}
	return first, last, nil
}

// endOf returns the key of the last record of the chain that the item is the head of, where that is not the first.
func endOf(item table.Item) (table.Item, bool) {
	sort, _ := item["sk"].(*types.AttributeValueMemberS)
	if sort == nil || sort.Value != headSort {
		return nil, false
	}
	var head headRow
	if err := table.Decode(item, &head); err != nil {
		return nil, false
	}
	return table.Item{"pk": item["pk"], "sk": table.S(sortOf(head.Seq))}, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
