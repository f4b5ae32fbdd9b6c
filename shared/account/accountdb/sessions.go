package accountdb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/login/logindb"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// Sessions implements login.Store; what every function reads is logindb's. It needs no right on the table of
// developers.
type Sessions struct {
	logindb.Store
	// Records writes the records of changes.
	Records *recorddb.Writer
}

var _ login.Store = (*Sessions)(nil)

// NewSessions returns the store of sessions on the table.
func NewSessions(db *dynamodb.Client, accountsTable string, records *recorddb.Writer, clock clock.Clock) *Sessions {
	return &Sessions{Store: logindb.Store{DB: db, AccountsTable: accountsTable, Clock: clock}, Records: records}
}

// Epoch implements login.Store.
func (s *Sessions) Epoch(ctx context.Context, developer id.Developer) (int64, error) {
	var found logindb.Row
	_, err := table.Get(ctx, s.DB, s.AccountsTable, logindb.EpochKey(developer), true, &found)
	return found.Epoch, err
}

// PutSession implements login.Store.
func (s *Sessions) PutSession(ctx context.Context, session login.Session, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "begin a session"}
	work.Put(s.AccountsTable, logindb.Row{Developer: string(session.Developer), Sort: logindb.SessionPrefix + session.ID,
		Account: string(session.Account), Hash: session.Hash[:], Epoch: session.Epoch, CreatedAt: table.Millis(session.CreatedAt),
		SeenAt: table.Millis(session.SeenAt), ConfirmedAt: table.Millis(session.ConfirmedAt), ExpiresAt: table.Millis(session.ExpiresAt),
		Source: session.Source, Agent: session.Agent, Sweep: sweepAt(session.ExpiresAt)}, "", nil)
	return s.Records.Run(ctx, work, records...)
}

// List implements login.Store. The row of the epoch, "sessions", comes with the same query as "session#…".
func (s *Sessions) List(ctx context.Context, developer id.Developer) ([]login.Session, error) {
	items, err := query(ctx, s.DB, s.AccountsTable, string(developer), "session", "", 0)
	if err != nil {
		return nil, err
	}
	sessions, epoch, err := s.Decode(items)
	if err != nil {
		return nil, err
	}
	sessions = slices.DeleteFunc(sessions, func(session login.Session) bool { return session.Epoch != epoch })
	slices.SortFunc(sessions, func(a, b login.Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return sessions, nil
}

// Confirm implements login.Store.
func (s *Sessions) Confirm(ctx context.Context, developer id.Developer, session string, at time.Time) error {
	if _, err := s.lasting(ctx, developer, session); err != nil {
		return err
	}
	err := table.Update{Table: s.AccountsTable, Key: logindb.SessionKey(developer, session), Set: "SET confirmed_at = :at", If: live,
		Values: table.Item{":at": table.N(table.Millis(at)), ":now": now(s.Clock)}}.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return account.ErrNotFound
	}
	return err
}

// Switch implements login.Store.
func (s *Sessions) Switch(
	ctx context.Context, developer id.Developer, session string, to id.Account, records ...record.Record,
) error {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify("switch a session", err)
		}
		found, err := s.lasting(ctx, developer, session)
		if err != nil || found.Account == to {
			return err
		}
		work := &table.Transaction{DB: s.DB, Doing: "switch a session"}
		work.Update(table.Update{Table: s.AccountsTable, Key: logindb.SessionKey(developer, session), Set: "SET #account = :to",
			If: "#account = :was AND " + live, Names: map[string]string{"#account": "account"},
			Values: table.Item{":to": table.S(string(to)), ":was": table.S(string(found.Account)), ":now": now(s.Clock)}}, errOvertaken)
		if err := s.Records.Run(ctx, work, records...); !errors.Is(err, errOvertaken) {
			return err
		}
	}
}

// lasting returns the session, or account.ErrNotFound where it has ended. If all are ended right after it, what is written
// to this one does not bring it back.
func (s *Sessions) lasting(ctx context.Context, developer id.Developer, session string) (*login.Session, error) {
	found, epoch, err := s.Session(ctx, developer, session)
	if err == nil && (found == nil || found.Epoch != epoch) {
		return nil, account.ErrNotFound
	}
	return found, err
}

// End implements login.Store.
func (s *Sessions) End(ctx context.Context, developer id.Developer, session string, records ...record.Record) error {
	if _, err := s.lasting(ctx, developer, session); err != nil {
		return err
	}
	work := &table.Transaction{DB: s.DB, Doing: "end a session"}
	work.Remove(table.Update{Table: s.AccountsTable, Key: logindb.SessionKey(developer, session), If: live,
		Values: table.Item{":now": now(s.Clock)}}, account.ErrNotFound)
	return s.Records.Run(ctx, work, records...)
}

// EndAll implements login.Store.
func (s *Sessions) EndAll(ctx context.Context, developer id.Developer, keep string, records ...record.Record) error {
	return s.endAll(ctx, &table.Transaction{DB: s.DB, Doing: "end all sessions"}, developer, keep, records)
}

// errOvertaken says that the epoch or the session changed between reading and writing.
var errOvertaken = errors.New("sessions changed meanwhile")

// endAll runs the transaction with the end of all sessions but the one to keep as its last steps, and the records.
func (s *Sessions) endAll(
	ctx context.Context, work *table.Transaction, developer id.Developer, keep string, records []record.Record,
) error {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify(work.Doing, err)
		}
		whole := work.Clone()
		if err := s.moveEpoch(ctx, whole, developer, keep); err != nil {
			return err
		}
		if err := s.Records.Run(ctx, whole, records...); !errors.Is(err, errOvertaken) {
			return err
		}
	}
}

// moveEpoch adds the steps that end all sessions but one. A session that was ended before is not kept: it would come back.
func (s *Sessions) moveEpoch(ctx context.Context, work *table.Transaction, developer id.Developer, keep string) error {
	move := table.Update{Table: s.AccountsTable, Key: logindb.EpochKey(developer), Set: "ADD epoch :one", Values: table.Item{":one": table.N(1)}}
	if keep == "" {
		work.Update(move, nil)
		return nil
	}
	kept, epoch, err := s.Session(ctx, developer, keep)
	if err != nil {
		return err
	}
	if kept == nil || kept.Epoch != epoch {
		work.Update(move, nil)
		return nil
	}
	move.Set, move.If = "SET epoch = :next", "attribute_not_exists(epoch) OR epoch = :epoch"
	move.Values = table.Item{":next": table.N(epoch + 1), ":epoch": table.N(epoch)}
	work.Update(move, errOvertaken)
	work.Update(table.Update{Table: s.AccountsTable, Key: logindb.SessionKey(developer, keep), Set: "SET epoch = :next",
		If: "epoch = :epoch AND " + live, Values: table.Item{":next": table.N(epoch + 1), ":epoch": table.N(epoch), ":now": now(s.Clock)},
	}, errOvertaken)
	return nil
}
