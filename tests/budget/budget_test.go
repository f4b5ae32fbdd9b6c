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
			within(t, row, cost, requests)
		})
	}
}

func within(t *testing.T, row budget.Row, cost budget.Cost, n int) {
	t.Helper()
	for _, exceeded := range row.Exceeded(cost, n) {
		t.Error(exceeded)
	}
	if cost.LogLines != 0 {
		t.Errorf("the last of the log lines: %s", platform.LastLine())
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
	within(t, row, cost, friends)
	if cost.WriteUnits < 2.1 {
		t.Errorf("%.3f write units: the ring did not overflow, so this test tests nothing", cost.WriteUnits)
	}
}

// TestTheEngineChargesBySize keeps the other tests honest: on an engine that charged one unit whatever the size, budgets
// would hold by themselves.
func TestTheEngineChargesBySize(t *testing.T) {
	// The budget is what it has to cost: Measure tries again where something late comes on top of it.
	row := budget.Row{What: "4 KB", WriteUnits: 6, ReadUnits: 4.5, Invocations: 1, Prepare: func(ctx context.Context, p *budget.Platform, _ int) (budget.Request, error) {
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
