package connection

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// FailureCode says why a push did not reach its device.
type FailureCode string

// The codes.
const (
	// Gone is a connection that has closed without a word.
	Gone FailureCode = "gone"
	// Refused is a post that API Gateway did not take, as where there are too many.
	Refused FailureCode = "refused"
	// TimedOut is a post that got no answer in time.
	TimedOut FailureCode = "timed_out"
)

// Failure is a push that did not reach its device.
type Failure struct {
	// Device and Connection are where it should have come.
	Device, Connection string
	// Code says why it did not.
	Code FailureCode
	// At is when.
	At time.Time
}

// Failures keeps the pushes that failed, for whoever asks what became of a message. trace.Notes is one.
type Failures interface {
	// Note keeps that devices of the user were not given the conversation's entries from the one sequence to the other. What
	// was noted of an entry and the user before is replaced.
	Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, failed []Failure) error
}

// notePatience is how long whoever pushes waits for a note. It is made only where a push has failed.
const notePatience = time.Second

// NoteFailures has the failures kept, if there are any. That goes wrong at nobody's cost: the note is for those who look for
// a reason later.
func NoteFailures(ctx context.Context, kept Failures, app id.App, user id.User, conversation id.Conversation, from, to int64, failed []Failure) {
	if kept == nil || from == 0 || len(failed) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, notePatience)
	defer cancel()
	if err := kept.Note(ctx, app, user, conversation, from, to, failed); err != nil {
		slog.WarnContext(ctx, "failed push not noted", "error", err)
	}
}

// FailureOf returns the failure of a post to the device at the time.
func FailureOf(err error, device, connection string, at time.Time) Failure {
	failure := Failure{Device: device, Connection: connection, Code: Refused, At: at}
	switch {
	case errors.Is(err, ErrGone):
		failure.Code = Gone
	case errors.Is(err, context.DeadlineExceeded):
		failure.Code = TimedOut
	}
	return failure
}
