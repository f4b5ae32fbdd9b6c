package template

import (
	"fmt"
	"strings"
	"time"
)

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
		BatchSize                      int32
		MaximumBatchingWindowInSeconds int
		MaximumRetryAttempts           *int
		BisectBatchOnFunctionError     bool // the whole batch is tried again instead
		FunctionResponseTypes          []string
		Enabled                        *bool
		MaximumRecordAgeInSeconds      ignored
		ParallelizationFactor          ignored
		DestinationConfig              ignored
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	table, err := tableOfStream(p.Stream)
	if err != nil {
		return err
	}
	trigger := &StreamTrigger{
		Function: function, Table: table, BatchSize: first(p.BatchSize, 100),
		Window: time.Duration(p.MaximumBatchingWindowInSeconds) * time.Second, FromLatest: p.StartingPosition == "LATEST",
		Retries: -1,
	}
	if p.MaximumRetryAttempts != nil {
		trigger.Retries = *p.MaximumRetryAttempts
	}
	for _, kind := range p.FunctionResponseTypes {
		trigger.PartialBatches = trigger.PartialBatches || kind == "ReportBatchItemFailures"
	}
	if p.Enabled == nil || *p.Enabled {
		l.tpl.Streams = append(l.tpl.Streams, trigger)
	}
	return nil
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
