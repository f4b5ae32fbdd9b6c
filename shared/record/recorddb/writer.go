package recorddb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// Writer adds records to transactions of other stores.
type Writer struct {
	DB    *dynamodb.Client
	Table string
}

// WriterFromEnvironment returns the writer of the table that TABLE_RECORDS names.
func WriterFromEnvironment(db *dynamodb.Client) *Writer {
	return &Writer{DB: db, Table: table.Name("RECORDS")}
}

// errHeadMoved says that another record was added to the chain since its head was read.
var errHeadMoved = errors.New("recorddb: head moved")

// Run does the transaction together with the records, which are of one log: all of it or nothing. The refusals of the
// transaction's own steps come first. A chain that another writer extends at the same moment is left to it: the next
// attempt takes another one.
func (w *Writer) Run(ctx context.Context, work *table.Transaction, records ...record.Record) error {
	first := rand.N(record.Chains)
	for attempt := 0; ; attempt++ {
		if attempt >= record.Chains { // else another chain is free at once
			if err := table.Pause(ctx, attempt-record.Chains+1); err != nil {
				return table.Classify(work.Doing, err)
			}
		}
		whole := work.Clone()
		if err := w.add(ctx, whole, (first+attempt)%record.Chains, records); err != nil {
			return err
		}
		if err := whole.Run(ctx); !errors.Is(err, errHeadMoved) {
			return err
		}
	}
}

// add adds the records to the transaction as the next of the chain.
func (w *Writer) add(ctx context.Context, work *table.Transaction, chain int, records []record.Record) error {
	if len(records) == 0 {
		return nil
	}
	log := records[0].Log
	head, err := readHead(ctx, w.DB, w.Table, log, chain)
	if err != nil {
		return err
	}
	next := head
	for _, each := range records {
		if each.Log != log {
			return fmt.Errorf("%s: records of two logs, %s and %s", work.Doing, log, each.Log)
		}
		var text string
		each, text, next = next.Append(each, chain)
		work.Put(w.Table, rowOf(each, text), "attribute_not_exists(pk)", errHeadMoved)
	}
	move := table.Update{Table: w.Table, Key: headKey(log, chain), Set: "SET seq = :next, #hash = :hash",
		If: "seq = :seq AND #hash = :was", Names: map[string]string{"#hash": "hash"},
		Values: table.Item{":next": table.N(next.Seq), ":hash": table.S(next.Hash.String()), ":seq": table.N(head.Seq), ":was": table.S(head.Hash.String())}}
	if head.Seq == 0 {
		move.If = "attribute_not_exists(pk)"
		delete(move.Values, ":seq")
		delete(move.Values, ":was")
	}
	work.Update(move, errHeadMoved)
	return nil
}
