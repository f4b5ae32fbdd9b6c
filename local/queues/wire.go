package queues

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/meter"
)

// target begins the X-Amz-Target of SQS's requests; the operation follows.
const target = "AmazonSQS."

// maxRequest bounds a request in bytes: a batch of 1 MiB, each byte of which may be six of JSON.
const maxRequest = 8 << 20

// Takes tells whether a request is for SQS.
func Takes(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("X-Amz-Target"), target) }

// refusal is an error of SQS's.
type refusal struct {
	name    string // of the type, as the SDK knows it
	message string
	status  int // 400 where it is 0
}

func (r *refusal) Error() string { return r.name + ": " + r.message }

func refuse(name, format string, arguments ...any) error {
	return &refusal{name: name, message: fmt.Sprintf(format, arguments...)}
}

// The names of refusals.
const (
	invalidValue = "InvalidParameterValue"
	missing      = "MissingParameter"
	unsupported  = "UnsupportedOperation"
)

// plain are the errors whose code has no prefix in the older protocol, which the SDK reports in place of the type's name.
var plain = map[string]bool{invalidValue: true, missing: true, "InvalidMessageContents": true, "ReceiptHandleIsInvalid": true,
	"InvalidAttributeName": true, "ServiceUnavailable": true, "InternalFailure": true}

// code is the error's code in the older protocol.
func (r *refusal) code() string {
	switch {
	case plain[r.name]:
		return r.name
	case r.name == "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	}
	return "AWS.SimpleQueueService." + r.name
}

// call is one request to a queue.
type call struct {
	*http.Request
	service *Service
	queue   *queue
	body    []byte
}

// operations are what the stand-in knows of SQS.
var operations = map[string]func(*call) (any, error){
	"SendMessage": sendMessage, "SendMessageBatch": sendMessageBatch, "ReceiveMessage": receiveMessage,
	"DeleteMessage": deleteMessage, "ChangeMessageVisibility": changeVisibility, "GetQueueAttributes": queueAttributes,
}

// ServeHTTP serves SQS's protocol: AWS JSON 1.0, one POST for every operation.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", lambda.NewRequestID())
	answer, err := s.serve(w, r)
	if err != nil {
		fail(w, err)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // the client is gone if this fails
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	if take(&s.fails) {
		return nil, &refusal{name: "ServiceUnavailable", message: "failed on purpose", status: http.StatusServiceUnavailable}
	}
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	do := operations[operation]
	if !ok || do == nil || r.Method != http.MethodPost {
		return nil, refuse(unsupported, "the stand-in for SQS does not know %q", operation)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, &refusal{name: "RequestEntityTooLarge", message: err.Error(), status: http.StatusRequestEntityTooLarge}
	}
	q, err := s.addressed(body)
	if err != nil {
		return nil, err
	}
	return do(&call{Request: r, service: s, queue: q, body: body})
}

// addressed finds the queue that a request names by its URL.
func (s *Service) addressed(body []byte) (*queue, error) {
	var request struct{ QueueUrl string }
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, refuse(invalidValue, "the request is not JSON: %v", err)
	}
	for _, q := range s.queues {
		if q.URL() == request.QueueUrl {
			return q, nil
		}
	}
	return nil, refuse("QueueDoesNotExist", "The specified queue %q does not exist in the template.", request.QueueUrl)
}

// input reads a request and refuses what the stand-in does not know, which could change what AWS does.
func input[T any](c *call) (into T, err error) {
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&into); err != nil {
		return into, refuse(unsupported, "not understood by the stand-in for SQS: %v", err)
	}
	return into, nil
}

// count tells the meter of the request. A request of no function is a tool's.
func (c *call) count(action string, messages, bytes int) {
	if c.service.options.Count == nil || c.function() == "" {
		return
	}
	c.service.options.Count(meter.QueueOperation{Function: c.function(), Action: "sqs:" + action, Queue: c.queue.Name}, messages, bytes)
}

// function is the one that makes the request, or "".
func (c *call) function() string {
	if c.service.options.Caller == nil {
		return ""
	}
	return c.service.options.Caller(c.Context())
}

func fail(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{name: "InternalFailure", message: err.Error(), status: http.StatusInternalServerError}
	}
	whose := "Sender"
	if r.status >= http.StatusInternalServerError {
		whose = "Receiver"
	}
	if r.status == 0 {
		r.status = http.StatusBadRequest
	}
	w.Header().Set("X-Amzn-Query-Error", r.code()+";"+whose)
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + r.name, "message": r.message}) // as above
}
