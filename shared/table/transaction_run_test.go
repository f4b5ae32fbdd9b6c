package table_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var (
	errFirst  = errors.New("first")
	errSecond = errors.New("second")
	errThird  = errors.New("third")
	errFourth = errors.New("fourth")
)

// moving takes a thing from one place to another: put, update, remove and check, each on its condition.
func moving(db *dynamodb.Client, name string, standing *thing) *table.Transaction {
	size := map[string]string{"#size": "size"}
	work := &table.Transaction{DB: db, Doing: "move a thing"}
	work.Put(name, thing{"a", "new", 1}, "attribute_not_exists(pk)", errFirst)
	work.Standing(standing)
	work.Update(table.Update{Table: name, Key: table.Key("a", "count"), Set: "ADD #size :one", If: "#size < :limit", Names: size,
		Values: table.Item{":one": table.N(1), ":limit": table.N(3)}}, errSecond)
	work.Standing(standing)
	work.Remove(table.Update{Table: name, Key: table.Key("a", "old"), If: "attribute_exists(pk)"}, errThird)
	work.Check(table.Update{Table: name, Key: table.Key("a", "bar"), If: "attribute_not_exists(pk)"}, errFourth)
	return work
}

func TestTransaction(t *testing.T) {
	db, tables := enginetest.Start(t)
	name := tables["TABLE_CONVERSATIONS"]
	write := func(row thing) { storetest.OK(t, "Put", table.Put(t.Context(), db, name, row, "", nil, nil)) }
	remove := func(sort string) {
		_, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: table.Key("a", sort)})
		storetest.OK(t, "DeleteItem", err)
	}
	write(thing{"a", "new", 9})
	write(thing{"a", "count", 3})
	write(thing{"a", "bar", 0})
	// Each refusal, the first first, and what puts it right.
	for _, test := range []struct {
		want     error
		standing thing
		right    func()
	}{
		{errFirst, thing{"a", "new", 9}, func() { remove("new") }},
		{errSecond, thing{"a", "count", 3}, func() { write(thing{"a", "count", 2}) }},
		{errThird, thing{}, func() { write(thing{"a", "old", 0}) }},
		{errFourth, thing{}, func() { remove("bar") }},
	} {
		var standing thing
		if err := moving(db, name, &standing).Run(t.Context()); err != test.want || standing != test.standing {
			t.Fatalf("Run = %v, standing %+v; want %v, %+v", err, standing, test.want, test.standing)
		}
		test.right()
	}
	storetest.OK(t, "Run", moving(db, name, new(thing)).Run(t.Context()))
	found, err := table.BatchGet(t.Context(), db, table.Read{Table: name, Strong: true, Keys: []table.Item{
		table.Key("a", "new"), table.Key("a", "count"), table.Key("a", "old"), table.Key("a", "bar")}})
	storetest.OK(t, "BatchGet", err)
	wantSorts(t, "after all", found[name], "count", "new")
}

// What is added to a clone is not in the transaction.
func TestTransactionClone(t *testing.T) {
	db, tables := enginetest.Start(t)
	name := tables["TABLE_CONVERSATIONS"]
	work := &table.Transaction{DB: db, Doing: "test"}
	work.Put(name, thing{"a", "1", 0}, "", nil)
	clone := work.Clone()
	clone.Add(types.TransactWriteItem{Put: &types.Put{TableName: &name, Item: table.Key("a", "2")}}, nil)
	work.Put(name, thing{"a", "3", 0}, "", nil)
	storetest.OK(t, "Run", clone.Run(t.Context()))
	found, err := table.BatchGet(t.Context(), db, table.Read{Table: name, Strong: true, Keys: []table.Item{
		table.Key("a", "1"), table.Key("a", "2"), table.Key("a", "3")}})
	storetest.OK(t, "BatchGet", err)
	wantSorts(t, "the clone's", found[name], "1", "2")
}

// unwritable is a value that cannot be encoded.
type unwritable struct{}

func (unwritable) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) { return nil, errFirst }

// A row that cannot be encoded is told before anything is sent.
func TestTransactionOfWhatIsNoRow(t *testing.T) {
	work := &table.Transaction{Doing: "test"}
	work.Put("things", struct{ Part unwritable }{}, "", errSecond)
	if err := work.Run(t.Context()); !errors.Is(err, errFirst) {
		t.Errorf("Run = %v", err)
	}
}

// script answers each request with the next of its answers, and keeps the requests' tokens.
type script struct {
	answers, tokens []string
}

func (s *script) Do(request *http.Request) (*http.Response, error) {
	var sent struct{ ClientRequestToken string }
	if err := json.NewDecoder(request.Body).Decode(&sent); err != nil {
		return nil, err
	}
	answer, status := s.answers[min(len(s.tokens), len(s.answers)-1)], http.StatusOK
	s.tokens = append(s.tokens, sent.ClientRequestToken)
	if answer != "{}" {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// run runs a transaction against the script.
func (s *script) run(t *testing.T) error {
	work := &table.Transaction{Doing: "test", DB: dynamodb.New(dynamodb.Options{Region: "eu-central-1", HTTPClient: s,
		Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})}
	work.Put("things", thing{}, "attribute_not_exists(pk)", errFirst)
	return work.Run(t.Context())
}

// What DynamoDB answers: names of its errors, and of reasons.
const (
	errorName  = `{"__type":"com.amazonaws.dynamodb.v20120810#`
	conflict   = errorName + `TransactionCanceledException","CancellationReasons":[{"Code":"TransactionConflict"}]}`
	inProgress = errorName + `TransactionInProgressException"}`
	malformed  = `{"__type":"com.amazon.coral.validate#ValidationException"}`
	done       = `{}`
)

// A transaction that was in another's way is another request the next time; one that is still under way is the same.
func TestTransactionTriesAgain(t *testing.T) {
	network := &script{answers: []string{conflict, inProgress, inProgress, conflict, done}}
	storetest.OK(t, "Run", network.run(t))
	tokens := network.tokens
	if len(tokens) != 5 || tokens[1] != tokens[2] || tokens[2] != tokens[3] {
		t.Fatalf("sent as %v, want the second three times", tokens)
	}
	for _, token := range tokens {
		if token == "" || len(token) > 36 {
			t.Errorf("token %q, which DynamoDB does not take", token)
		}
	}
	if tokens[0] == tokens[1] || tokens[3] == tokens[4] || tokens[0] == tokens[4] {
		t.Errorf("sent as %v: a request that was cancelled was sent again", tokens)
	}
}

func TestTransactionGivesUp(t *testing.T) {
	for name, test := range map[string]struct {
		answer   string
		want     fault.Code
		requests int
	}{
		"always in the way": {conflict, fault.Overtaken, 7},
		"never done":        {inProgress, fault.Unavailable, 7},
		"malformed":         {malformed, fault.Internal, 1},
	} {
		synctest.Test(t, func(t *testing.T) { // the pauses take no time
			network := &script{answers: []string{test.answer}}
			if err := network.run(t); fault.Of(err).Code != test.want || len(network.tokens) != test.requests {
				t.Errorf("%s: %v after %d requests; want %s after %d", name, err, len(network.tokens), test.want, test.requests)
			}
		})
	}
}
