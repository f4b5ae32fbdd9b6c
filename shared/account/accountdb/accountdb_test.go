package accountdb_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accountdb"
	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

// stores are the three on one engine, with the names of their tables.
type stores struct {
	logins               *accountdb.Logins
	sessions             *accountdb.Sessions
	teams                *accountdb.Teams
	accounts, developers string
	clock                *clocktest.Clock
}

// start returns stores on an engine of their own; options change the client that they use.
func start(t *testing.T, options ...func(*dynamodb.Options)) stores {
	t.Helper()
	client, tables := enginetest.Start(t)
	client = dynamodb.New(client.Options(), options...)
	clock, accounts, developers := clocktest.New(storetest.Noon()), tables["TABLE_ACCOUNTS"], tables["TABLE_DEVELOPERS"]
	records := &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}
	return stores{
		logins:   &accountdb.Logins{DB: client, DevelopersTable: developers, AccountsTable: accounts, Records: records, Clock: clock},
		sessions: accountdb.NewSessions(client, accounts, records, clock),
		teams:    &accountdb.Teams{DB: client, AccountsTable: accounts, DevelopersTable: developers, Records: records, Clock: clock},
		accounts: accounts, developers: developers, clock: clock,
	}
}

func (s stores) suite(t *testing.T) accounttest.Suite {
	return accounttest.Suite{Logins: s.logins, Sessions: s.sessions, Teams: s.teams,
		Logs: &recorddb.Store{Writer: s.logins.Records}, Clock: s.clock,
		AddApp: func(of id.Account, app id.App) {
			row := table.Key(string(of), "app#"+app.String())
			storetest.OK(t, "add an app", table.Put(t.Context(), s.sessions.DB, s.accounts, row, "", nil, nil))
		}}
}

func TestStore(t *testing.T) { accounttest.Run(t, start(t).suite(t)) }

// errLost is what the SDK knows as a lost connection.
var errLost = errors.New("connection reset by peer")

// forgetful is a network on which the answer to each request's first attempt gets lost.
type forgetful struct {
	aws.HTTPClient
	lost atomic.Int64
}

func (f *forgetful) Do(request *http.Request) (*http.Response, error) {
	answer, err := f.HTTPClient.Do(request)
	if err != nil || !strings.HasPrefix(request.Header.Get("Amz-Sdk-Request"), "attempt=1;") {
		return answer, err
	}
	f.lost.Add(1)
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection serves again
	_ = answer.Body.Close()
	return nil, errLost
}

// Everything holds as well where the SDK sends every request twice: whoever has used something up is not told that it was
// used before, and nothing is counted twice.
func TestStoreWithLostAnswers(t *testing.T) {
	network := &forgetful{}
	suite := start(t, func(o *dynamodb.Options) {
		network.HTTPClient, o.HTTPClient = o.HTTPClient, network
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff, r.RateLimiter = 4, time.Millisecond, ratelimit.None
		})
	}).suite(t)
	suite.Brief = true
	accounttest.Run(t, suite)
	if network.lost.Load() == 0 {
		t.Error("no answer got lost")
	}
}

// busy is a network on which every other transaction meets another one.
type busy struct {
	aws.HTTPClient
	transactions atomic.Int64
}

