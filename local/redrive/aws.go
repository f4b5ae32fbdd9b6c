package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/tokenim/tokenim/shared/awsenv"
)

const (
	// hidden is how long a letter that was received is not received again: longer than ten invocations, one after another,
	// of a function with the longest time-out of the template.
	hidden = 15 * time.Minute
	// longPoll asks all of SQS's servers, where a short poll could miss letters. At most 20 s.
	longPoll = 2 * time.Second
	// patience is how long an invocation may take; Lambda's own limit ends it sooner.
	patience = 16 * time.Minute
	// batch is the most that SQS hands out at once.
	batch = 10
)

// sqsQueue is a queue of SQS.
type sqsQueue struct {
	client *sqs.Client
	url    string
}

func newQueue(url string) *sqsQueue {
	client := sqs.NewFromConfig(awsenv.Config(), func(o *sqs.Options) { o.BaseEndpoint = awsenv.Endpoint("SQS") })
	return &sqsQueue{client: client, url: url}
}

func (q *sqsQueue) receive(ctx context.Context) ([]letter, error) {
	answer, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: batch,
		VisibilityTimeout: int32(hidden.Seconds()), WaitTimeSeconds: int32(longPoll.Seconds())})
	if err != nil {
		return nil, err
	}
	letters := make([]letter, 0, len(answer.Messages))
	for _, message := range answer.Messages {
		letters = append(letters, letter{receipt: aws.ToString(message.ReceiptHandle), body: aws.ToString(message.Body)})
	}
	return letters, nil
}

func (q *sqsQueue) remove(ctx context.Context, receipt string) error {
	_, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: &receipt})
	return err
}

// lambdaInvoker invokes functions of Lambda and waits for them.
type lambdaInvoker struct{ client *lambda.Client }

func newInvoker() lambdaInvoker {
	config := awsenv.Config()
	config.HTTPClient = awshttp.NewBuildableClient().WithTimeout(patience) // that of awsenv is for calls of milliseconds
	return lambdaInvoker{client: lambda.NewFromConfig(config, func(o *lambda.Options) {
		o.BaseEndpoint = awsenv.Endpoint("LAMBDA")
		o.RetryMaxAttempts = 1 // a lost answer must not start the function again
	})}
}

func (l lambdaInvoker) invoke(ctx context.Context, function string, payload []byte) error {
	answer, err := l.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	if answer.FunctionError != nil {
		return fmt.Errorf("%s failed again (%s), see its log", function, *answer.FunctionError)
	}
	return nil
}
