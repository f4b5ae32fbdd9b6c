package accountdb

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/account"
)

func TestVerdict(t *testing.T) {
	const none, no, conflict, throttled = "None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"
	work := &transaction{doing: "test", refusals: []error{account.ErrUsed, account.ErrTaken, nil}}
	defect := errors.New("any other")
	for name, test := range map[string]struct {
		codes []string
		want  error
	}{
		"the first refusal":                {[]string{no, none, none}, account.ErrUsed},
		"the second refusal":               {[]string{none, no, none}, account.ErrTaken},
		"both: the first counts":           {[]string{no, no, no}, account.ErrUsed},
		"a conflict: try again":            {[]string{conflict, none, none}, nil},
		"a conflict before a refusal":      {[]string{conflict, no, none}, nil},
		"a conflict behind a refusal":      {[]string{no, conflict, none}, account.ErrUsed},
		"throttling: try again":            {[]string{none, throttled, none}, nil},
		"a condition that is never false":  {[]string{none, none, no}, defect},
		"a malformed request":              {[]string{"ValidationError", none, none}, defect},
		"a refusal before what is no good": {[]string{none, no, no}, account.ErrTaken},
		"nothing":                          {nil, nil},
	} {
		var reasons []types.CancellationReason
		for _, code := range test.codes {
			reasons = append(reasons, types.CancellationReason{Code: &code})
		}
		err := work.verdict(reasons)
		isDefect := err != nil && !errors.Is(err, account.ErrUsed) && !errors.Is(err, account.ErrTaken)
		if test.want == defect && !isDefect || test.want != defect && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}
