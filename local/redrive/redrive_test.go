package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// memory is a queue that hides what it has handed out, as SQS does. Its receipts are the letters' places.
type memory struct {
	letters []string
	next    int
	removed []string
}

func (m *memory) receive(context.Context) ([]letter, error) {
	var found []letter
	for ; m.next < len(m.letters) && len(found) < 2; m.next++ {
		found = append(found, letter{receipt: fmt.Sprint(m.next), body: m.letters[m.next]})
	}
	return found, nil
}

func (m *memory) remove(_ context.Context, receipt string) error {
	m.removed = append(m.removed, receipt)
	return nil
}

// fickle is a function that fails for some payloads.
type fickle struct{ invoked []string }

func (f *fickle) invoke(_ context.Context, function string, payload []byte) error {
	f.invoked = append(f.invoked, function+" "+string(payload))
	if strings.Contains(string(payload), "broken") {
		return errors.New("failed again")
	}
	return nil
}

// dead is a record as Lambda writes it.
func dead(function, payload string) string {
	return fmt.Sprintf(`{"version":"1.0","timestamp":"2026-11-21T10:00:00.000Z","requestContext":{"requestId":"r1",
		"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:%s:$LATEST","condition":"RetriesExhausted",
		"approximateInvokeCount":3},"requestPayload":%s,"responseContext":{"statusCode":200,"functionError":"Unhandled"}}`, function, payload)
}

func TestRedriveRemovesWhatSucceeds(t *testing.T) {
	from := &memory{letters: []string{
		dead("stack-Resume", `{"user":"u_1"}`), dead("stack-Resume", `{"user":"broken"}`), dead("other", `{"user":"u_2"}`),
		"no record", `{"requestContext":{"functionArn":"stack-Resume"}}`, dead("stack-Resume", `{"user":"u_3"}`)}}
	function := &fickle{}
	var reported []string
	counted, err := redrive(t.Context(), from, "stack-Resume", function, func(format string, args ...any) {
		reported = append(reported, fmt.Sprintf(format, args...))
	})
	if err != nil || counted != (outcome{done: 2, kept: 4}) {
		t.Errorf("redrive = %+v, %v", counted, err)
	}
	if want := []string{"0", "5"}; !slices.Equal(from.removed, want) {
		t.Errorf("removed %v, want %v", from.removed, want)
	}
	if want := []string{`stack-Resume {"user":"u_1"}`, `stack-Resume {"user":"broken"}`, `stack-Resume {"user":"u_3"}`}; !slices.Equal(function.invoked, want) {
		t.Errorf("invoked %v, want %v", function.invoked, want)
	}
	if all := strings.Join(reported, "\n"); len(reported) != 4 || strings.Contains(all, "u_") || strings.Contains(all, "broken") {
		t.Errorf("reported, without payloads: %q", reported)
	}
}