// conflict is DynamoDB's answer to a transaction whose second row another one is writing.
const conflict = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"cancelled",` +
	`"CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict","Message":"in the way"}]}`

func (b *busy) Do(request *http.Request) (*http.Response, error) {
	transaction := strings.HasSuffix(request.Header.Get("X-Amz-Target"), ".TransactWriteItems")
	if !transaction || b.transactions.Add(1)%2 == 0 {
		return b.HTTPClient.Do(request)
	}
	return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(conflict))}, nil
}

// A transaction that was in another's way is tried again until it is decided.
func TestConflicts(t *testing.T) {
	network := &busy{}
	s := start(t, func(o *dynamodb.Options) { network.HTTPClient, o.HTTPClient = o.HTTPClient, network })
	ann, of := fill(t, s)
	network.transactions.Store(0)
	storetest.OK(t, "SetPassword", s.logins.SetPassword(t.Context(), ann.ID, 1, "second", nil, ""))
	storetest.Refused(t, "SetPassword", s.logins.SetPassword(t.Context(), ann.ID, 1, "no", nil, ""), account.ErrChanged)
	owner := account.Member{Account: of.ID, Developer: ann.ID, Role: authz.Owner}
	storetest.Refused(t, "Leave", s.teams.Leave(t.Context(), owner), account.ErrLastOwner)
	if got := network.transactions.Load(); got != 6 {
		t.Errorf("%d transactions, want each of 3 twice", got)
	}
}

// rows reads a whole table.
func rows(t *testing.T, s stores, tableName string) []table.Item {
	t.Helper()
	answer, err := s.logins.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &tableName})
	storetest.OK(t, "Scan", err)
	return answer.Items
}

// row finds the row whose sort key, or whose partition key, begins with the text.
func row(t *testing.T, s stores, tableName, prefix string) map[string]any {
	t.Helper()
	for _, item := range rows(t, s, tableName) {
		var decoded map[string]any
		storetest.OK(t, "Decode", table.Decode(item, &decoded))
		if strings.HasPrefix(decoded["sk"].(string), prefix) || strings.HasPrefix(decoded["pk"].(string), prefix) {
			return decoded
		}
	}
	t.Fatalf("no row %s in %s", prefix, tableName)
	return nil
}

// fill writes a row of every kind and returns the developer and the account.
func fill(t *testing.T, s stores) (account.Developer, account.Account) {
	t.Helper()
	ctx, until := t.Context(), s.clock.Now().Add(time.Hour)
	ann := accounttest.NewDeveloper(s.clock.Now())
	of, link := account.Account{ID: id.Source{}.Account(), Name: "Acme"}, account.Link{Email: ann.Email, ExpiresAt: until}
	storetest.OK(t, "PutLink", s.logins.PutLink(ctx, link))
	storetest.OK(t, "Activate", s.logins.Activate(ctx, link.Hash, ann, of))
	storetest.OK(t, "PutLink", s.logins.PutLink(ctx, link))
	storetest.OK(t, "PutPending", s.logins.PutPending(ctx, account.Pending{Email: ann.Email, ExpiresAt: until}))
	storetest.OK(t, "PutSetup", s.logins.PutSetup(ctx, ann.ID, account.Setup{ExpiresAt: until}))
	storetest.OK(t, "PutSession", s.sessions.PutSession(ctx, accounttest.NewSession(ann.ID, s.clock.Now())))
	invitation := account.Invitation{Account: of.ID, ID: "i", Email: ann.Email, ExpiresAt: until}
	storetest.OK(t, "PutInvitation", s.teams.PutInvitation(ctx, invitation))
	return ann, of
}

// No key has an address in it.
func TestKeysHideAddresses(t *testing.T) {
	s := start(t)
	ann, _ := fill(t, s)
	for _, item := range append(rows(t, s, s.accounts), rows(t, s, s.developers)...) {
		var key struct{ PK, SK string }
		storetest.OK(t, "Decode", table.Decode(table.Item{"PK": item["pk"], "SK": item["sk"]}, &key))
		if strings.Contains(key.PK+key.SK, "@") || strings.Contains(key.PK+key.SK, string(ann.Email)) {
			t.Errorf("key %+v", key)
		}
	}
}

// What lasts a while is swept, in seconds and not before its time; nothing else is.
func TestRowsAreSwept(t *testing.T) {
	s := start(t)
	fill(t, s)
	want := storetest.Noon().Add(time.Hour).Unix() + 1 // 123 ms past the second
	for prefix, tableName := range map[string]string{"link#": s.developers, "pending#": s.developers, "setup": s.developers,
		"session#": s.accounts, "invitation#": s.accounts} {
		if expires, _ := row(t, s, tableName, prefix)["expires"].(float64); int64(expires) != want {
			t.Errorf("%s expires %v, want %d", prefix, expires, want)
		}
	}
	for prefix, tableName := range map[string]string{"mail#": s.developers, "developer": s.developers,
		"acct_": s.accounts, "member#": s.accounts, "account#": s.accounts} {
		if expires, swept := row(t, s, tableName, prefix)["expires"]; swept {
			t.Errorf("%s expires %v", prefix, expires)
		}
	}
}

// The account's row has counts of others, which stay as they are.
func TestCountsOfOthersStay(t *testing.T) {
	s := start(t)
	ann, of := fill(t, s)
	key := table.Key(string(of.ID), "account")
	storetest.OK(t, "count an app", table.Update{Table: s.accounts, Key: key, Set: "ADD apps :n",
		Values: table.Item{":n": table.N(7)}}.Run(t.Context(), s.logins.DB, nil))
	owner := account.Member{Account: of.ID, Developer: ann.ID, Role: authz.Owner}
	second := account.Member{Account: of.ID, Developer: id.Source{}.Developer(), Role: authz.Owner}
	link := account.Link{Account: of.ID, Invitation: "i"}
	storetest.OK(t, "Rename", s.teams.Rename(t.Context(), of, "New"))
	storetest.OK(t, "Join", s.teams.Join(t.Context(), link, second, nil))
	storetest.OK(t, "SetRole", s.teams.SetRole(t.Context(), owner, authz.Admin))
	owner.Role = authz.Admin
	storetest.OK(t, "Leave", s.teams.Leave(t.Context(), owner))
	found := row(t, s, s.accounts, "acct_")
	if found["apps"] != 7.0 || found["members"] != 1.0 || found["owners"] != 1.0 || found["name"] != "New" {
		t.Errorf("the account's row is %v", found)
	}
}

// What every request of a session reads costs four units: two rows, twice, strongly. Writing its use costs one.
func TestCost(t *testing.T) {
	enginetest.Counted(t)
	s := start(t)
	ann, of := fill(t, s)
	list, err := s.sessions.List(t.Context(), ann.ID)
	storetest.OK(t, "List", err)
	client, cost := tabletest.Watch(s.sessions.DB)
	s.sessions.DB = client
	_, _, err = s.sessions.Session(t.Context(), ann.ID, list[0].ID)
	storetest.OK(t, "Session", err)
	if units := cost.Take(); units != 2 {
		t.Errorf("Session costs %v units, want 2", units)
	}
	_, _, err = s.sessions.Standing(t.Context(), of.ID, ann.ID, id.Source{}.App().String())
	storetest.OK(t, "Standing", err)
	if units := cost.Take(); units != 2 {
		t.Errorf("Standing costs %v units, want 2", units)
	}
	storetest.OK(t, "Seen", s.sessions.Seen(t.Context(), ann.ID, list[0].ID, s.clock.Now().Add(time.Hour), list[0].SeenAt))
	if units := cost.Take(); units != 1 {
		t.Errorf("Seen costs %v units, want 1", units)
	}
}
