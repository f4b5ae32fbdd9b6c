package table_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table"
)

func TestName(t *testing.T) {
	t.Setenv("TABLE_THINGS", "things-4711")
	if got := table.Name("THINGS"); got != "things-4711" {
		t.Errorf("Name = %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a missing variable was taken")
		}
	}()
	table.Name("NO_SUCH")
}

func TestPauseDoublesAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for attempt, want := range []time.Duration{0, 50, 100, 200, 400, 800, 1600} {
			before := time.Now()
			err := table.Pause(t.Context(), attempt)
			if got := time.Since(before); err != nil || got > 2*want*time.Millisecond || attempt == 0 && got != 0 {
				t.Errorf("attempt %d paused %v, %v", attempt, got, err)
			}
		}
		if err := table.Pause(t.Context(), 7); !fault.Is(err, fault.Overtaken) {
			t.Errorf("attempt 7: %v, want %s", err, fault.Overtaken)
		}
		if err := table.Backoff(t.Context(), 7); !fault.Is(err, fault.Unavailable) {
			t.Errorf("attempt 7 of what is throttled: %v, want %s", err, fault.Unavailable)
		}
	})
}

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, attempt := range []int{0, 1, 6} {
		if err := table.Pause(ctx, attempt); !errors.Is(err, context.Canceled) {
			t.Errorf("attempt %d: %v", attempt, err)
		}
	}
}

func TestClassify(t *testing.T) {
	refusal, defect := fault.New(fault.UsernameTaken), errors.New("validation: reserved word")
	for name, test := range map[string]struct {
		err  error
		want fault.Code
	}{
		"throttled table":      {&types.ProvisionedThroughputExceededException{}, fault.Unavailable},
		"throttled account":    {&types.RequestLimitExceeded{}, fault.Unavailable},
		"throttled":            {&types.ThrottlingException{}, fault.Unavailable},
		"their failure":        {&types.InternalServerError{}, fault.Unavailable},
		"transaction conflict": {&types.TransactionConflictException{}, fault.Overtaken},
		"no time left":         {fmt.Errorf("http: %w", context.DeadlineExceeded), fault.Unavailable},
		"a refusal stays":      {refusal, fault.UsernameTaken},
		"a defect of ours":     {defect, fault.Internal},
	} {
		err := table.Classify("read things", test.err)
		if got := fault.Of(err).Code; got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %v is %s, want %s", name, err, got, test.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	type row struct {
		Name string `dynamodbav:"name"`
	}
	refused := &types.ConditionalCheckFailedException{Item: table.Item{"name": table.S("standing")}}
	existing := row{Name: "before"}
	if err := table.Outcome("write", refused, &existing); err != table.ErrCondition || existing.Name != "standing" {
		t.Errorf("Outcome = %v, existing %+v", err, existing)
	}
	if err := table.Outcome("write", refused, nil); err != table.ErrCondition {
		t.Errorf("Outcome without existing = %v", err)
	}
	untouched := row{Name: "before"}
	if err := table.Outcome("write", &types.ConditionalCheckFailedException{}, &untouched); err != table.ErrCondition || untouched.Name != "before" {
		t.Errorf("Outcome of no item = %v, existing %+v", err, untouched)
	}
	if err := table.Outcome("write", nil, nil); err != nil {
		t.Errorf("Outcome of success = %v", err)
	}
}
