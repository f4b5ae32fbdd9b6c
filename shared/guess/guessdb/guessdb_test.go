package guessdb_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guessdb"
	"github.com/tokenim/tokenim/shared/guess/guesstest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// start returns a store on an engine of its own.
func start(t *testing.T) *guessdb.Store {
	client, tables := enginetest.Start(t)
	return &guessdb.Store{DB: client, Table: cmp.Or(tables["TABLE_DEVELOPERS"], tables["TABLE_KEYS"])}
}

func TestStore(t *testing.T) { guesstest.Run(t, start(t)) }

// The row stands under the hash alone, with the time to live in seconds.
func TestRow(t *testing.T) {
	store := start(t)
	limiter := guesstest.Limiter(store)
	storetest.OK(t, "Take", limiter.Take(t.Context(), "login#ann@example.com", guesstest.Rule))
	var item map[string]any
	key := table.Key("guess#"+id.Hash("guess", "login#ann@example.com"), "-")
	ok, err := table.Get(t.Context(), store.DB, store.Table, key, true, &item)
	if err != nil || !ok {
		t.Fatalf("no row: %v, %v", ok, err)
	}
	want := storetest.Noon().Add(guesstest.Rule.Forget).Unix() + 1
	if expires, _ := item["expires"].(float64); int64(expires) != want {
		t.Errorf("expires %v, want %d", item["expires"], want)
	}
	for name, value := range item {
		if text, _ := value.(string); strings.Contains(text, "ann") {
			t.Errorf("%s is %q", name, text)
		}
	}
}

// lossy is a network on which the first answer to a write gets lost.
type lossy struct {
	http.RoundTripper
	writes atomic.Int64
}

var errLost = errors.New("connection reset by peer")

func (l *lossy) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(request)
	if err == nil && strings.HasSuffix(request.Header.Get("X-Amz-Target"), ".PutItem") && l.writes.Add(1) == 1 {
		_ = answer.Body.Close()
		return nil, errLost
	}
	return answer, err
}

// A write whose answer got lost counts once, though the SDK sends it twice.
func TestALostAnswerCountsOnce(t *testing.T) {
	store, network := start(t), &lossy{RoundTripper: http.DefaultTransport}
	direct := *store
	store.DB = dynamodb.New(store.DB.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: network} })
	storetest.OK(t, "Take", guesstest.Limiter(store).Take(t.Context(), "subject", guesstest.Rule))
	if network.writes.Load() != 2 {
		t.Fatalf("%d writes were sent, want 2", network.writes.Load())
	}
	counter, err := direct.Get(t.Context(), id.Hash("guess", "subject"))
	if err != nil || counter.Count != 1 || counter.Version != 1 {
		t.Errorf("%+v, %v; want 1 guess", counter, err)
	}
}

// What DynamoDB cannot do now is no race that was lost, and lets nobody guess.
func TestFailures(t *testing.T) {
	store := start(t)
	store.Table = "no-such-table"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := guesstest.Limiter(store).Take(ctx, "subject", guesstest.Rule); err == nil {
		t.Error("a guess passed without a table")
	}
	if err := store.Save(ctx, guess.Counter{Subject: "x"}, 0); err == nil || errors.Is(err, guess.ErrChanged) {
		t.Errorf("Save: %v", err)
	}
}
