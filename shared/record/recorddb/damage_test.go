package recorddb_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func deletion(name string, key table.Item) *dynamodb.DeleteItemInput {
	return &dynamodb.DeleteItemInput{TableName: &name, Key: key}
}

// damaged is a log whose rows a test reaches behind the store's back.
type damaged struct {
	*recorddb.Store
	log record.Log
}

func (d damaged) rows(t *testing.T, chain string) []table.Item {
	t.Helper()
	answer, err := d.DB.Query(t.Context(), &dynamodb.QueryInput{TableName: &d.Table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: table.Item{":pk": table.S(string(d.log) + "#" + chain)}})
	storetest.OK(t, "Query", err)
	return answer.Items
}

func (d damaged) put(t *testing.T, row table.Item) {
	t.Helper()
	storetest.OK(t, "Put", table.Put(t.Context(), d.DB, d.Table, row, "", nil, nil))
}

func (d damaged) remove(t *testing.T, row table.Item) {
	t.Helper()
	_, err := d.DB.DeleteItem(t.Context(), deletion(d.Table, table.Item{"pk": row["pk"], "sk": row["sk"]}))
	storetest.OK(t, "DeleteItem", err)
}

// with returns the row with another value of an attribute.
func with(row table.Item, attribute, value string) table.Item {
	changed := maps.Clone(row)
	changed[attribute] = table.S(value)
	return changed
}

func text(row table.Item) string { return row["text"].(*types.AttributeValueMemberS).Value }

// Whatever is done to the rows of the table is found. The chain has five records, and its head as the sixth row.
func TestDamageIsFound(t *testing.T) {
	store := start(t)
	for name, each := range map[string]struct {
		do   func(t *testing.T, d damaged, rows []table.Item)
		want record.Problem
		at   string
	}{
		"edited": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[2], "text", strings.Replace(text(rows[2]), "dev_", "dev_other", 1)))
		}, record.Edited, "3"},
		"the last edited": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[4], "text", strings.Replace(text(rows[4]), "dev_", "dev_other", 1)))
		}, record.HeadMismatch, "5"},
		"moved in the index": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[2], "month", string(d.log)+"#1999-01"))
		}, record.Edited, "3"},
		"taken from the index": {func(t *testing.T, d damaged, rows []table.Item) {
			hidden := maps.Clone(rows[2])
			delete(hidden, "month")
			d.put(t, hidden)
		}, record.Edited, "3"},
		"given to another subject": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[1], "subject", string(d.log)+"#u_other"))
		}, record.Edited, "2"},
		"deleted": {func(t *testing.T, d damaged, rows []table.Item) { d.remove(t, rows[2]) }, record.Missing, "3"},
		"the first deleted": {func(t *testing.T, d damaged, rows []table.Item) {
			d.remove(t, rows[0])
		}, record.Missing, "1"},
		"all deleted but the head": {func(t *testing.T, d damaged, rows []table.Item) {
			for _, row := range rows[:5] {
				d.remove(t, row)
			}
		}, record.Missing, "1"},
		"the tail cut off": {func(t *testing.T, d damaged, rows []table.Item) { d.remove(t, rows[4]) }, record.Missing, "5"},
		"the head deleted": {func(t *testing.T, d damaged, rows []table.Item) { d.remove(t, rows[5]) }, record.HeadMismatch, "5"},
		"the head put back": {func(t *testing.T, d damaged, rows []table.Item) {
			head := maps.Clone(rows[5])
			head["seq"] = table.N(4)
			d.put(t, head)
		}, record.HeadMismatch, "5"},
		"an unreadable head": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[5], "hash", strings.Repeat("f", 65)))
		}, record.HeadMismatch, "5"},
		"two texts swapped": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[1], "text", text(rows[2])))
			d.put(t, with(rows[2], "text", text(rows[1])))
		}, record.Reordered, "2"},
		"one inserted": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[1], "sk", "0000000000000002x"))
		}, record.Reordered, "3"},
		"one added": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[4], "sk", "0000000000000006"))
		}, record.Reordered, "6"},
		"one of another log": {func(t *testing.T, d damaged, rows []table.Item) {
			d.put(t, with(rows[1], "text", strings.Replace(text(rows[1]), string(d.log), "app_0123456789abcdef", 1)))
		}, record.Reordered, "2"},
		"unreadable": {func(t *testing.T, d damaged, rows []table.Item) { d.put(t, with(rows[1], "text", "{")) }, record.Unreadable, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			d := damaged{store, recordtest.NewLog()}
			work := &table.Transaction{DB: store.DB, Doing: "test"}
			var records []record.Record
			for i := range 5 {
				records = append(records, recordtest.Example(d.log, storetest.Noon(), i))
			}
			storetest.OK(t, "Run", store.Run(t.Context(), work, records...))
			recordtest.Clean(t, store, d.log)
			for _, chain := range strings.Split("0123456789abcdef", "") {
				if rows := d.rows(t, chain); len(rows) > 0 {
					each.do(t, d, rows)
				}
			}
			results, next, err := record.VerifyLog(t.Context(), store, d.log, "", 1000)
			storetest.OK(t, "VerifyLog", err)
			var found []record.Result
			for _, result := range results {
				if result.Problem != "" {
					found = append(found, result)
				}
			}
			if len(results) != record.Chains || next != "" || len(found) != 1 || found[0].Problem != each.want || !strings.HasSuffix(found[0].BrokenAt, "_"+each.at) {
				t.Errorf("found %+v, want %s at %s", found, each.want, each.at)
			}
		})
	}
}

// A list shows nothing that is not as it was written: neither what was edited nor what another log or subject has.
func TestListsLeaveOutWhatIsNotAsWritten(t *testing.T) {
	store := start(t)
	d, other := damaged{store, recordtest.NewLog()}, recordtest.NewLog()
	storetest.OK(t, "Append", store.Append(t.Context(), recordtest.Example(d.log, storetest.Noon(), 2)))
	storetest.OK(t, "Append", store.Append(t.Context(), recordtest.Example(other, storetest.Noon(), 2)))
	for _, chain := range strings.Split("0123456789abcdef", "") {
		if rows := d.rows(t, chain); len(rows) > 0 {
			moved := with(rows[0], "month", string(other)+"#2096-03")
			d.put(t, with(moved, "subject", string(other)+"#u_1"))
		}
	}
	for _, filter := range []record.Filter{{}, {Subject: "u_1"}} {
		entries, _, err := store.List(t.Context(), other, filter, true, "", 10)
		if err != nil || len(entries) != 1 || entries[0].Log != other {
			t.Errorf("%+v: %v, %v", filter, entries, err)
		}
	}
}
