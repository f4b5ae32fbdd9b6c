package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
)

func TestRefusalsSurviveWrapping(t *testing.T) {
	refusal := fault.New(fault.UserNotFound, "to")
	wrapped := fmt.Errorf("send: %w", refusal)
	if got := fault.Of(wrapped); got != refusal {
		t.Errorf("Of = %v, want %v", got, refusal)
	}
	if !fault.Is(wrapped, fault.UserNotFound) || fault.Is(wrapped, fault.KeyNotFound) || fault.Is(nil, fault.UserNotFound) {
		t.Error("Is")
	}
}

func TestOtherErrorsAreInternal(t *testing.T) {
	cause := errors.New("table secret-table: throttled")
	refusal := fault.Of(cause)
	if refusal.Code != fault.Internal || !errors.Is(refusal, cause) || fault.Is(cause, fault.Internal) {
		t.Errorf("Of = %+v", refusal)
	}
	for _, language := range []fault.Language{fault.English, fault.Chinese} {
		if detail := refusal.Detail(language); strings.Contains(detail, "secret-table") {
			t.Errorf("the detail shows the cause: %q", detail)
		}
	}
	if !strings.Contains(refusal.Error(), "secret-table") {
		t.Errorf("the log line %q lacks the cause", refusal)
	}
}

func TestInvalid(t *testing.T) {
	refusal := fault.Invalid(fault.Field{Name: "to", Code: fault.FieldMissing, Args: []any{"to"}},
		fault.Field{Name: "message", Code: fault.FieldTooLong, Args: []any{"message", "4096 bytes"}})
	if refusal.Code != fault.FieldMissing || len(refusal.Fields) != 2 {
		t.Fatalf("Invalid = %+v", refusal)
	}
	if got, want := refusal.Detail(fault.English), `The field "to" is required.`; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
	if got, want := refusal.Fields[1].Detail(fault.Chinese), `字段 "message" 过长；最多为 4096 bytes。`; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
}
