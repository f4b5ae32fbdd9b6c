package apikeydb

import (
	"fmt"
	"net/netip"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

type row struct {
	App         string   `dynamodbav:"pk"`
	ID          string   `dynamodbav:"sk"`
	Name        string   `dynamodbav:"name"`
	Scopes      []string `dynamodbav:"scopes"`
	Hash        []byte   `dynamodbav:"hash"`
	CreatedAt   int64    `dynamodbav:"created_at"`
	CreatedBy   string   `dynamodbav:"created_by,omitempty"`
	Fingerprint string   `dynamodbav:"fingerprint,omitempty"`
	ExpiresAt   int64    `dynamodbav:"expires_at,omitempty"`
	RevokedAt   int64    `dynamodbav:"revoked_at,omitempty"`
	Suspended   bool     `dynamodbav:"suspended,omitempty"`
	RotatedAt   int64    `dynamodbav:"rotated_at,omitempty"`
	RotatedTo   string   `dynamodbav:"rotated_to,omitempty"`
	RotatedFrom string   `dynamodbav:"rotated_from,omitempty"`
	Sources     []string `dynamodbav:"allowed_cidrs,omitempty"`
	UsedAt      int64    `dynamodbav:"used_at,omitempty"`
	UsedFrom    string   `dynamodbav:"used_from,omitempty"`
	authzdb.Rights
	Policy authzdb.Policy `dynamodbav:"policy"`
}

// rowOf is the row of a new key.
func rowOf(key apikey.Key) row {
	made := row{App: key.App.String(), ID: string(key.ID), Name: key.Name, Scopes: append([]string{}, key.Scopes...), Hash: key.Hash[:],
		CreatedAt: table.Millis(key.CreatedAt), CreatedBy: key.CreatedBy, Fingerprint: key.Fingerprint,
		ExpiresAt: table.Millis(key.ExpiresAt), RotatedFrom: string(key.RotatedFrom)}
	if len(key.Rights.Statements) > 0 {
		made.Rights = authzdb.Rights{Statements: authzdb.Statements(key.Rights.Statements), Version: key.Rights.Version}
	}
	for _, source := range key.Sources {
		made.Sources = append(made.Sources, source.String())
	}
	return made
}

// rightsOf returns the rights of a new key, as its row has them.
func rightsOf(made apikey.Key) authz.Rights {
	base, _ := authz.ParseSet(made.Scopes)
	return rowOf(made).Rights.Decode(authz.Keys, base)
}

func (r row) key() (apikey.Key, error) {
	key := apikey.Key{ID: id.Key(r.ID), App: id.StoredApp(r.App), Name: r.Name, Scopes: r.Scopes,
		CreatedAt: table.Instant(r.CreatedAt), CreatedBy: r.CreatedBy, Fingerprint: r.Fingerprint,
		ExpiresAt: table.Instant(r.ExpiresAt), RevokedAt: table.Instant(r.RevokedAt), Suspended: r.Suspended,
		RotatedAt: table.Instant(r.RotatedAt), RotatedTo: id.Key(r.RotatedTo), RotatedFrom: id.Key(r.RotatedFrom),
		UsedAt: table.Instant(r.UsedAt), UsedFrom: r.UsedFrom, Policy: r.Policy.Decode()}
	base, _ := authz.ParseSet(r.Scopes)
	key.Rights = r.Rights.Decode(authz.Keys, base)
	if len(r.Hash) != len(key.Hash) {
		return apikey.Key{}, fmt.Errorf("key %s: hash of %d bytes", r.ID, len(r.Hash))
	}
	copy(key.Hash[:], r.Hash)
	for _, text := range r.Sources {
		source, err := netip.ParsePrefix(text)
		if err != nil { // left out, it could leave a key that works from anywhere
			return apikey.Key{}, fmt.Errorf("key %s: %w", r.ID, err)
		}
		key.Sources = append(key.Sources, source)
	}
	return key, nil
}
