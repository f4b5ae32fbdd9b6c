package budget

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	// warmUps are the requests before the count begins: they start the functions and fill their caches.
	warmUps = 3
	// settleLimit bounds the wait for what happens behind an answer.
	settleLimit = 10 * time.Second
)

// Cost is what a request costs, on average over those that were measured.
type Cost struct {
	// WriteUnits and ReadUnits are those of DynamoDB, Calls its requests.
	WriteUnits, ReadUnits, Calls float64
	// Posts are frames posted to sockets, Deletes sockets closed by the platform, Invocations those of functions.
	Posts, Deletes, Invocations float64
	// KeyLoads are reads of the table of wrapped data keys. KMS is called after such a read only, so none means none.
	KeyLoads float64
	// LogLines were printed by the functions and the runner.
	LogLines float64
	// Scans names the scans, of which there must be none.
	Scans []string
}

// writes are the operations whose failed conditions cost a unit on AWS.
var writes = map[string]bool{"dynamodb:PutItem": true, "dynamodb:UpdateItem": true, "dynamodb:DeleteItem": true}

// Count returns what was counted since the last reset for n requests, by the functions, or by all where none is named.
func (p *Platform) Count(n int, functions ...string) Cost {
	snapshot := p.Runner.Stats()
	keys := p.Runner.Environment("MessagesFunction")["TABLE_DATA_KEYS"]
	counts := func(function string) bool { return len(functions) == 0 || slices.Contains(functions, function) }
	var sum Cost
	for _, used := range snapshot.DynamoDB {
		if counts(used.Function) {
			sum.add(used, keys)
		}
	}
	events := func(kind string) (total float64) {
		for function, count := range snapshot.Events[kind] {
			if counts(function) {
				total += float64(count)
			}
		}
		return total
	}
	sum.Posts, sum.Deletes, sum.Invocations = events("posts"), events("deletes"), events("invocations")
	return sum.over(float64(n))
}

// add adds what a function did to a table.
func (c *Cost) add(used meter.Usage, keys string) {
	units := used.WriteUnits
	if writes[used.Action] {
		// The engine names no units where a condition fails; AWS charges the write all the same.
		units = max(units, float64(used.Calls))
	}
	c.WriteUnits += units
	c.ReadUnits += used.ReadUnits
	c.Calls += float64(used.Calls)
	if used.Table == keys {
		c.KeyLoads += float64(used.Calls)
	}
	if used.Action == "dynamodb:Scan" {
		c.Scans = append(c.Scans, used.Function+" scans "+used.Table)
	}
}

// over returns the average over n requests.
func (c Cost) over(n float64) Cost {
	return Cost{WriteUnits: c.WriteUnits / n, ReadUnits: c.ReadUnits / n, Calls: c.Calls / n, Posts: c.Posts / n, Deletes: c.Deletes / n,
		Invocations: c.Invocations / n, KeyLoads: c.KeyLoads / n, Scans: c.Scans}
}

// Measure prepares the row and runs its request n times, one after the other.
//
// What is measured is what the requests cost whatever else happens. By chance a function is still busy behind its answer
// when the next request comes, which makes a cold start and reads the app's data key; one seal in 4,096 writes down how often
// the key was used; and what an earlier row left behind can come to its end late. So a run with a cold start, and one that
// exceeds the row's budget, is measured again: what a request costs by itself exceeds it every time.
func (p *Platform) Measure(ctx context.Context, row Row, n int) (Cost, error) {
	for attempt := 1; ; attempt++ {
		cost, err := p.measureOnce(ctx, row, n)
		if err != nil || attempt == measureAttempts || !p.coldStarted() && len(row.Exceeded(cost, n)) == 0 {
			return cost, err
		}
	}
}

// measureAttempts bounds how often a row is measured.
const measureAttempts = 6

// coldStarted tells whether a function has started since the counters were reset.
func (p *Platform) coldStarted() bool { return len(p.Runner.Stats().Events["cold_starts"]) > 0 }

func (p *Platform) measureOnce(ctx context.Context, row Row, n int) (Cost, error) {
	request, err := row.Prepare(ctx, p, n+warmUps)
	if err != nil {
		return Cost{}, fmt.Errorf("prepare %q: %w", row.What, err)
	}
	if err := repeat(request, 0, warmUps); err != nil {
		return Cost{}, fmt.Errorf("warm up %q: %w", row.What, err)
	}
	if err := p.settle(ctx); err != nil {
		return Cost{}, err
	}
	if err := p.Reset(ctx); err != nil {
		return Cost{}, err
	}
	printed := p.lines.count.Load()
	if err := repeat(request, warmUps, n); err != nil {
		return Cost{}, fmt.Errorf("measure %q: %w", row.What, err)
	}
	if err := p.settle(ctx); err != nil {
		return Cost{}, err
	}
	cost := p.Count(n, row.Functions...)
	cost.LogLines = float64(p.lines.count.Load()-printed) / float64(n)
	return cost, nil
}

// Reset sets the counters to zero.
func (p *Platform) Reset(ctx context.Context) error {
	_, err := p.do(ctx, p.App.With(""), client.Request{Path: "/_local/stats/reset", Body: "{}"})
	return err
}

// repeat runs the request n times, with the numbers from the first on.
func repeat(request Request, first, n int) error {
	for i := range n {
		if err := request(first + i); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until nothing is counted any more: a $disconnect or a resume may still run behind an answer.
func (p *Platform) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	ticker := time.NewTicker(settleQuiet)
	defer ticker.Stop()
	for before := ""; ; {
		now := fmt.Sprint(p.Runner.Stats())
		if now == before {
			return nil
		}
		before = now
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the platform does not come to rest: %w", ctx.Err())
		}
	}
}

// settleQuiet is how long the counters have to stand still.
const settleQuiet = 100 * time.Millisecond

// Price returns the dollars per million such requests by the formula of figures.md; in is the price of the request
// itself. Lambda's time is an assumption: see AssumedLambda.
func (c Cost) Price(in float64) float64 {
	const wru, rru, invocation, frame, second = 0.625, 0.125, 0.20, 1.00, 0.0133334
	return in + frame*c.Posts + wru*c.WriteUnits + rru*c.ReadUnits +
		c.Invocations*(invocation+second*assumedMilliseconds*assumedGB)
}

const (
	assumedMilliseconds = 30
	assumedGB           = 0.25
	// AssumedLambda is what Price takes for the time of an invocation until it is measured on AWS.
	AssumedLambda = "30 ms at 256 MB an invocation"
)
