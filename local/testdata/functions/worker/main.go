// Command worker is the queue function of the runner's own tests. Called with jobs it queues them; what comes from the queue
// it notes, and a job that is to fail it reports. What is sent in lines goes through a FIFO queue, in the group that the first
// letter names. Changes of the table come by its stream, those that the template's filter lets through.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/table"
)

type job struct {
	Name  string `json:"name"`
	Fails bool   `json:"fails"`
}

type request struct {
	Jobs    []any           `json:"jobs"`
	Lines   []string        `json:"lines"`
	Delay   int             `json:"delay"` // seconds, of a single job
	Records json.RawMessage `json:"Records"`
}

var (
	jobs  = queue.FromEnvironment("JOBS_QUEUE")
	lines = queue.FromEnvironment("LINES_QUEUE")
	notes = table.Client()
)

func main() { lambda.Start(handle) }

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var r request
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	switch {
	case r.Records != nil:
		return records(ctx, raw)
	case r.Lines != nil:
		return nil, lines.SendOrdered(ctx, ordered(r.Lines))
	case len(r.Jobs) == 1:
		return nil, jobs.Send(ctx, r.Jobs[0], time.Duration(r.Delay)*time.Second)
	}
	return nil, jobs.SendAll(ctx, r.Jobs...)
}

// records takes what an event source sends.
func records(ctx context.Context, raw json.RawMessage) (any, error) {
	var changes events.DynamoDBEvent
	if err := json.Unmarshal(raw, &changes); err != nil || changes.Records[0].EventSource != "aws:dynamodb" {
		return work(ctx, raw)
	}
	for _, r := range changes.Records {
		if err := note(ctx, "change of "+r.Change.Keys["pk"].String(), r.EventName); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func ordered(names []string) (messages []queue.Ordered) {
	for _, name := range names {
		messages = append(messages, queue.Ordered{Body: job{Name: name}, Group: name[:1], ID: name})
	}
	return messages
}

func work(ctx context.Context, raw json.RawMessage) (any, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, err
	}
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, m := range event.Records {
		var j job
		if err := json.Unmarshal([]byte(m.Body), &j); err != nil {
			return nil, err
		}
		if err := note(ctx, j.Name+" "+m.Attributes["ApproximateReceiveCount"], m.EventSourceARN+m.Attributes["MessageGroupId"]+m.Attributes["SequenceNumber"]); err != nil {
			return nil, err
		}
		if j.Fails {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return response, nil
}

func note(ctx context.Context, key, text string) error {
	_, err := notes.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(os.Getenv("TABLE_NOTES")),
		Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}, "text": &types.AttributeValueMemberS{Value: text}}})
	return err
}
