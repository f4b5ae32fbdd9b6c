package record_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// forged is a chain that a test has changed, in place of that of a store.
type forged struct {
	record.Store
	chain   int
	entries []record.Entry
	head    record.Head
}

func (f *forged) Chain(_ context.Context, _ record.Log, chain int, after int64, limit int) (found []record.Entry, err error) {
	for _, each := range f.entries {
		if chain == f.chain && each.Place > after && len(found) < limit {
			found = append(found, each)
		}
	}
	return found, nil
}

func (f *forged) Head(_ context.Context, _ record.Log, chain int) (record.Head, error) {
	if chain != f.chain {
		return record.Head{}, nil
	}
	return f.head, nil
}

const chain = 5

// written returns a chain as it is written, with as many records; what names the reason of each.
func written(log record.Log, count int, what string) *forged {
	f := &forged{chain: chain}
	for i := range count {
		made := recordtest.Example(log, storetest.Noon(), i)
		made.Reason = what
		f.add(made)
	}
	return f
}

// add appends a record as a store does.
func (f *forged) add(made record.Record) {
	placed, text, head := f.head.Append(made, f.chain)
	f.entries, f.head = append(f.entries, record.Entry{Record: placed, Text: text, Place: placed.Seq, Listed: true}), head
}

// edit changes the text of the record with the number, and what is read from it.
func (f *forged) edit(seq int, old, new string) {
	e := &f.entries[seq-1]
	decoded, err := record.Decode(strings.Replace(e.Text, old, new, 1))
	if err != nil || decoded.Text == e.Text {
		panic("nothing edited")
	}
	decoded.Place, decoded.Listed = e.Place, e.Listed
	*e = decoded
}

func (f *forged) verify(t storetest.T, log record.Log, from record.Head, known ...record.Head) record.Result {
	t.Helper()
	result, err := record.Verify(context.Background(), f, log, f.chain, from, 10_000, known...)
	storetest.OK(t, "Verify", err)
	return result
}

