package fault_test

import (
	"errors"
	"fmt"

	"github.com/tokenim/tokenim/shared/fault"
)

// A domain function returns a refusal; the edges turn it into an answer in the caller's language.
func Example() {
	err := fmt.Errorf("send: %w", fault.New(fault.KnownAhead, 7))

	refusal := fault.Of(err)
	entry := fault.Lookup(refusal.Code)
	fmt.Println(entry.Status, refusal.Code, entry.Retryable)
	fmt.Println(entry.Title.In(fault.English))
	fmt.Println(refusal.Detail(fault.English))
	fmt.Println(refusal.Detail(fault.Chinese))
	// Output:
	// 409 known_ahead false
	// Known sequence lies ahead
	// The conversation has no message 7 yet.
	// 该会话还没有序号为 7 的消息。
}

// Whatever is no refusal is a defect of ours: its text is logged and never sent.
func ExampleOf() {
	refusal := fault.Of(errors.New("dial tcp 10.0.0.7: refused"))
	fmt.Println(refusal.Detail(fault.English))
	fmt.Println(refusal)
	// Output:
	// Something went wrong on our side; it has been logged under the request ID.
	// internal_error: Something went wrong on our side; it has been logged under the request ID.: dial tcp 10.0.0.7: refused
}
