package budget_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/budget"
)

// requests are measured for each row: enough that one in sixteen shows.
const requests = 16

// epsilon is below the smallest unit that a single request of those could add.
const epsilon = 0.5/requests - 0.001

// platform is shared by the tests of this package: what each of them counts begins with a reset.
var platform *budget.Platform

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "tokenim-budget-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	platform, err = budget.Start(context.Background(), budget.Options{Root: "../..", Folder: folder, Memory: true, Meter: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer platform.Close()
	return m.Run()
}

func TestBudgets(t *testing.T) {
	for _, row := range budget.Rows {
		t.Run(row.What, func(t *testing.T) {
			cost, err := platform.Measure(t.Context(), row, requests)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v, $%.2f per million", cost, cost.Price(row.In))
			within(t, row, cost)
		})
	}
}

func within(t *testing.T, row budget.Row, cost budget.Cost) {
	t.Helper()
	if cost.WriteUnits > row.WriteUnits+epsilon || cost.ReadUnits > row.ReadUnits+epsilon {
		t.Errorf("%.2f write and %.2f read units, the budget is %.2f and %.2f", cost.WriteUnits, cost.ReadUnits, row.WriteUnits, row.ReadUnits)
	}
	if cost.Posts != row.Posts || cost.Invocations != row.Invocations {
		t.Errorf("%.2f posts and %.2f invocations, want %.0f and %.0f", cost.Posts, cost.Invocations, row.Posts, row.Invocations)
	}
	if cost.Deletes != 0 || cost.LogLines != 0 || cost.Scans != nil {
		t.Errorf("%.2f sockets closed, %.2f log lines, scans %v; want none; last line: %s", cost.Deletes, cost.LogLines, cost.Scans, platform.LastLine())
	}
	if cost.KeyLoads != 0 {
		t.Errorf("%.2f loads of data keys: with KMS each could be a call of it", cost.KeyLoads)
	}
	if price := cost.Price(row.In); row.Dollars > 0 && price > row.Dollars {
		t.Errorf("$%.2f per million, the budget is $%.2f", price, row.Dollars)
	}
}

// TestRingOverflow has one user hear from two hundred others in turn, so that every message changes another
// conversation, and the ring of sixteen is emptied by half every eight messages.
func TestRingOverflow(t *testing.T) {
	const friends = 200
	row := budget.Row{What: "ring overflow", WriteUnits: 2.2, ReadUnits: 4, Invocations: 1, Prepare: func(ctx context.Context, p *budget.Platform, n int) (budget.Request, error) {
		return p.Crowd(ctx, n, friends)
	}}
	cost, err := platform.Measure(t.Context(), row, friends)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", cost)
	within(t, row, cost)
	if cost.WriteUnits < 2.1 {
		t.Errorf("%.3f write units: the ring did not overflow, so this test tests nothing", cost.WriteUnits)
	}
}

// TestTheEngineChargesBySize keeps the other tests honest: on an engine that charged one unit whatever the size, budgets
// would hold by themselves.
func TestTheEngineChargesBySize(t *testing.T) {
	row := budget.Row{What: "4 KB", Prepare: func(ctx context.Context, p *budget.Platform, _ int) (budget.Request, error) {
		ann, bob, _, err := p.Pair(ctx)
		return func(int) error {
			_, err := p.Send(ctx, ann.ID, bob.ID, map[string]any{"message": strings.Repeat("x", 4096)})
			return err
		}, err
	}}
	cost, err := platform.Measure(t.Context(), row, requests)
	if err != nil {
		t.Fatal(err)
	}
	if cost.WriteUnits != 6 { // an entry of 4 to 5 KB, and the routing record
		t.Errorf("a message of 4 KB costs %.2f write units", cost.WriteUnits)
	}
}
