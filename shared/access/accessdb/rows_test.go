package accessdb_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accesstest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// A key ends at its revocation or its expiry, whichever comes first.
func TestEndOfAKey(t *testing.T) {
	w, app := newWorld(t), id.Source{}.App()
	early, late := storetest.Noon(), storetest.Noon().Add(time.Hour)
	for _, ends := range [][2]time.Time{{early, late}, {late, early}} {
		key := accesstest.NewKey(app)
		w.add(t, app, key)
		storetest.OK(t, "end", table.Update{Table: w.Keys, Key: apikeydb.ItemKey(app, id.Key(key.ID)),
			Set:    "SET revoked_at = :revoked, expires_at = :expires",
			Values: table.Item{":revoked": table.N(ends[0].UnixMilli()), ":expires": table.N(ends[1].UnixMilli())},
		}.Run(t.Context(), w.DB, nil))
		found, err := w.Subject(t.Context(), app, key.ID)
		if err != nil || !found.EndedAt.Equal(early) {
			t.Errorf("revoked and expired at %v: it ends at %v, %v", ends, found.EndedAt, err)
		}
	}
}

// DynamoDB may sweep a grant's row once it is not kept any more, and no second earlier.
func TestSweptWhenNotKept(t *testing.T) {
	w, app := newWorld(t), id.Source{}.App()
	user := accesstest.NewUser()
	w.add(t, app, user)
	swept := func(grant access.Grant) int64 {
		var found struct {
			At int64 `dynamodbav:"ttl"`
		}
		_, err := table.Get(t.Context(), w.DB, w.Grants, table.Key(app.String(), string(grant.ID)), true, &found)
		storetest.OK(t, "Get", err)
		return found.At
	}
	note := func() record.Record {
		return record.New(record.OfApp(app), storetest.Noon(), record.Origin{}, record.GrantCreated, user.ID, nil, nil)
	}
	lasting, ends := accesstest.NewGrant(app, user.ID), accesstest.NewGrant(app, user.ID)
	ends.Statement.Until = storetest.Noon().Add(time.Hour)
	for version, grant := range []access.Grant{lasting, ends} {
		_, err := w.Put(t.Context(), access.Grantor{}, grant, access.Subject{Rights: authz.Rights{Version: int64(version)}}, nil, note())
		storetest.OK(t, "Put", err)
	}
	if got := swept(lasting); got != 0 {
		t.Errorf("a grant for good is swept at %d", got)
	}
	lasting.RevokedAt = storetest.Noon().Add(time.Second)
	_, err := w.Revoke(t.Context(), access.Grantor{}, lasting, access.Subject{ID: user.ID, Rights: authz.Rights{Version: 2}}, nil, note())
	storetest.OK(t, "Revoke", err)
	for _, grant := range []access.Grant{lasting, ends} {
		if early := time.Unix(swept(grant), 0).Sub(grant.KeptUntil()); early < 0 || early >= time.Second {
			t.Errorf("swept %v after it is kept until", early)
		}
	}
}

// through returns the world with a client whose requests pass do first; what that returns is the answer, if it is one.
func (w world) through(do func(input any) error) world {
	options := w.DB.Options()
	options.APIOptions = append(slices.Clone(options.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("accessdb_test.through", func(ctx context.Context,
			in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			if err := do(in.Parameters); err != nil {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	store := *w.Store
	store.DB = dynamodb.New(options)
	return world{&store}
}

// An Align waits for transactions on a key.
func TestAlignWaitsForTransactions(t *testing.T) {
	w, app := newWorld(t), id.Source{}.App()
	key := accesstest.NewKey(app)
	w.add(t, app, key)
	var conflicts atomic.Int64
	busy := w.through(func(input any) error {
		if _, update := input.(*dynamodb.UpdateItemInput); update && conflicts.Add(-1) >= 0 {
			return &types.TransactionConflictException{}
		}
		return nil
	})
	conflicts.Store(2)
	storetest.OK(t, "Align", busy.Align(t.Context(), app, authz.Policy{Version: 1}, storetest.Noon()))
	if got := w.policy(t, app, id.Key(key.ID)).Version; got != 1 {
		t.Errorf("the key has version %d", got)
	}
}

// Keys that are made while the book changes have the policy of the end, all of them.
func TestKeysMadeMeanwhile(t *testing.T) {
	w, app := newWorld(t), id.Source{}.App()
	keys := &apikeydb.Store{DB: w.DB, Table: w.Keys, Records: w.Records}
	note := record.New(record.OfApp(app), storetest.Noon(), record.Origin{}, record.RoleCreated, "it", nil, nil)
	const makers, versions = 8, 4
	made := make([]id.Key, makers*4)
	for _, err := range storetest.AtOnce(makers+1, func(i int) error {
		if i == makers {
			for version := range int64(versions) {
				book := access.Book{Version: version + 1}
				if err := w.SetBook(t.Context(), access.Grantor{}, app, book, note); err != nil {
					return err
				}
				if err := w.Align(t.Context(), app, book.Policy(), storetest.Noon()); err != nil {
					return fmt.Errorf("Align: %w", err)
				}
			}
			return nil
		}
		for n := range 4 {
			key := apikeytest.NewKey(app)
			key.CreatedBy = ""
			if _, err := keys.Create(t.Context(), key, apikey.Seen{}, note); err != nil {
				return err
			}
			made[i*4+n] = key.ID
		}
		return nil
	}) {
		storetest.OK(t, "at once", err)
	}
	for _, key := range made {
		if got := w.policy(t, app, key).Version; got != versions {
			t.Errorf("a key has version %d, want %d", got, versions)
		}
	}
}
