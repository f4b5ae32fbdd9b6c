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

// What a field says besides, and texts among the arguments, are in the language of the rest.
func TestDetailsSpeakOneLanguage(t *testing.T) {
	refusal := fault.Invalid(fault.Field{Name: "until", Code: fault.FieldInvalid, Args: []any{"until"}, More: fault.MustBeFuture})
	unfit := fault.New(fault.PermissionUnfit, "apps:read", fault.Text{EN: "users", ZH: "用户"})
	choice := fault.Field{Name: "order", Code: fault.FieldInvalid, Args: []any{"order"}, More: fault.OneOf("asc, desc")}
	for got, want := range map[string]string{
		refusal.Detail(fault.English): `The field "until" has a value that is not allowed here. It has to lie in the future.`,
		refusal.Detail(fault.Chinese): `字段 "until" 的值在此处不被允许。该时间须在将来。`,
		unfit.Detail(fault.English):   "The permission apps:read cannot be granted to users.",
		unfit.Detail(fault.Chinese):   "权限 apps:read 不能授予用户。",
		choice.Detail(fault.English):  `The field "order" has a value that is not allowed here. It is one of: asc, desc.`,
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
