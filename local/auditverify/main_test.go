package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// world is a table with two logs, and a file for their heads.
type world struct {
	*recorddb.Store
	heads    string
	one, two record.Log
}

func newWorld(t *testing.T) *world {
	db, tables := enginetest.Start(t)
	enginetest.Setenv(t, db)
	w := &world{Store: &recorddb.Store{Writer: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}},
		heads: filepath.Join(t.TempDir(), "heads.json"), one: recordtest.NewLog(), two: recordtest.NewLog()}
	w.add(t, w.one, 0, 5)
	w.add(t, w.two, 0, 5)
	return w
}

// add adds so many records to the log, the first of which is the example with that number: one number is one record.
func (w *world) add(t *testing.T, log record.Log, first, count int) {
	t.Helper()
	for i := range count {
		storetest.OK(t, "Append", w.Append(t.Context(), recordtest.Example(log, storetest.Noon(), first+i)))
	}
}

func (w *world) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), append([]string{"-table", w.Table}, args...), &out)
	return out.String(), err
}

func (w *world) good(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.run(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func (w *world) broken(t *testing.T, says string, args ...string) {
	t.Helper()
	if out, err := w.run(t, args...); !errors.Is(err, errBroken) || !strings.Contains(out, says) {
		t.Errorf("%v: %v; want one that says %q\n%s", args, err, says, out)
	}
}

// longest returns the longest chain of the log, and its head.
func (w *world) longest(t *testing.T, log record.Log) (chain int, head record.Head) {
	t.Helper()
	for number := range record.Chains {
		found, err := w.Head(t.Context(), log, number)
		storetest.OK(t, "Head", err)
		if found.Seq > head.Seq {
			chain, head = number, found
		}
	}
	return chain, head
}

func (w *world) remove(t *testing.T, log record.Log, chain int, sort string) {
	t.Helper()
	_, err := w.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &w.Table, Key: table.Key(fmt.Sprintf("%s#%x", log, chain), sort)})
	storetest.OK(t, "DeleteItem", err)
}

// wipe removes a chain with its head, as if it had never been.
func (w *world) wipe(t *testing.T, log record.Log, chain int, head record.Head) {
	t.Helper()
	w.remove(t, log, chain, "head")
	for seq := range head.Seq {
		w.remove(t, log, chain, fmt.Sprintf("%016d", seq+1))
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	out := w.good(t, "-heads", w.heads)
	chain, head := w.longest(t, w.one)
	for _, says := range []string{
		fmt.Sprintf("%s: 5 records, as they were written", w.one), fmt.Sprintf("%s: 5 records, as they were written", w.two),
		fmt.Sprintf("%s chain %2d: %6d records  %s", w.one, chain, head.Seq, head.Hash),
	} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	if out := w.good(t, "-log", string(w.two)); strings.Contains(out, string(w.one)) {
		t.Errorf("it speaks of another log:\n%s", out)
	}
	w.add(t, w.one, 5, 3) // goes on from the heads
	w.good(t, "-heads", w.heads)
	w.remove(t, w.one, chain, "0000000000000001")
	w.broken(t, fmt.Sprintf("%s chain %2d: missing at rec_%x_1", w.one, chain, chain))
	w.good(t, "-log", string(w.two))
}

// What was written anew together with its head is found by the heads of before, which stay for the next time.
func TestHeadsFindARollback(t *testing.T) {
	w := newWorld(t)
	w.good(t, "-heads", w.heads)
	before, err := os.ReadFile(w.heads)
	storetest.OK(t, "read the heads", err)
	chain, head := w.longest(t, w.one)
	w.wipe(t, w.one, chain, head)
	w.good(t)
	w.broken(t, fmt.Sprintf("missing at rec_%x_1", chain), "-heads", w.heads)
	for forged, number := (record.Head{}), 100; forged.Seq == 0; number++ { // until the chain has other records
		w.add(t, w.one, number, 1)
		forged, err = w.Head(t.Context(), w.one, chain)
		storetest.OK(t, "Head", err)
	}
	w.good(t)
	w.broken(t, fmt.Sprintf("at rec_%x_", chain), "-heads", w.heads, "-log", string(w.one))
	if after, err := os.ReadFile(w.heads); err != nil || string(after) != string(before) {
		t.Errorf("the heads were %s\nand are %s, %v", before, after, err)
	}
	w.good(t, "-heads", w.heads, "-log", string(w.two))
}

// A log that is gone as a whole is found too.
func TestAGoneLogIsFound(t *testing.T) {
	w := newWorld(t)
	w.good(t, "-heads", w.heads)
	for chain := range record.Chains {
		head, err := w.Head(t.Context(), w.one, chain)
		storetest.OK(t, "Head", err)
		w.wipe(t, w.one, chain, head)
	}
	w.broken(t, "gone", "-heads", w.heads)
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	storetest.OK(t, "write", os.WriteFile(w.heads, []byte(`{"app_x#1": "3:abc"}`), 0o600))
	for _, args := range [][]string{{"-heads", w.heads}, {"-log", "app_"}, {"-table", ""}, {"-table", "no-such-table"}, {"-nonsense"}} {
		if out, err := w.run(t, args...); err == nil || errors.Is(err, errBroken) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
