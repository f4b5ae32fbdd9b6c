package queues

import (
	"crypto/md5" // the checksum of SQS's protocol
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// event is the form in which Lambda passes messages on.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
type event struct {
	Records []record
}

type record struct {
	MessageID         string            `json:"messageId"`
	ReceiptHandle     string            `json:"receiptHandle"`
	Body              string            `json:"body"`
	Attributes        map[string]string `json:"attributes"`
	MessageAttributes struct{}          `json:"messageAttributes"` // the stand-in takes none
	MD5OfBody         string            `json:"md5OfBody"`
	EventSource       string            `json:"eventSource"`
	EventSourceARN    string            `json:"eventSourceARN"`
	Region            string            `json:"awsRegion"`
}

// newEvent returns the event as JSON.
func newEvent(q *queue, batch []message) ([]byte, error) {
	e := event{Records: make([]record, 0, len(batch))}
	for _, m := range batch {
		e.Records = append(e.Records, record{
			MessageID: m.ID, ReceiptHandle: m.handle(), Body: m.Body, Attributes: m.attributes(), MD5OfBody: checksum(m.Body),
			EventSource: "aws:sqs", EventSourceARN: q.ARN(), Region: template.Region})
	}
	return plainjson.Encode(e)
}

func checksum(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// failures reads a partial batch response. An empty list, or no answer at all, is success; an answer that is not understood,
// or names a message that is not there, fails the batch.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#sqs-batchfailurereporting-conditions
func failures(batch []message, answer []byte) (map[string]bool, error) {
	if len(answer) == 0 {
		return nil, nil
	}
	var response struct {
		Failures []struct {
			Item string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		return all(batch), fmt.Errorf("read the partial batch response: %w", err)
	}
	if len(response.Failures) == 0 {
		return nil, nil
	}
	given, failed := all(batch), map[string]bool{}
	for _, f := range response.Failures {
		if !given[f.Item] {
			return given, errors.New("the function reports a failed message that it was not given")
		}
		failed[f.Item] = true
	}
	return failed, errors.New("the function reports failed messages")
}
