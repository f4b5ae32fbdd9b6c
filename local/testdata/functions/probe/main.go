// Command probe is a function for the runner's own tests: it does what the event's "do" says, or, called over HTTP, what
// the query's "do" says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Do    string            `json:"do"`
	MS    int               `json:"ms"`
	Text  string            `json:"text"`
	Bytes int               `json:"bytes"`
	Query map[string]string `json:"queryStringParameters"`
	HTTP  string            `json:"version"`
}

var calls atomic.Int64

func main() { lambda.Start(handle) }

func handle(ctx context.Context, event json.RawMessage) (any, error) {
	var o order
	if err := json.Unmarshal(event, &o); err != nil {
		return nil, err
	}
	if o.HTTP == "2.0" {
		return serve(ctx, o, event)
	}
	return do(ctx, o, event)
}

// serve answers an HTTP API: without "do" with the event itself.
func serve(ctx context.Context, o order, event json.RawMessage) (any, error) {
	switch o.Do = o.Query["do"]; o.Do {
	case "":
		return map[string]any{"statusCode": 200, "headers": map[string]any{"content-type": "application/json"}, "body": string(event)}, nil
	case "cookies":
		return map[string]any{"statusCode": 201, "cookies": []string{"a=1", "b=2"}, "body": "aGk=", "isBase64Encoded": true}, nil
	case "plain":
		return map[string]any{"hello": "world"}, nil
	case "cors":
		return map[string]any{"statusCode": 200, "headers": map[string]any{"access-control-allow-origin": "https://evil.example", "x-n": 3}}, nil
	}
	_, _ = fmt.Sscan(o.Query["ms"], &o.MS) // 0 where it is no number
	return do(ctx, o, event)
}

func do(ctx context.Context, o order, event json.RawMessage) (any, error) {
	switch o.Do {
	case "sleep":
		time.Sleep(time.Duration(o.MS) * time.Millisecond)
	case "hang": // deaf to its deadline
		select {}
	case "spin":
		for {
			time.Sleep(time.Hour)
		}
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(7)
	case "error":
		return nil, errors.New(o.Text)
	case "big":
		return strings.Repeat("x", o.Bytes), nil
	case "print":
		fmt.Println(o.Text)
	case "note": // leaves a line in a file, for tests that count attempts
		return note(o.Text)
	}
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"pid": os.Getpid(), "calls": calls.Add(1), "env": os.Environ(), "left_ms": time.Until(deadline).Milliseconds(),
		"request_id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "event": event,
	}, nil
}

func note(path string) (any, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.WriteString("x\n"); err != nil {
		return nil, err
	}
	return nil, errors.New("noted, and failed on purpose")
}