func TestVerify(t *testing.T) {
	log, other := recordtest.NewLog(), recordtest.NewLog()
	for name, each := range map[string]struct {
		do   func(f *forged)
		want record.Problem
		at   int
	}{
		"nothing":                     {func(f *forged) {}, "", 0},
		"edited":                      {func(f *forged) { f.edit(3, "because", "be cause") }, record.Edited, 3},
		"one byte that means nothing": {func(f *forged) { f.edit(3, `{"log"`, `{ "log"`) }, record.Edited, 3},
		"its link edited":             {func(f *forged) { f.edit(1, `"action"`, `"previous":"00","action"`) }, record.Edited, 1},
		"not where the indexes look":  {func(f *forged) { f.entries[3].Listed = false }, record.Edited, 4},
		"the last edited":             {func(f *forged) { f.edit(6, "because", "be cause") }, record.HeadMismatch, 6},
		"deleted":                     {func(f *forged) { f.entries = slices.Delete(f.entries, 2, 3) }, record.Missing, 3},
		"the beginning deleted":       {func(f *forged) { f.entries = slices.Delete(f.entries, 0, 2) }, record.Missing, 1},
		"the tail deleted":            {func(f *forged) { f.entries = f.entries[:4] }, record.Missing, 5},
		"all deleted":                 {func(f *forged) { f.entries = nil }, record.Missing, 1},
		"moved up after a deletion": {func(f *forged) {
			f.entries = slices.Delete(f.entries, 2, 3)
			for i := range f.entries {
				f.entries[i].Place = int64(i + 1)
			}
		}, record.Reordered, 3},
		"reordered": {func(f *forged) {
			f.entries[1], f.entries[3] = f.entries[3], f.entries[1]
			f.entries[1].Place, f.entries[3].Place = 2, 4
		}, record.Reordered, 2},
		"twice": {func(f *forged) {
			f.entries = slices.Insert(f.entries, 2, f.entries[1])
			for i := range f.entries {
				f.entries[i].Place = int64(i + 1)
			}
		}, record.Reordered, 3},
		"twice under one number": {func(f *forged) { f.entries = slices.Insert(f.entries, 2, f.entries[1]) }, record.Reordered, 3},
		"inserted with a new number": {func(f *forged) {
			_, text, _ := record.Head{Seq: 2}.Append(recordtest.Example(log, storetest.Noon(), 9), chain)
			made, _ := record.Decode(text)
			made.Place, made.Listed = 3, true
			f.entries = slices.Insert(f.entries, 2, made)
		}, record.Edited, 2}, // whether that or the one before is the false one cannot be told
		"added without the head":  {func(f *forged) { head := f.head; f.add(f.entries[0].Record); f.head = head }, record.HeadMismatch, 7},
		"the head put back":       {func(f *forged) { f.head = written(log, 5, "so").head }, record.HeadMismatch, 6},
		"another head":            {func(f *forged) { f.head.Hash[0]++ }, record.HeadMismatch, 6},
		"no head":                 {func(f *forged) { f.head = record.Head{} }, record.HeadMismatch, 6},
		"a head without a record": {func(f *forged) { f.head.Seq++ }, record.Missing, 7},
		"of another chain":        {func(f *forged) { f.edit(2, `"chain":5`, `"chain":6`) }, record.Reordered, 2},
		"of another log":          {func(f *forged) { f.edit(2, string(log), string(other)) }, record.Reordered, 2},
		"another chain's":         {func(f *forged) { *f = forged{chain: chain + 1, entries: f.entries, head: f.head} }, record.Reordered, 1},
		"unreadable": {func(f *forged) {
			f.entries[2] = record.Entry{Text: "{", Place: 3}
		}, record.Unreadable, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := written(log, 6, "because")
			each.do(f)
			result := f.verify(t, log, record.Head{})
			at := ""
			if each.at > 0 {
				at = fmt.Sprintf("rec_%x_%d", f.chain, each.at)
			}
			if result.Problem != each.want || result.BrokenAt != at || !result.Done {
				t.Errorf("found %+v, want %q at %s", result, each.want, at)
			}
		})
	}
}

// A walk in parts finds what one in one piece does, and reads as much in each as it may.
func TestVerifyInParts(t *testing.T) {
	log := recordtest.NewLog()
	rapid.Check(t, func(r *rapid.T) {
		f := written(log, rapid.IntRange(0, 30).Draw(r, "records"), "because")
		if len(f.entries) > 2 && rapid.Bool().Draw(r, "edited") {
			f.edit(rapid.IntRange(1, len(f.entries)).Draw(r, "which"), "because", "be cause")
		}
		whole := f.verify(r, log, record.Head{})
		most := rapid.IntRange(1, 40).Draw(r, "most")
		var part record.Result
		for !part.Done {
			var err error
			before := part.Head.Seq
			part, err = record.Verify(context.Background(), f, log, f.chain, part.Head, most)
			storetest.OK(r, "Verify", err)
			if part.Checked > most || !part.Done && part.Head.Seq != before+int64(most) {
				r.Fatalf("from %d: %+v, may look at %d", before, part, most)
			}
		}
		// At the beginning of a part, which of two records was changed cannot be told.
		if (part.Problem == "") != (whole.Problem == "") || whole.Problem == "" && part.Head != whole.Head {
			r.Fatalf("in parts %+v, in one %+v", part, whole)
		}
	})
}

