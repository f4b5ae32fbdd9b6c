package recordtest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Adder adds records of one log as the transactions of other stores do.
type Adder func(ctx context.Context, records ...record.Record) error

// Run runs the suite. Every part of it has logs of its own.
func Run(t *testing.T, store record.Store, add Adder) {
	for name, part := range map[string]func(*testing.T, record.Store, Adder){
		"empty": runEmpty, "chains": runChains, "at once": runAtOnce, "pages": runPages, "apart": runApart, "long": runLong,
		"months": runMonths, "filters": runFilters, "while written": runWhileWritten,
		"many months": runManyMonths, "turns of the month": runTurns,
	} {
		t.Run(name, func(t *testing.T) { part(t, store, add) })
	}
}

// NewLog returns a log that no other test has.
func NewLog() record.Log { return record.OfApp(id.Source{}.App()) }

// Example returns a record at the time; subject, actor and action follow from the number.
func Example(log record.Log, at time.Time, number int) record.Record {
	actions := []record.Action{record.GrantCreated, record.GrantRevoked, record.KeyCreated}
	origin := record.Origin{Actor: fmt.Sprintf("dev_%d", number%2), Source: netip.MustParseAddr("203.0.113.7"), Reason: "because, \"so\""}
	return record.New(log, at, origin, actions[number%3], []string{"", "u_1", "u_2"}[number/2%3], nil, map[string]int{"number": number}).
		About([]string{"messages:send", "users:list"}[:number%3]...)
}

// Clean fails the test where a chain of the log is not as it was written, and returns how many records they have.
func Clean(t *testing.T, store record.Store, log record.Log) (records int64) {
	t.Helper()
	for chain := range record.Chains {
		result, err := record.Verify(t.Context(), store, log, chain, record.Head{}, 100_000)
		storetest.OK(t, "Verify", err)
		if result.Problem != "" || !result.Done {
			t.Errorf("chain %x: %s at %s", chain, result.Problem, result.BrokenAt)
		}
		records += result.Head.Seq
	}
	return records
}

func runEmpty(t *testing.T, store record.Store, _ Adder) {
	log := NewLog()
	entries, next, err := store.List(t.Context(), log, record.Filter{}, false, "", 10)
	if len(entries) != 0 || next != "" || err != nil {
		t.Errorf("List = %v, %q, %v", entries, next, err)
	}
	if head, err := store.Head(t.Context(), log, 3); head != (record.Head{}) || err != nil {
		t.Errorf("Head = %v, %v", head, err)
	}
	if got := Clean(t, store, log); got != 0 {
		t.Errorf("%d records", got)
	}
}

// What is added stands in one chain, whole, and is read as it was.
func runChains(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	storetest.OK(t, "add", add(t.Context(), Example(log, storetest.Noon(), 1), Example(log, storetest.Noon(), 2), Example(log, storetest.Noon(), 5)))
	storetest.OK(t, "add nothing", add(t.Context()))
	for chain := range record.Chains {
		head, err := store.Head(t.Context(), log, chain)
		storetest.OK(t, "Head", err)
		if head.Seq == 0 {
			continue
		}
		all, err := store.Chain(t.Context(), log, chain, 0, 10)
		storetest.OK(t, "Chain", err)
		if head.Seq != 3 || len(all) != 3 || all[0].Previous != "" || all[2].ID() != fmt.Sprintf("rec_%x_3", chain) {
			t.Fatalf("chain %x: head %v, %v", chain, head, all)
		}
		if got := string(all[1].After); got != `{"number":2}` || all[1].Subject != "u_1" || all[1].Reason != "because, \"so\"" ||
			!all[1].At.Equal(storetest.Noon()) || len(all[1].Permissions) != 2 || all[1].Source != "203.0.113.7" {
			t.Errorf("read %+v", all[1])
		}
		for _, part := range []struct{ after, limit, want int }{{0, 2, 2}, {1, 5, 2}, {2, 1, 1}, {3, 1, 0}, {9, 1, 0}} {
			some, err := store.Chain(t.Context(), log, chain, int64(part.after), part.limit)
			if err != nil || len(some) != part.want || part.want > 0 && some[0].Place != int64(part.after+1) {
				t.Errorf("%v: %v, %v", part, some, err)
			}
		}
	}
	if got := Clean(t, store, log); got != 3 {
		t.Errorf("%d records, want 3", got)
	}
}

// Many who write to one log at once all get their record in.
func runAtOnce(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	for _, err := range storetest.AtOnce(64, func(i int) error {
		if i%2 == 0 {
			return store.Append(t.Context(), Example(log, storetest.Noon(), i))
		}
		return add(t.Context(), Example(log, storetest.Noon(), i), Example(log, storetest.Noon(), i+1000))
	}) {
		storetest.OK(t, "add", err)
	}
	if got := Clean(t, store, log); got != 96 {
		t.Errorf("%d records, want 96", got)
	}
	seen := map[string]bool{}
	for _, each := range list(t, store, log, record.Filter{}, false, 7) {
		seen[string(each.After)] = true
	}
	if len(seen) != 96 {
		t.Errorf("%d different records, want 96", len(seen))
	}
}

