package messagedb_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// conflicts answers so many requests that a transaction is in their way, then that they are done.
type conflicts int

func (c *conflicts) Do(*http.Request) (*http.Response, error) {
	answer, status := "{}", http.StatusOK
	if *c > 0 {
		*c--
		answer, status = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException"}`, http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// A message is sent while an operation is put at the same number: the message waits for what comes of that.
func TestAppendWaitsForTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the pauses take no time
		network := conflicts(3)
		log := &messagedb.Log{Table: "messages", DB: dynamodb.New(dynamodb.Options{Region: "eu-central-1", HTTPClient: &network,
			Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})}
		storetest.OK(t, "Append", log.Append(t.Context(), messagetest.NewEntry()))
	})
}

// A mark moves while the user's other device removes something: that transaction has the same row.
func TestMarksWaitForTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the pauses take no time
		network := conflicts(3)
		members := &messagedb.Members{Table: "conversations", DB: dynamodb.New(dynamodb.Options{Region: "eu-central-1", HTTPClient: &network,
			Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})}
		for name, mark := range map[string]func() error{
			"acknowledged": func() error {
				_, _, err := members.Acknowledge(t.Context(), id.Source{}.App(), "u_1", "c_1", 1)
				return err
			},
			"read": func() error {
				_, _, err := members.MarkRead(t.Context(), id.Source{}.App(), "u_1", "c_1", 1, 1)
				return err
			},
		} {
			network = 3
			if err := mark(); !errors.Is(err, message.ErrNotMember) { // the answer after the conflicts has no row
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
