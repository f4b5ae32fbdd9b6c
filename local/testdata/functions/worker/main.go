// Command worker is the queue function of the runner's own tests. Called with jobs it queues them; what comes from the queue
// it notes, and a job that is to fail it reports.
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
	Delay   int             `json:"delay"` // seconds, of a single job
	Records json.RawMessage `json:"Records"`
}

var (
	jobs  = queue.FromEnvironment("JOBS_QUEUE")
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
		return work(ctx, raw)
	case len(r.Jobs) == 1:
		return nil, jobs.Send(ctx, r.Jobs[0], time.Duration(r.Delay)*time.Second)
	}
	return nil, jobs.SendAll(ctx, r.Jobs...)
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
		if err := note(ctx, j.Name+" "+m.Attributes["ApproximateReceiveCount"], m.EventSourceARN); err != nil {
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
