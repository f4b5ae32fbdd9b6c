package table

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestVerdict(t *testing.T) {
	const none, no, conflict, throttled = "None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"
	used, taken, defect := errors.New("used"), errors.New("taken"), errors.New("any other")
	work := &Transaction{Doing: "test", steps: []step{{refusal: used}, {refusal: taken}, {}}}
	for name, test := range map[string]struct {
		codes []string
		want  error
	}{
		"the first refusal":                {[]string{no, none, none}, used},
		"the second refusal":               {[]string{none, no, none}, taken},
		"both: the first counts":           {[]string{no, no, no}, used},
		"a conflict: try again":            {[]string{conflict, none, none}, nil},
		"a conflict before a refusal":      {[]string{conflict, no, none}, nil},
		"a conflict behind a refusal":      {[]string{no, conflict, none}, used},
		"throttling: try again":            {[]string{none, throttled, none}, nil},
		"a condition that is never false":  {[]string{none, none, no}, defect},
		"a malformed request":              {[]string{"ValidationError", none, none}, defect},
		"a refusal before what is no good": {[]string{none, no, no}, taken},
		"more reasons than steps":          {[]string{none, none, none, no}, defect},
		"nothing":                          {nil, nil},
	} {
		var reasons []types.CancellationReason
		for _, code := range test.codes {
			reasons = append(reasons, types.CancellationReason{Code: &code})
		}
		_, err := work.verdict(reasons)
		isDefect := err != nil && !errors.Is(err, used) && !errors.Is(err, taken)
		if test.want == defect && !isDefect || test.want != defect && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// The item of a refusal goes to the step that asked for it.
func TestVerdictDecodesWhatStands(t *testing.T) {
	type row struct {
		Name string `dynamodbav:"name"`
	}
	code, refusal := "ConditionalCheckFailed", errors.New("refused")
	for name, test := range map[string]struct {
		item Item
		want string
		err  error
	}{
		"an item":      {Item{"name": S("standing")}, "standing", refusal},
		"no item":      {nil, "before", refusal},
		"not readable": {Item{"name": &types.AttributeValueMemberL{}}, "before", nil},
	} {
		first, second := row{"before"}, row{"before"}
		work := &Transaction{Doing: "test", steps: []step{{standing: &first}, {refusal: refusal, standing: &second}}}
		_, err := work.verdict([]types.CancellationReason{{}, {Code: &code, Item: test.item}})
		if first.Name != "before" || test.err != nil && (err != test.err || second.Name != test.want) {
			t.Errorf("%s: %v, standing %+v and %+v", name, err, first, second)
		}
		if test.err == nil && (err == nil || errors.Is(err, refusal)) {
			t.Errorf("%s: %v, want a defect", name, err)
		}
	}
}
