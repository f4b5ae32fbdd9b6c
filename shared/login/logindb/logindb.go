// Package logindb reads in DynamoDB what sessions stand on: developer / "session#"<session>, developer / "sessions" (the
// session epoch), account / "member#"<developer> and account / "app#"<app>. Package accountdb writes these rows, and uses
// what is here to read them.
package logindb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/table"
)

// The sort keys, and the prefixes of those that end in an ID.
const (
	EpochSort     = "sessions"
	SessionPrefix = "session#"
	MemberPrefix  = "member#"
	AppPrefix     = "app#"
)

// Store reads sessions. Every function that takes them has one; it may write nothing but when they were seen.
type Store struct {
	DB *dynamodb.Client
	// AccountsTable is the table's name.
	AccountsTable string
	Clock         clock.Clock
}

// Row is a session; the row of the epoch has its keys and Epoch only.
type Row struct {
	Developer   string `dynamodbav:"pk"`
	Sort        string `dynamodbav:"sk"`
	Account     string `dynamodbav:"account"`
	Hash        []byte `dynamodbav:"hash"`
	Epoch       int64  `dynamodbav:"epoch"`
	CreatedAt   int64  `dynamodbav:"created_at"`
	SeenAt      int64  `dynamodbav:"seen"`
	ConfirmedAt int64  `dynamodbav:"confirmed_at"`
	ExpiresAt   int64  `dynamodbav:"expires_at"`
	Source      string `dynamodbav:"source"`
	Agent       string `dynamodbav:"agent"`
	Sweep       int64  `dynamodbav:"expires"` // TTL, seconds
}

// session returns what the row says.
func (r Row) session() (login.Session, error) {
	session := login.Session{ID: strings.TrimPrefix(r.Sort, SessionPrefix), Developer: id.Developer(r.Developer),
		Account: id.Account(r.Account), Epoch: r.Epoch, CreatedAt: table.Instant(r.CreatedAt), SeenAt: table.Instant(r.SeenAt),
		ConfirmedAt: table.Instant(r.ConfirmedAt), ExpiresAt: table.Instant(r.ExpiresAt), Source: r.Source, Agent: r.Agent}
	if len(r.Hash) != len(session.Hash) {
		return login.Session{}, fmt.Errorf("session %s: hash of %d bytes", session.ID, len(r.Hash))
	}
	copy(session.Hash[:], r.Hash)
	return session, nil
}

// SessionKey is where a session stands, EpochKey a developer's session epoch.
func SessionKey(developer id.Developer, session string) table.Item {
	return table.Key(string(developer), SessionPrefix+session)
}

// EpochKey is where a developer's session epoch stands.
func EpochKey(developer id.Developer) table.Item { return table.Key(string(developer), EpochSort) }

// Session implements login.Store with one round trip.
func (s *Store) Session(ctx context.Context, developer id.Developer, session string) (*login.Session, int64, error) {
	items, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.AccountsTable,
		Keys: []table.Item{SessionKey(developer, session), EpochKey(developer)}, Strong: true})
	if err != nil {
		return nil, 0, err
	}
	sessions, epoch, err := s.Decode(items[s.AccountsTable])
	if err != nil || len(sessions) == 0 {
		return nil, epoch, err
	}
	return &sessions[0], epoch, nil
}

// Decode reads rows of sessions, leaving out what has expired, and the row of the epoch among them.
func (s *Store) Decode(items []table.Item) (sessions []login.Session, epoch int64, err error) {
	for _, item := range items {
		var row Row
		if err := table.Decode(item, &row); err != nil {
			return nil, 0, err
		}
		switch {
		case row.Sort == EpochSort:
			epoch = row.Epoch
		case row.ExpiresAt > s.Clock.Now().UnixMilli():
			session, err := row.session()
			if err != nil {
				return nil, 0, err
			}
			sessions = append(sessions, session)
		}
	}
	return sessions, epoch, nil
}

// Standing implements login.Store with one round trip. The app's ID is that of the row that was found, and what the
// caller asked for only chose where to look.
func (s *Store) Standing(ctx context.Context, of id.Account, developer id.Developer, app string) (authz.Role, id.App, error) {
	keys := []table.Item{table.Key(string(of), MemberPrefix+string(developer))}
	if id.IsApp(app) {
		keys = append(keys, table.Key(string(of), AppPrefix+app))
	}
	items, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.AccountsTable, Keys: keys, Strong: true})
	if err != nil {
		return "", id.App{}, err
	}
	var role authz.Role
	var found id.App
	var deleted bool
	for _, item := range items[s.AccountsTable] {
		var row struct {
			Sort    string `dynamodbav:"sk"`
			Role    string `dynamodbav:"role"`
			Deleted int64  `dynamodbav:"deleted_at"`
		}
		if err := table.Decode(item, &row); err != nil {
			return "", id.App{}, err
		}
		text, isApp := strings.CutPrefix(row.Sort, AppPrefix)
		switch {
		case !isApp:
			role = authz.Role(row.Role)
		case row.Deleted != 0:
			deleted = true
		default:
			found = id.StoredApp(text)
		}
	}
	if deleted && role != "" { // whoever is no member, any more, is not told what becomes of the apps
		return "", id.App{}, fault.New(fault.AppDeleted)
	}
	return role, found, nil
}

// Seen implements login.Store. Functions that authenticate may change no other attribute of the table, and an answer with
// others would be refused: hence no condition on more, and no values returned.
func (s *Store) Seen(ctx context.Context, developer id.Developer, session string, at, before time.Time) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.AccountsTable, Key: SessionKey(developer, session),
		UpdateExpression: aws.String("SET seen = :at"), ConditionExpression: aws.String("attribute_exists(pk) AND seen <= :before"),
		ExpressionAttributeValues: table.Item{":at": table.N(at.UnixMilli()), ":before": table.N(before.UnixMilli())},
		ReturnValues:              types.ReturnValueNone, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	err = table.Outcome("write down that a session is used", err, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil // somebody did since, or the session is gone
	}
	return err
}