// list reads all pages.
func list(t storetest.T, store record.Store, log record.Log, filter record.Filter, oldestFirst bool, limit int) (all []record.Entry) {
	t.Helper()
	position := ""
	for range 10_000 {
		entries, next, err := store.List(context.Background(), log, filter, oldestFirst, position, limit)
		storetest.OK(t, "List", err)
		if len(entries) > limit {
			t.Fatalf("%d entries, want %d", len(entries), limit)
		}
		all = append(all, entries...)
		if next == "" {
			return all
		}
		if position != "" && next != position && (next > position) != oldestFirst {
			t.Fatalf("from %s back to %s", position, next)
		}
		position = next
	}
	t.Fatalf("the list has no end")
	return nil
}

// want compares records with the model: those that the filter chooses, in order.
func want(t storetest.T, model []record.Record, filter record.Filter, oldestFirst bool, got []record.Entry) {
	t.Helper()
	var expected []string
	for _, each := range model {
		if filter.Matches(each) {
			expected = append(expected, record.Instant(each.At)+string(each.After))
		}
	}
	found := make([]string, 0, len(got))
	positions := make([]string, 0, len(got))
	for _, each := range got {
		found, positions = append(found, record.Instant(each.At)+string(each.After)), append(positions, each.Position())
	}
	if !oldestFirst {
		slices.Reverse(positions)
	}
	if !slices.IsSorted(positions) || len(slices.Compact(positions)) != len(positions) {
		t.Fatalf("out of order, or twice: %v", positions)
	}
	slices.Sort(expected)
	slices.Sort(found)
	if !slices.Equal(expected, found) {
		t.Fatalf("%+v, oldest first %v:\ngot  %v\nwant %v", filter, oldestFirst, found, expected)
	}
}

// fill adds records, some of them in one transaction, many of them of one millisecond.
func fill(t *testing.T, add Adder, log record.Log, count int, at func(i int) time.Time) (model []record.Record) {
	t.Helper()
	for i := 0; i < count; i += 3 {
		var some []record.Record
		for j := i; j < min(i+3, count); j++ {
			some = append(some, Example(log, at(j), j))
		}
		storetest.OK(t, "add", add(t.Context(), some...))
		model = append(model, some...)
	}
	return model
}

func both(t storetest.T, store record.Store, log record.Log, model []record.Record, filter record.Filter, limit int) {
	t.Helper()
	for _, oldestFirst := range []bool{false, true} {
		want(t, model, filter, oldestFirst, list(t, store, log, filter, oldestFirst, limit))
	}
}

// Pages of any size have everything once, in both directions, also where many records have the same time.
func runPages(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	model := fill(t, add, log, 40, func(i int) time.Time { return storetest.Noon().Add(time.Duration(i/10) * time.Millisecond) })
	for _, limit := range []int{1, 2, 7, 39, 40, 41, 100} {
		both(t, store, log, model, record.Filter{}, limit)
		both(t, store, log, model, record.Filter{Subject: "u_1"}, limit)
		both(t, store, log, model, record.Filter{Actor: "dev_1"}, limit)
	}
}

// One log has nothing of another, whose name may begin likewise.
func runApart(t *testing.T, store record.Store, add Adder) {
	mine, other := NewLog(), NewLog()
	storetest.OK(t, "add", add(t.Context(), Example(mine, storetest.Noon(), 2)))
	storetest.OK(t, "add", add(t.Context(), Example(other, storetest.Noon(), 3), Example(other, storetest.Noon(), 4)))
	for _, filter := range []record.Filter{{}, {Subject: "u_1"}} {
		if got := list(t, store, mine, filter, true, 10); len(got) != 1 || got[0].Log != mine {
			t.Errorf("%+v: %v", filter, got)
		}
	}
	if err := add(t.Context(), Example(mine, storetest.Noon(), 1), Example(other, storetest.Noon(), 1)); err == nil {
		t.Error("records of two logs were added at once")
	}
	if a, b := Clean(t, store, mine), Clean(t, store, other); a != 1 || b != 2 {
		t.Errorf("%d and %d records", a, b)
	}
}

// A filter that chooses one in a log longer than what a call reads is served by going on.
func runLong(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	const count = record.MostRead + 250
	for i := 0; i < count; i += 90 {
		var some []record.Record
		for j := i; j < min(i+90, count); j++ {
			some = append(some, Example(log, storetest.Noon().Add(time.Duration(j)*time.Second), 0))
		}
		storetest.OK(t, "add", add(t.Context(), some...))
	}
	rare := Example(log, storetest.Noon().Add(count*time.Second), 0)
	rare.Actor = "dev_rare"
	storetest.OK(t, "add", add(t.Context(), rare))
	filter := record.Filter{Actor: "dev_rare"}
	for _, oldestFirst := range []bool{false, true} {
		if got := list(t, store, log, filter, oldestFirst, 10); len(got) != 1 || got[0].Actor != "dev_rare" {
			t.Errorf("oldest first %v: %v", oldestFirst, got)
		}
	}
	first, next, err := store.List(t.Context(), log, filter, true, "", 10)
	if err != nil || len(first) != 0 || next == "" {
		t.Errorf("one call read everything: %v, %q, %v", first, next, err)
	}
}