// A chain that was written anew with its head is as good as any, but for those who remember its head.
func TestKnownHeadsFindARollback(t *testing.T) {
	log := recordtest.NewLog()
	known := written(log, 4, "because").head
	for name, each := range map[string]struct {
		forged *forged
		want   record.Problem
		at     string
	}{
		"gone on":              {written(log, 9, "because"), "", ""},
		"nothing added":        {written(log, 4, "because"), "", ""},
		"rolled back":          {written(log, 3, "because"), record.Missing, "rec_5_4"},
		"all gone":             {written(log, 0, "because"), record.Missing, "rec_5_1"},
		"written anew":         {written(log, 4, "other"), record.Edited, "rec_5_4"},
		"written anew, longer": {written(log, 9, "other"), record.Edited, "rec_5_4"},
	} {
		t.Run(name, func(t *testing.T) {
			if result := each.forged.verify(t, log, record.Head{}); result.Problem != "" {
				t.Fatalf("the forged chain: %+v", result)
			}
			if result := each.forged.verify(t, log, record.Head{}, record.Head{}, known); result.Problem != each.want || result.BrokenAt != each.at {
				t.Errorf("found %+v, want %q at %s", result, each.want, each.at)
			}
			if result := each.forged.verify(t, log, known); (result.Problem == "") != (each.want == "") {
				t.Errorf("from the head on: %+v", result)
			}
		})
	}
}

// late is a chain whose next record is added between the reading of its records and that of its head.
type late struct {
	*forged
	log record.Log
	add int
}

func (l *late) Head(ctx context.Context, log record.Log, chain int) (record.Head, error) {
	if l.add > 0 {
		l.add--
		l.forged.add(recordtest.Example(l.log, storetest.Noon(), 1))
	}
	return l.forged.Head(ctx, log, chain)
}

func TestVerifyWhileOthersWrite(t *testing.T) {
	log := recordtest.NewLog()
	for _, count := range []int{0, 1, 4} {
		l := &late{forged: written(log, count, "because"), log: log, add: 3}
		result, err := record.Verify(t.Context(), l, log, chain, record.Head{}, 100)
		if err != nil || result.Problem != "" || result.Head.Seq != int64(count+3) {
			t.Errorf("%d records: %+v, %v", count, result, err)
		}
	}
}

func TestVerifyLog(t *testing.T) {
	log, logs := recordtest.NewLog(), recordtest.NewLogs()
	for i := range 100 {
		logs.Add(recordtest.Example(log, storetest.Noon(), i))
	}
	for _, most := range []int{1, 6, 7, 8, 100, 1000} {
		position, checked, last, calls := "", 0, map[int]record.Result{}, 0
		for {
			results, next, err := record.VerifyLog(t.Context(), logs, log, position, most)
			storetest.OK(t, "VerifyLog", err)
			for _, result := range results {
				checked, last[result.Chain] = checked+result.Checked, result
			}
			calls++
			if position = next; next == "" {
				break
			}
		}
		if checked != 100 || len(last) != record.Chains || calls > 100/most+2 {
			t.Errorf("%d at a time: %d records of %d chains in %d calls", most, checked, len(last), calls)
		}
		for chain, result := range last {
			if head, _ := logs.Head(t.Context(), log, chain); result.Head != head || !result.Done || result.Problem != "" {
				t.Errorf("chain %x: %+v, want %s", chain, result, head)
			}
		}
	}
	if _, _, err := record.VerifyLog(t.Context(), logs, log, "x", 1); err == nil {
		t.Error("a position that is none was taken")
	}
}

func TestParseHead(t *testing.T) {
	head := written(recordtest.NewLog(), 3, "because").head
	for _, each := range []record.Head{{}, head} {
		if got, err := record.ParseHead(each.String()); got != each || err != nil {
			t.Errorf("ParseHead(%s) = %s, %v", each, got, err)
		}
	}
	hash := head.Hash.String()
	for _, bad := range []string{"", "3", ":", "3:", "0:" + hash, "-1:" + hash, "3:" + hash[1:], "3:" + hash + "0", "3:" + hash + hash, "x:" + hash, "3:zz"} {
		if got, err := record.ParseHead(bad); err == nil {
			t.Errorf("ParseHead(%q) = %s", bad, got)
		}
	}
}
