package storetest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/table/storetest"
)

func all(int) bool { return true }

func fill(stale storetest.Staleness, rows int) *storetest.Table[int, int] {
	table := storetest.NewTable[int, int](stale)
	for i := range rows {
		table.Put(i, i)
	}
	return table
}

// pages reads a table weakly some times over.
func pages(table *storetest.Table[int, int], times int) [][]int {
	var read [][]int
	for range times {
		read = append(read, table.Select(false, all))
	}
	return read
}

func TestWeakReadsAreNoSnapshots(t *testing.T) {
	table := fill(storetest.Staleness{Seed: 1, Lag: 5}, 20)
	gap := false
	for _, page := range pages(table, 50) {
		if !slices.IsSorted(page) || len(page) < 15 {
			t.Fatalf("page %v: only the last 5 writes may be missing", page)
		}
		gap = gap || len(page) > 0 && page[len(page)-1] != len(page)-1
	}
	if !gap {
		t.Error("no page had an entry missing in the middle")
	}
	if strong := table.Select(true, all); len(strong) != 20 {
		t.Errorf("a strong read saw %v", strong)
	}
	table.Settle()
	if settled := table.Select(false, all); len(settled) != 20 {
		t.Errorf("after Settle a weak read saw %v", settled)
	}
}

func TestStalenessFollowsTheSeed(t *testing.T) {
	read := func(seed uint64) [][]int {
		return pages(fill(storetest.Staleness{Seed: seed, Lag: storetest.AnyAge}, 20), 20)
	}
	same := func(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }
	if !same(read(1), read(1)) {
		t.Error("one seed gave two histories")
	}
	if same(read(1), read(2)) {
		t.Error("two seeds gave one history")
	}
}

func TestStaleRowsAreOldOnes(t *testing.T) {
	table := storetest.NewTable[string, int](storetest.Staleness{Seed: 3, Lag: storetest.AnyAge})
	for i := 1; i <= 3; i++ {
		table.Put("row", i)
	}
	table.Delete("row")
	seen := map[int]bool{}
	for range 200 {
		row, exists := table.Get("row", false)
		if exists == (row == 0) {
			t.Fatalf("row %d, exists %v", row, exists)
		}
		seen[row] = true
	}
	if len(seen) != 4 {
		t.Errorf("weak reads saw %v, want none, 1, 2 and 3", seen)
	}
	if _, exists := table.Get("row", true); exists {
		t.Error("a strong read saw a deleted row")
	}
}

func TestFuse(t *testing.T) {
	for _, test := range []struct {
		fuse     *storetest.Fuse
		happened []bool
		failed   []bool
	}{
		{&storetest.Fuse{}, []bool{true, true, true}, []bool{false, false, false}},
		{&storetest.Fuse{At: 2}, []bool{true, false, true}, []bool{false, true, false}},
		{&storetest.Fuse{At: 2, TookEffect: true}, []bool{true, true, true}, []bool{false, true, false}},
		{&storetest.Fuse{At: 2, Dies: true}, []bool{true, false, false}, []bool{false, true, true}},
		{&storetest.Fuse{At: 2, TookEffect: true, Dies: true}, []bool{true, true, false}, []bool{false, true, true}},
	} {
		for i := range test.happened {
			happened := false
			err := test.fuse.Write(func() error { happened = true; return nil })
			if happened != test.happened[i] || errors.Is(err, storetest.ErrFuse) != test.failed[i] {
				t.Errorf("%+v, write %d: happened %v, %v", test.fuse, i+1, happened, err)
			}
		}
		if dead := test.fuse.Read() != nil; dead != (test.fuse.Dies && test.fuse.Blown()) {
			t.Errorf("%+v: dead %v", test.fuse, dead)
		}
	}
}
