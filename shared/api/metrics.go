package api

import "time"

// succeeded stands for a code on the lines of successes.
const succeeded = "ok"

// The members of a log line that are metrics or their dimensions.
const (
	memberOperation = "operation"
	memberCode      = "code"
	memberRequests  = "requests"
	memberLatency   = "latency"
)

// outcome is what a log line says of a request.
type outcome struct {
	operation, code string
	took            time.Duration
	// stands is how many requests the line stands for: one in a sample stands for those that left none.
	stands float64
}

// measured returns the members of a line that count: how many requests it stands for, and its latency in milliseconds.
// With a namespace the line says in CloudWatch's embedded metric format that these are metrics; CloudWatch reads them from
// the log, so there is no call and no line of their own.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (l Log) measured(line outcome) []any {
	members := []any{memberOperation, line.operation, memberCode, line.code, memberRequests, line.stands, memberLatency, line.took.Milliseconds()}
	if l.Namespace == "" {
		return members
	}
	return append(members, "_aws", embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: l.directives(line.code)})
}

// embedded is the member _aws of a line with metrics. The specification gives the names.
type embedded struct {
	Timestamp         int64 // Unix milliseconds
	CloudWatchMetrics []directive
}

// directive says which members are metrics, and under which sets of dimensions.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// directives counts a request by its operation and by its code, not by both together: CloudWatch bills each combination.
//
// Failures are all logged and successes sampled. A percentile knows no weights, so under an operation only successes have
// their latency noted; under a code all lines are sampled alike.
func (l Log) directives(code string) []directive {
	byEach := [][]string{{memberOperation}, {memberCode}}
	requests, latency := metric{memberRequests, "Count"}, metric{memberLatency, "Milliseconds"}
	if code == succeeded {
		return []directive{{l.Namespace, byEach, []metric{requests, latency}}}
	}
	return []directive{
		{l.Namespace, byEach, []metric{requests}},
		{l.Namespace, [][]string{{memberCode}}, []metric{latency}},
	}
}
