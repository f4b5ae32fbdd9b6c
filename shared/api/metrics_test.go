package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
)

// lines returns what the log writes about the outcome, through the handler that functions have.
func lines(t *testing.T, log Log, operation string, refusal *fault.Error) []map[string]any {
	t.Helper()
	var printed bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&printed, &slog.HandlerOptions{ReplaceAttr: lambdaNames})))
	defer slog.SetDefault(before)
	log.Request(t.Context(), "r1", operation, refusal, 1500*time.Microsecond)
	var found []map[string]any
	for line := range strings.Lines(printed.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		found = append(found, members)
	}
	return found
}

// sampling returns a log that samples one success in a hundred, and whether it hits.
func sampling(hits bool) Log {
	chance := 0.5
	if hits {
		chance = 0
	}
	return Log{Sample: 0.01, Chance: func() float64 { return chance }, Namespace: "TokenIM/test"}
}

func TestMetricsRideOnTheLinesThatThereAre(t *testing.T) {
	internal := fault.Of(errors.New("the table is gone"))
	for name, c := range map[string]struct {
		log       Log
		operation string
		refusal   *fault.Error
		want      map[string]any
	}{
		"sampled success": {sampling(true), "POST /send", nil,
			map[string]any{"level": "INFO", "operation": "POST /send", "code": "ok", "requests": 100.0, "latency": 1.0}},
		"refusal": {sampling(false), "socket send", fault.New(fault.ActionUnknown),
			map[string]any{"level": "WARN", "operation": "socket send", "code": "action_unknown", "requests": 1.0}},
		"defect": {sampling(false), "socket ", internal,
			map[string]any{"level": "ERROR", "operation": "socket unknown", "code": "internal_error", "requests": 1.0}},
		"unknown route": {sampling(false), "", fault.New(fault.RouteNotFound), map[string]any{"operation": "unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := lines(t, c.log, c.operation, c.refusal)
			if len(found) != 1 {
				t.Fatalf("%d lines, want one: %v", len(found), found)
			}
			for member, want := range c.want {
				if found[0][member] != want {
					t.Errorf("%s = %v, want %v", member, found[0][member], want)
				}
			}
			checkEmbedded(t, found[0])
		})
	}
	if found := lines(t, sampling(false), "POST /send", nil); len(found) != 0 {
		t.Errorf("a success outside the sample left %v", found)
	}
}

// checkEmbedded holds a line to the embedded metric format: what _aws names has to be there, with the right kind of value.
func checkEmbedded(t *testing.T, line map[string]any) {
	t.Helper()
	if _, err := time.Parse(time.RFC3339, line["timestamp"].(string)); err != nil {
		t.Errorf("timestamp: %v", err)
	}
	text, err := json.Marshal(line["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	var aws embedded
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&aws); err != nil {
		t.Fatalf("_aws %s: %v", text, err)
	}
	if age := time.Since(time.UnixMilli(aws.Timestamp)); age < 0 || age > time.Minute {
		t.Errorf("_aws.Timestamp is not now, in milliseconds: %d", aws.Timestamp)
	}
	if len(aws.CloudWatchMetrics) == 0 {
		t.Error("no metric directives")
	}
	for _, directive := range aws.CloudWatchMetrics {
		checkDirective(t, line, directive)
	}
}

func checkDirective(t *testing.T, line map[string]any, directive directive) {
	t.Helper()
	if directive.Namespace != "TokenIM/test" || len(directive.Dimensions) == 0 || len(directive.Metrics) == 0 {
		t.Errorf("directive %+v", directive)
	}
	for _, set := range directive.Dimensions {
		for _, name := range set {
			if value, _ := line[name].(string); value == "" || len(value) > 1024 {
				t.Errorf("dimension %s = %v, want 1 to 1,024 characters", name, line[name])
			}
		}
	}
	for _, metric := range directive.Metrics {
		if _, ok := line[metric.Name].(float64); !ok || metric.Unit != "Count" && metric.Unit != "Milliseconds" {
			t.Errorf("metric %+v = %v, want a number with a unit of CloudWatch", metric, line[metric.Name])
		}
	}
}

// TestLatencyByOperationIsOfSuccesses: all failures and a sample of the successes make no percentile.
func TestLatencyByOperationIsOfSuccesses(t *testing.T) {
	log := sampling(true)
	for _, code := range []string{succeeded, string(fault.Internal)} {
		noted := false
		for _, directive := range log.directives(code) {
			for _, set := range directive.Dimensions {
				for _, metric := range directive.Metrics {
					noted = noted || set[0] == memberOperation && metric.Name == memberLatency
				}
			}
		}
		if noted != (code == succeeded) {
			t.Errorf("latency by operation for code %s: %v", code, noted)
		}
	}
}

func TestMetricsCanBeSwitchedOff(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for metrics, want := range map[string]string{"yes": "TokenIM/x", "no": "", "": ""} {
		t.Setenv("METRICS", metrics)
		t.Setenv("METRICS_NAMESPACE", "TokenIM/x")
		if got := LogFromEnvironment().Namespace; got != want {
			t.Errorf("METRICS=%q: namespace %q, want %q", os.Getenv("METRICS"), got, want)
		}
	}
	if line := lines(t, Log{Sample: 1}, "POST /send", nil)[0]; line["_aws"] != nil || line["requests"] != 1.0 {
		t.Errorf("without a namespace: %v", line)
	}
}
