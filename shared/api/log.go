package api

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
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
	// Namespace is where CloudWatch puts the lines' metrics; empty for lines without metrics.
	Namespace string
}

// LogFromEnvironment sets slog to JSON on standard output and returns a log with the share of LOG_SAMPLE_RATE, 1 % where
// that is not a number, and with metrics in METRICS_NAMESPACE where METRICS is "yes".
func LogFromEnvironment() Log {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: lambdaNames})))
	sample, err := strconv.ParseFloat(os.Getenv("LOG_SAMPLE_RATE"), 64)
	if err != nil {
		sample = 0.01
	}
	log := Log{Sample: sample}
	if os.Getenv("METRICS") == "yes" {
		log.Namespace = os.Getenv("METRICS_NAMESPACE")
	}
	return log
}

// lambdaNames calls the time what Lambda calls it: it heeds a line's own level only beside a timestamp that it knows.
func lambdaNames(groups []string, attribute slog.Attr) slog.Attr {
	if len(groups) == 0 && attribute.Key == slog.TimeKey {
		attribute.Key = "timestamp"
	}
	return attribute
}

// Request logs the outcome of a request or frame: refusals as warnings, our own defects as errors with their cause. The
// operation is a route's pattern or a frame's action, never what the caller wrote; where there is none it ends with a
// space or is empty, and is logged as unknown.
func (l Log) Request(ctx context.Context, requestID, operation string, refusal *fault.Error, took time.Duration) {
	if operation == "" || strings.HasSuffix(operation, " ") {
		operation += "unknown"
	}
	line := outcome{operation: operation, code: succeeded, took: took, stands: 1}
	attributes := []any{"request_id", requestID}
	switch {
	case refusal == nil && l.sampled():
		line.stands = max(1, 1/l.Sample)
		slog.InfoContext(ctx, "ok", append(attributes, l.measured(line)...)...)
	case refusal == nil:
	case fault.Lookup(refusal.Code).Status >= http.StatusInternalServerError:
		line.code = string(refusal.Code)
		slog.ErrorContext(ctx, "failed", append(append(attributes, "cause", refusal.Cause), l.measured(line)...)...)
	default:
		line.code = string(refusal.Code)
		slog.WarnContext(ctx, "refused", append(attributes, l.measured(line)...)...)
	}
}

func (l Log) sampled() bool {
	if l.Chance != nil {
		return l.Chance() < l.Sample
	}
	return rand.Float64() < l.Sample
}
