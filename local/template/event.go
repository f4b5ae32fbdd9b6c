package template

import (
	"fmt"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/pattern"
)

// maxFilters bounds the filters of one event.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
const maxFilters = 5

// events reads a function's triggers.
func (l *loader) events(function string, events map[string]event) error {
	for name, e := range events {
		read := map[string]func(string, map[string]any) error{
			"HttpApi": l.httpEvent, "DynamoDB": l.streamEvent, "SQS": l.queueEvent,
			"Schedule": func(function string, properties map[string]any) error {
				return l.scheduleEvent(function, name, properties)
			},
		}[e.Type]
		if read == nil {
			return fmt.Errorf("event %s: type %q is not supported by the laptop runner", name, e.Type)
		}
		if err := read(function, e.Properties); err != nil {
			return fmt.Errorf("event %s: %w", name, err)
		}
	}
	return nil
}

func (l *loader) httpEvent(function string, properties map[string]any) error {
	var p struct{ ApiId, Method, Path string }
	if err := decode(properties, &p); err != nil {
		return err
	}
	route := Route{Method: strings.ToUpper(first(p.Method, "ANY")), Path: p.Path, Function: function}
	if route.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" || route.Path == DefaultRoute {
		route.Method = "ANY"
	}
	if route.Path != DefaultRoute && !strings.HasPrefix(route.Path, "/") {
		return fmt.Errorf("path %q does not start with a slash", route.Path)
	}
	for _, other := range l.routes {
		if other.Key() == route.Key() {
			return fmt.Errorf("route %s is taken by %s", route.Key(), other.Function)
		}
	}
	l.routes = append(l.routes, route)
	return nil
}

func (l *loader) streamEvent(function string, properties map[string]any) error {
	var p struct {
		Stream                         string
		StartingPosition               string
		BatchSize                      *int32
		MaximumBatchingWindowInSeconds *int
		MaximumRetryAttempts           *int
		MaximumRecordAgeInSeconds      *int
		ParallelizationFactor          *int // a shard's batches come one after the other here, which is one of the ways on AWS
		BisectBatchOnFunctionError     bool
		FunctionResponseTypes          []string
		FilterCriteria                 struct{ Filters []struct{ Pattern string } }
		DestinationConfig              struct {
			OnFailure struct{ Type, Destination string }
		}
		Enabled *bool
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	t := &StreamTrigger{Function: function, FromLatest: p.StartingPosition == "LATEST", Bisect: p.BisectBatchOnFunctionError}
	var window, age int
	var errs [9]error
	t.Table, errs[0] = tableOfStream(p.Stream)
	t.BatchSize, errs[1] = within("BatchSize", p.BatchSize, 100, 1, 10_000)
	window, errs[2] = within("MaximumBatchingWindowInSeconds", p.MaximumBatchingWindowInSeconds, 0, 0, 300)
	t.Retries, errs[3] = within("MaximumRetryAttempts", p.MaximumRetryAttempts, -1, -1, 10_000)
	age, errs[4] = recordAge(p.MaximumRecordAgeInSeconds)
	_, errs[5] = within("ParallelizationFactor", p.ParallelizationFactor, 1, 1, 10)
	t.PartialBatches, errs[6] = partialBatches(p.FunctionResponseTypes)
	for _, filter := range p.FilterCriteria.Filters {
		// AWS documents the record's key dynamodb alone, and eventName in the examples of its CDK.
		passes, err := pattern.Parse(filter.Pattern, "dynamodb", "eventName")
		errs[7] = first(errs[7], err)
		t.Filters = append(t.Filters, passes)
	}
	t.Discards, errs[8] = destination(p.DestinationConfig.OnFailure.Type, p.DestinationConfig.OnFailure.Destination)
	switch err := first(errs[:]...); {
	case err != nil:
		return err
	case p.StartingPosition != "LATEST" && p.StartingPosition != "TRIM_HORIZON":
		return fmt.Errorf("StartingPosition %q: it is LATEST or TRIM_HORIZON", p.StartingPosition)
	case len(t.Filters) > maxFilters:
		return fmt.Errorf("FilterCriteria: %d filters; AWS takes %d", len(t.Filters), maxFilters)
	}
	t.Window, t.MaximumAge = time.Duration(window)*time.Second, time.Duration(age)*time.Second
	if p.Enabled == nil || *p.Enabled {
		l.tpl.Streams = append(l.tpl.Streams, t)
	}
	return nil
}

// recordAge reads MaximumRecordAgeInSeconds: 0, where the template says -1 or nothing, is without a limit.
func recordAge(seconds *int) (int, error) {
	if seconds != nil && *seconds == -1 {
		return 0, nil
	}
	return within("MaximumRecordAgeInSeconds", seconds, 0, 60, 7*24*60*60)
}

// destination reads where the records go that a function is not called with any more; "" is nowhere.
func destination(kind, arn string) (queue string, err error) {
	if kind == "" && arn == "" {
		return "", nil
	}
	if queue = queueOfARN(arn); queue == "" || kind != "SQS" {
		return "", fmt.Errorf("DestinationConfig: OnFailure %s %q is not a queue of this template", kind, arn)
	}
	return queue, nil
}

// tableOfStream takes the table's name out of a stream ARN.
func tableOfStream(stream string) (string, error) {
	_, rest, ok := strings.Cut(stream, ":table/")
	name, _, hasStream := strings.Cut(rest, "/stream/")
	if !ok || !hasStream {
		return "", fmt.Errorf("%q is not the StreamArn of a table of this template", stream)
	}
	return name, nil
}
