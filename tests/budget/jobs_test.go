package budget_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/tokenim/tokenim/tests/budget"
)

// TestWhatABroadcastCosts measures what its job takes for each user: with those to whom the sender is new, and with those who have
// talked with it. A hundred users are in 16 parts of the directory, each with a write of its own; of many, 200 share one. It has a platform of
// its own: all users of the app get it.
func TestWhatABroadcastCosts(t *testing.T) {
	own, err := budget.Start(t.Context(), budget.Options{Root: "../..", Folder: t.TempDir(), Memory: true, Meter: true})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	var sender budget.User
	for range 101 {
		if sender, err = own.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []budget.Row{
		{What: "to a user whom the sender has never written to", WriteUnits: 5.4, ReadUnits: 2.3},
		{What: "to a user whom it has", WriteUnits: 3.4, ReadUnits: 2.3},
	} {
		if err := own.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent, err := own.Broadcast(t.Context(), sender)
		if err != nil || sent != 100 {
			t.Fatalf("sent to %d, %v", sent, err)
		}
		cost := own.Count(100, "UserJobsFunction")
		t.Logf("%s: %.2f write and %.2f read units", row.What, cost.WriteUnits, cost.ReadUnits)
		if cost.WriteUnits > row.WriteUnits || cost.ReadUnits > row.ReadUnits || cost.WriteUnits < row.WriteUnits-1 {
			t.Errorf("%s: %.2f write and %.2f read units, the budget is %.1f and %.1f", row.What, cost.WriteUnits, cost.ReadUnits, row.WriteUnits, row.ReadUnits)
		}
	}
}

// TestWhatAnImportCosts measures what its job takes for each user that it registers: in one transaction, the record, the claim to the
// name with its place in the directory, the routing record, and the result of the row.
func TestWhatAnImportCosts(t *testing.T) {
	names, run := make([]string, 100), rand.Text()[:6] // the platform keeps the names of an earlier run
	for i := range names {
		names[i] = fmt.Sprint("imported-", run, i)
	}
	if err := platform.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	registered, err := platform.Import(t.Context(), names)
	if err != nil || registered != 100 {
		t.Fatalf("registered %d, %v", registered, err)
	}
	const writes, reads = 12.2, 0.2
	cost := platform.Count(100, "UserJobsFunction")
	t.Logf("%.2f write and %.2f read units", cost.WriteUnits, cost.ReadUnits)
	if cost.WriteUnits > writes || cost.ReadUnits > reads || cost.WriteUnits < writes-1 {
		t.Errorf("%.2f write and %.2f read units, the budget is %.1f and %.1f", cost.WriteUnits, cost.ReadUnits, writes, reads)
	}
}
