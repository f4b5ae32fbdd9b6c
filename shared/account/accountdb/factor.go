package accountdb

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

type factorRow struct {
	ID     string `dynamodbav:"pk"`
	Sort   string `dynamodbav:"sk"`
	Secret []byte `dynamodbav:"secret"`
	Step   int64  `dynamodbav:"step"`
	// Recovery is absent where no code is left: DynamoDB has no empty sets.
	Recovery  [][]byte `dynamodbav:"recovery,binaryset,omitempty"`
	CreatedAt int64    `dynamodbav:"created_at"`
}

type setupRow struct {
	ID        string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Secret    []byte `dynamodbav:"secret"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
	Sweep     int64  `dynamodbav:"expires"` // TTL, seconds
}

func (r factorRow) decode() *account.Factor {
	return &account.Factor{Secret: r.Secret, Step: r.Step, Recovery: r.Recovery, CreatedAt: table.Instant(r.CreatedAt)}
}

func factorKey(developer id.Developer) table.Item { return table.Key(string(developer), factorSort) }

// PutSetup implements account.Logins.
func (s *Logins) PutSetup(ctx context.Context, developer id.Developer, setup account.Setup) error {
	return table.Put(ctx, s.DB, s.DevelopersTable, setupRow{ID: string(developer), Sort: setupSort, Secret: setup.Secret,
		ExpiresAt: table.Millis(setup.ExpiresAt), Sweep: sweepAt(setup.ExpiresAt)}, "", nil, nil)
}

// Setup implements account.Logins.
func (s *Logins) Setup(ctx context.Context, developer id.Developer) (account.Setup, error) {
	var found setupRow
	if err := get(ctx, s.DB, s.DevelopersTable, string(developer), setupSort, &found); err != nil {
		return account.Setup{}, err
	}
	if !lasts(s.Clock, found.ExpiresAt) {
		return account.Setup{}, account.ErrNotFound
	}
	return account.Setup{Secret: found.Secret, ExpiresAt: table.Instant(found.ExpiresAt)}, nil
}

// PutFactor implements account.Logins.
func (s *Logins) PutFactor(
	ctx context.Context, developer id.Developer, setup account.Setup, factor account.Factor, keep string, records ...record.Record,
) error {
	work := &table.Transaction{DB: s.DB, Doing: "turn a second factor on"}
	work.Remove(table.Update{Table: s.DevelopersTable, Key: table.Key(string(developer), setupSort), If: "#secret = :secret AND " + live,
		Names:  map[string]string{"#secret": "secret"},
		Values: table.Item{":secret": &types.AttributeValueMemberB{Value: setup.Secret}, ":now": now(s.Clock)}}, account.ErrUsed)
	work.Put(s.DevelopersTable, factorRow{ID: string(developer), Sort: factorSort, Secret: factor.Secret, Step: factor.Step,
		Recovery: factor.Recovery, CreatedAt: table.Millis(factor.CreatedAt)}, absent, account.ErrChanged)
	return s.sessions().endAll(ctx, work, developer, keep, records)
}

// RemoveFactor implements account.Logins.
func (s *Logins) RemoveFactor(ctx context.Context, developer id.Developer, version int64, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "turn a second factor off"}
	work.Update(table.Update{Table: s.DevelopersTable, Key: developerKey(developer), Set: "SET #version = :next",
		If: "#version = :version", Names: map[string]string{"#version": "version"},
		Values: table.Item{":version": table.N(version), ":next": table.N(version + 1)}}, account.ErrChanged)
	work.Remove(table.Update{Table: s.DevelopersTable, Key: factorKey(developer)}, nil)
	return s.Records.Run(ctx, work, records...)
}

// SetRecovery implements account.Logins.
func (s *Logins) SetRecovery(ctx context.Context, developer id.Developer, codes [][]byte, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "replace the recovery codes"}
	change := table.Update{Table: s.DevelopersTable, Key: factorKey(developer), Set: "REMOVE #recovery", If: present,
		Names: map[string]string{"#recovery": "recovery"}}
	if len(codes) > 0 {
		change.Set = "SET #recovery = :codes"
		change.Values = table.Item{":codes": &types.AttributeValueMemberBS{Value: codes}}
	}
	work.Update(change, account.ErrNotFound)
	return s.Records.Run(ctx, work, records...)
}

// factor reads the second factor alone.
func (s *Logins) factor(ctx context.Context, developer id.Developer) (found factorRow, err error) {
	return found, get(ctx, s.DB, s.DevelopersTable, string(developer), factorSort, &found)
}

// UseStep implements account.Logins.
func (s *Logins) UseStep(ctx context.Context, developer id.Developer, step int64) error {
	work := &table.Transaction{DB: s.DB, Doing: "use a time step"}
	work.Update(table.Update{Table: s.DevelopersTable, Key: factorKey(developer), Set: "SET #step = :step", If: "#step < :step",
		Names: map[string]string{"#step": "step"}, Values: table.Item{":step": table.N(step)}}, account.ErrUsed)
	err := work.Run(ctx)
	if errors.Is(err, account.ErrUsed) {
		if _, missing := s.factor(ctx, developer); missing != nil {
			return missing
		}
	}
	return err
}

// UseRecovery implements account.Logins. What is left is counted after it; codes used at the same time count as used.
func (s *Logins) UseRecovery(ctx context.Context, developer id.Developer, code []byte, records ...record.Record) (int, error) {
	work := &table.Transaction{DB: s.DB, Doing: "use a recovery code"}
	work.Update(table.Update{Table: s.DevelopersTable, Key: factorKey(developer),
		Set: "DELETE #recovery :codes", If: "contains(#recovery, :code)",
		Names: map[string]string{"#recovery": "recovery"},
		Values: table.Item{":code": &types.AttributeValueMemberB{Value: code},
			":codes": &types.AttributeValueMemberBS{Value: [][]byte{code}}}}, account.ErrUsed)
	if err := s.Records.Run(ctx, work, records...); err != nil {
		return 0, err
	}
	after, err := s.factor(ctx, developer)
	if errors.Is(err, account.ErrNotFound) {
		return 0, nil // turned off since
	}
	return len(after.Recovery), err
}
