package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// letter is an invocation that failed for good.
type letter struct {
	// receipt stands for it at the queue.
	receipt string
	// body is the record that Lambda wrote of it.
	body string
}

// queue is where dead letters wait.
type queue interface {
	// receive hides up to ten letters from other readers for a while and returns them; none means that the queue is empty,
	// but for letters that are hidden.
	receive(ctx context.Context) ([]letter, error)
	// remove takes a letter out for good.
	remove(ctx context.Context, receipt string) error
}

// invoker runs a function to its end. An error means that it was not run or has failed.
type invoker interface {
	invoke(ctx context.Context, function string, payload []byte) error
}

// record is what Lambda sends to a destination on failure.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type record struct {
	RequestContext struct {
		RequestID   string `json:"requestId"`
		FunctionArn string `json:"functionArn"`
		Condition   string `json:"condition"`
	} `json:"requestContext"`
	RequestPayload json.RawMessage `json:"requestPayload"`
}

// outcome counts the letters of a run.
type outcome struct{ done, kept int }

// redrive invokes the function again for each letter, waits for its end, and removes the letter only after success. What
// fails stays in the queue and is reported; the next run tries it again. A letter may run twice, so functions that are
// invoked in the background have to bear that, as they do with Lambda itself.
func redrive(ctx context.Context, from queue, function string, with invoker, report func(format string, args ...any)) (outcome, error) {
	var counted outcome
	for {
		letters, err := from.receive(ctx)
		if err != nil {
			return counted, fmt.Errorf("receive dead letters: %w", err)
		}
		if len(letters) == 0 {
			return counted, nil
		}
		for _, letter := range letters {
			if err := again(ctx, letter.body, function, with); err != nil {
				report("kept: %v", err)
				counted.kept++
				continue
			}
			if err := from.remove(ctx, letter.receipt); err != nil {
				return counted, fmt.Errorf("remove a dead letter: %w", err)
			}
			counted.done++
		}
	}
}

// again invokes the function with what a letter holds. Errors name the request, never its payload.
func again(ctx context.Context, body, function string, with invoker) error {
	var failed record
	if err := json.Unmarshal([]byte(body), &failed); err != nil {
		return errors.New("a message that Lambda did not write")
	}
	request := failed.RequestContext
	if name := functionName(request.FunctionArn); name != function {
		return fmt.Errorf("request %s is for the function %q, not for %s", request.RequestID, name, function)
	}
	if len(failed.RequestPayload) == 0 {
		return fmt.Errorf("request %s has no payload", request.RequestID)
	}
	if err := with.invoke(ctx, function, failed.RequestPayload); err != nil {
		return fmt.Errorf("request %s (%s): %w", request.RequestID, request.Condition, err)
	}
	return nil
}

// functionName takes the name out of arn:aws:lambda:<Region>:<account>:function:<name>[:<qualifier>].
func functionName(arn string) string {
	const before = 6
	parts := strings.Split(arn, ":")
	if len(parts) <= before {
		return arn
	}
	return parts[before]
}
