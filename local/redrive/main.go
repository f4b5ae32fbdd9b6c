// Command redrive invokes a function again for each invocation in its dead-letter queue, and empties the queue of those
// that succeed.
//
//	go run ./local/redrive -queue <ResumeDeadLettersUrl of the stack> -function <ResumeFunctionName of the stack>
//
// Each function that works in the background has a queue of its own, so each is redriven for itself. A letter of another
// function is kept.
//
// Region and credentials come from AWS_REGION and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, as
// `aws configure export-credentials --format env` prints them. It exits with 1 when letters were kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

func main() {
	url := flag.String("queue", "", "URL of the function's dead-letter queue, such as the stack's output ResumeDeadLettersUrl")
	function := flag.String("function", "", "the function's name, such as the stack's output ResumeFunctionName")
	flag.Parse()
	if *url == "" || *function == "" || os.Getenv("AWS_REGION") == "" || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		fmt.Fprintln(os.Stderr, "redrive: -queue, -function, AWS_REGION and AWS_ACCESS_KEY_ID are needed; see -help")
		os.Exit(2)
	}
	report := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "redrive: "+format+"\n", args...) }
	counted, err := redrive(context.Background(), newQueue(*url), *function, newInvoker(), report)
	fmt.Printf("%d invoked again, %d kept\n", counted.done, counted.kept)
	if err != nil {
		report("%v", err)
	}
	if err != nil || counted.kept > 0 {
		os.Exit(1)
	}
}
