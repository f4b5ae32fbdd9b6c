package check

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// keyStore is a seal.Store of the data keys that were read. A check makes none.
type keyStore map[id.App]map[uint32]seal.DataKey

var errReadOnly = errors.New("check: nothing is written")

// Latest implements seal.Store.
func (k keyStore) Latest(_ context.Context, app id.App) (seal.DataKey, error) {
	if len(k[app]) == 0 {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return k[app][slices.Max(slices.Collect(maps.Keys(k[app])))], nil
}

// Get implements seal.Store.
func (k keyStore) Get(_ context.Context, app id.App, number uint32) (seal.DataKey, error) {
	key, ok := k[app][number]
	if !ok {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return key, nil
}

// Create implements seal.Store.
func (k keyStore) Create(context.Context, id.App, seal.DataKey) error { return errReadOnly }

// AddUses implements seal.Store.
func (k keyStore) AddUses(context.Context, id.App, uint32, int64) error { return errReadOnly }

type dataKeyRow struct {
	App       string `dynamodbav:"pk"`
	Number    string `dynamodbav:"sk"`
	Wrapped   []byte `dynamodbav:"wrapped"`
	CreatedAt int64  `dynamodbav:"created_at"`
}

// readDataKeys reads and unwraps the data keys. One that does not unwrap counts as lost.
func (c *checker) readDataKeys(ctx context.Context) error {
	err := each(ctx, c, "DATA_KEYS", func(row dataKeyRow) error {
		c.report.DataKeys++
		app := id.StoredApp(row.App)
		number, err := strconv.ParseUint(row.Number, 10, 32)
		if err != nil || len(row.Number) != 10 || !id.IsApp(row.App) {
			c.problem(Unreadable, "DATA_KEYS "+row.App+" "+row.Number, "not an app and ten digits")
			return nil
		}
		if c.leaves(app, "DATA_KEYS "+row.App+" "+row.Number) {
			return nil
		}
		if c.dataKeys[app] == nil {
			c.dataKeys[app] = map[uint32]seal.DataKey{}
		}
		c.dataKeys[app][uint32(number)] = seal.DataKey{Number: uint32(number), Wrapped: row.Wrapped,
			CreatedAt: time.UnixMilli(row.CreatedAt)}
		return nil
	})
	if err != nil {
		return err
	}
	for app, keys := range c.dataKeys {
		if err := c.unwrap(ctx, app, keys); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) unwrap(ctx context.Context, app id.App, keys map[uint32]seal.DataKey) error {
	expected := uint32(1)
	for _, number := range slices.Sorted(maps.Keys(keys)) {
		where := fmt.Sprintf("%s data key %d", app, number)
		if number != expected {
			c.problem(DataKey, where, "numbers %d to %d before it are missing", expected, number-1)
		}
		expected = number + 1
		_, err := c.keyring.SecretOf(ctx, app, number, seal.Content)
		if fault.Is(err, fault.Unavailable) {
			return fmt.Errorf("%s: %w", where, err) // KMS was busy: that says nothing about the key
		}
		if err != nil {
			c.problem(DataKey, where, "does not unwrap: %v", err)
			delete(keys, number)
		}
	}
	return nil
}

// keyRow is an item of the table of keys: an API key, an app's own row, or its book of roles and defaults.
type keyRow struct {
	App         string   `dynamodbav:"pk"`
	ID          string   `dynamodbav:"sk"`
	Scopes      []string `dynamodbav:"scopes"`
	Hash        []byte   `dynamodbav:"hash"`
	CreatedBy   string   `dynamodbav:"created_by"`
	Suspended   bool     `dynamodbav:"suspended"`
	RotatedTo   string   `dynamodbav:"rotated_to"`
	RotatedFrom string   `dynamodbav:"rotated_from"`
	ExpiresAt   int64    `dynamodbav:"expires_at"`
	RevokedAt   int64    `dynamodbav:"revoked_at"`
	Policy      copied   `dynamodbav:"policy"`
	copied               // a book's own version
	compiled
	settings
}

// The sort keys of an app's own row, and of its book.
const (
	appSort  = "app"
	bookSort = "policy"
)

// readKeys reads apps, their books and API keys.
func (c *checker) readKeys(ctx context.Context) error {
	err := each(ctx, c, "KEYS", func(row keyRow) error {
		if row.ID == appSort && id.IsApp(row.App) {
			c.report.Apps++
			c.apps[id.StoredApp(row.App)] = row.settings
			return nil
		}
		if row.ID == bookSort && id.IsApp(row.App) {
			c.books[id.StoredApp(row.App)] = row
			return nil
		}
		c.report.APIKeys++
		if id.Key(row.ID).App() != id.StoredApp(row.App) || len(row.Hash) != sha256.Size {
			c.problem(Unreadable, "KEYS "+row.App+" "+row.ID, "not a key of the app with a SHA-256")
			return nil
		}
		c.keys[id.Key(row.ID)] = row
		return nil
	})
	for app := range c.books { // it may be read before its app, as a key may
		if c.leaves(app, app.String()+" "+bookSort) {
			delete(c.books, app)
		}
	}
	for key := range c.keys {
		if c.leaves(key.App(), string(key)) {
			delete(c.keys, key)
		}
	}
	return err
}

// checkKeys checks that every key has its app, known scopes and the key or developer that granted them, is suspended where
// its app is deleted, and is named by the key that it replaces.
func (c *checker) checkKeys() {
	for _, row := range c.keys {
		app, ok := c.apps[id.StoredApp(row.App)]
		switch deleted := app.DeletedAt != 0; {
		case !ok:
			c.problem(Key, row.ID, "its app has no row")
		case deleted != row.Suspended:
			c.problem(Key, row.ID, "suspended: %v, its app deleted: %v", row.Suspended, deleted)
		}
		if !c.isMaker(row.CreatedBy) {
			c.problem(Key, row.ID, "who made it, %s, is missing", row.CreatedBy)
		}
		for _, scope := range row.Scopes {
			if !slices.Contains(authz.Scopes(), scope) {
				c.problem(Key, row.ID, "scope %q is unknown", scope)
			}
		}
		c.checkRotation(row)
	}
}

// isMaker tells whether the ID is of a key or a developer that there is; the first key of an app has none.
func (c *checker) isMaker(by string) bool {
	_, key := c.keys[id.Key(by)]
	_, developer := c.developers[id.Developer(by)]
	return by == "" || key || developer
}

func (c *checker) checkRotation(row keyRow) {
	if to := row.RotatedTo; to != "" && c.keys[id.Key(to)].RotatedFrom != row.ID {
		c.problem(Key, row.ID, "was rotated to %s, which does not say so", to)
	}
	if from := row.RotatedFrom; from != "" && c.keys[id.Key(from)].RotatedTo != row.ID {
		c.problem(Key, row.ID, "replaces %s, which does not say so", from)
	}
}
