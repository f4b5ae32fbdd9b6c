package api

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
)

// Log writes one line for every failed request and for a sample of the others. A line never has content, credentials
// or anything else that the caller sent.
type Log struct {
	// Sample is the share of successes that leave a line, 0 to 1.
	Sample float64
	// Chance returns a number in [0, 1); nil means math/rand.
	Chance func() float64
}

// LogFromEnvironment sets slog to JSON on standard output and returns a log with the share of LOG_SAMPLE_RATE, 1 % where
// that is not a number.
func LogFromEnvironment() Log {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	sample, err := strconv.ParseFloat(os.Getenv("LOG_SAMPLE_RATE"), 64)
	if err != nil {
		sample = 0.01
	}
	return Log{Sample: sample}
}

// Request logs the outcome of a request or frame: refusals as warnings, our own defects as errors with their cause.
func (l Log) Request(ctx context.Context, requestID, what string, refusal *fault.Error, took time.Duration) {
	attributes := []any{"request_id", requestID, "what", what, "ms", took.Milliseconds()}
	switch {
	case refusal == nil && l.sampled():
		slog.InfoContext(ctx, "ok", attributes...)
	case refusal == nil:
	case fault.Lookup(refusal.Code).Status >= http.StatusInternalServerError:
		slog.ErrorContext(ctx, "failed", append(attributes, "code", refusal.Code, "cause", refusal.Cause)...)
	default:
		slog.WarnContext(ctx, "refused", append(attributes, "code", refusal.Code)...)
	}
}

func (l Log) sampled() bool {
	if l.Chance != nil {
		return l.Chance() < l.Sample
	}
	return rand.Float64() < l.Sample
}