// Years without a record lie between two.
func runMonths(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	times := []time.Time{storetest.Noon().AddDate(-40, 0, 0), storetest.Noon(), storetest.Noon().AddDate(0, 1, 0),
		time.Date(2096, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(2097, 1, 1, 0, 0, 0, 0, time.UTC)}
	model := fill(t, add, log, len(times), func(i int) time.Time { return times[i] })
	both(t, store, log, model, record.Filter{}, 2)
	both(t, store, log, model, record.Filter{From: time.Time{}.AddDate(1, 0, 0), Until: storetest.Noon().AddDate(9000, 0, 0)}, 2)
	both(t, store, log, model, record.Filter{From: times[1], Until: times[4]}, 1)
	both(t, store, log, model, record.Filter{From: times[1].Add(time.Nanosecond), Until: times[4].Add(time.Nanosecond)}, 1)
	both(t, store, log, model, record.Filter{From: times[4], Until: times[0]}, 1)
}

// More months than a call looks at have a record each.
func runManyMonths(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	both(t, store, log, fill(t, add, log, 150, func(i int) time.Time { return storetest.Noon().AddDate(0, i, 0) }), record.Filter{}, 200)
}

// The first and the last of a chain need not be its oldest and its newest: a month may end in between.
func runTurns(t *testing.T, store record.Store, add Adder) {
	log, month := NewLog(), time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC)
	times := []time.Time{month.Add(time.Second), month.Add(-time.Second), month.AddDate(0, 1, 0), month.AddDate(0, 1, 0).Add(-time.Second)}
	var model []record.Record
	for i, at := range times {
		model = append(model, Example(log, at, i))
	}
	storetest.OK(t, "add", add(t.Context(), model...))
	both(t, store, log, model, record.Filter{}, 10)
}

// Any filter, any direction and any size of pages give what a look at every record gives.
func runFilters(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	// Those who write at once need not come in the order of their clocks.
	at := func(i int) time.Time {
		return storetest.Noon().Add(time.Duration(i/3)*50*time.Hour - time.Duration(i*i%7)*5*time.Minute)
	}
	model := fill(t, add, log, 60, at)
	rapid.Check(t, func(r *rapid.T) {
		filter := record.Filter{
			Subject:    rapid.SampledFrom([]string{"", "u_1", "u_2", "u_3", "u_"}).Draw(r, "subject"),
			Actor:      rapid.SampledFrom([]string{"", "", "dev_0", "dev_1", "dev_2"}).Draw(r, "actor"),
			Permission: rapid.SampledFrom([]string{"", "", "messages:send", "users:list", "users"}).Draw(r, "permission"),
			Action:     rapid.SampledFrom([]record.Action{"", "", record.GrantCreated, record.KeyCreated, record.AppDeleted}).Draw(r, "action"),
		}
		if rapid.Bool().Draw(r, "has from") {
			filter.From = at(rapid.IntRange(0, 99).Draw(r, "from")).Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, "off")) * 500 * time.Microsecond)
		}
		if rapid.Bool().Draw(r, "has until") {
			filter.Until = at(rapid.IntRange(0, 99).Draw(r, "until")).Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, "off")) * 500 * time.Microsecond)
		}
		oldestFirst, limit := rapid.Bool().Draw(r, "oldest first"), rapid.IntRange(1, 70).Draw(r, "limit")
		want(r, model, filter, oldestFirst, list(r, store, log, filter, oldestFirst, limit))
	})
}

// Who reads while others write gets once what was there before.
func runWhileWritten(t *testing.T, store record.Store, add Adder) {
	log := NewLog()
	fill(t, add, log, 30, func(i int) time.Time { return storetest.Noon().Add(time.Duration(i) * time.Minute) })
	written := make(chan error, 1)
	go func() {
		for i := range 20 {
			late := Example(log, storetest.Noon().Add(time.Duration(i*2)*time.Minute), i)
			late.Reason = "late"
			if err := add(t.Context(), late); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for _, oldestFirst := range []bool{true, false} {
		all := list(t, store, log, record.Filter{}, oldestFirst, 3)
		before := slices.DeleteFunc(slices.Clone(all), func(e record.Entry) bool { return e.Reason == "late" })
		if len(before) != 30 {
			t.Errorf("oldest first %v: %d of what was there, want 30", oldestFirst, len(before))
		}
		var positions []string
		for _, each := range all {
			positions = append(positions, each.Position())
		}
		slices.Sort(positions)
		if len(slices.Compact(slices.Clone(positions))) != len(positions) {
			t.Errorf("oldest first %v: a record twice: %s", oldestFirst, strings.Join(positions, " "))
		}
	}
	storetest.OK(t, "add", <-written)
	if got := Clean(t, store, log); got != 50 {
		t.Errorf("%d records, want 50", got)
	}
}
