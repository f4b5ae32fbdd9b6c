package streams

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// event is the form in which Lambda passes records on.
func event(batch []types.Record, arn string) map[string]any {
	records := make([]map[string]any, 0, len(batch))
	for _, r := range batch {
		records = append(records, record(r, arn))
	}
	return map[string]any{"Records": records}
}

func record(r types.Record, arn string) map[string]any {
	change := map[string]any{
		"Keys": attributes(r.Dynamodb.Keys), "SequenceNumber": sequence(r),
		"SizeBytes": aws.ToInt64(r.Dynamodb.SizeBytes), "StreamViewType": r.Dynamodb.StreamViewType,
	}
	if at := r.Dynamodb.ApproximateCreationDateTime; at != nil {
		change["ApproximateCreationDateTime"] = at.Unix()
	}
	if r.Dynamodb.NewImage != nil {
		change["NewImage"] = attributes(r.Dynamodb.NewImage)
	}
	if r.Dynamodb.OldImage != nil {
		change["OldImage"] = attributes(r.Dynamodb.OldImage)
	}
	result := map[string]any{
		"eventID": aws.ToString(r.EventID), "eventName": r.EventName, "eventVersion": aws.ToString(r.EventVersion),
		"eventSource": "aws:dynamodb", "awsRegion": aws.ToString(r.AwsRegion), "dynamodb": change, "eventSourceARN": arn,
	}
	if r.UserIdentity != nil { // the service itself, for expired items
		result["userIdentity"] = map[string]any{"type": aws.ToString(r.UserIdentity.Type), "principalId": aws.ToString(r.UserIdentity.PrincipalId)}
	}
	return result
}

func sequence(r types.Record) string { return aws.ToString(r.Dynamodb.SequenceNumber) }

func attributes(item map[string]types.AttributeValue) map[string]any {
	result := make(map[string]any, len(item))
	for name, value := range item {
		result[name] = attribute(value)
	}
	return result
}

// attribute writes a value in DynamoDB's JSON form, such as {"S": "x"}.
func attribute(value types.AttributeValue) map[string]any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": attributes(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]any, 0, len(v.Value))
		for _, item := range v.Value {
			list = append(list, attribute(item))
		}
		return map[string]any{"L": list}
	}
	return nil
}

// errReported is the error of a batch of which the function reports a part as failed.
var errReported = errors.New("the function reports failed records")

// failed reads a partial batch response: everything from the first failed record on comes again. An empty list, or no
// answer at all, is success; an answer that is not understood, or names a record that is not there, fails the batch.
func failed(batch []types.Record, answer []byte) ([]types.Record, error) {
	var response struct {
		Failures []struct {
			Item string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		return batch, fmt.Errorf("read the partial batch response: %w", err)
	}
	if len(response.Failures) == 0 {
		return nil, nil
	}
	named := map[string]bool{}
	for _, f := range response.Failures {
		named[f.Item] = true
	}
	for i, r := range batch {
		if named[sequence(r)] {
			return batch[i:], errReported
		}
	}
	return batch, errors.New("the function reports a failed record that it was not given")
}
