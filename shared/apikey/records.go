package apikey

import (
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// What records say of keys.
type (
	recordedKey struct {
		Name         string    `json:"name"`
		Scopes       []string  `json:"scopes"`
		AllowedCIDRs []string  `json:"allowed_cidrs,omitempty"`
		ExpiresAt    time.Time `json:"expires_at,omitzero"`
		RotatedFrom  id.Key    `json:"rotated_from,omitempty"`
	}

	recordedRotation struct {
		RotatedTo id.Key    `json:"rotated_to"`
		ExpiresAt time.Time `json:"expires_at"`
		RevokedAt time.Time `json:"revoked_at,omitzero"`
	}

	recordedScopes struct {
		Scopes []string `json:"scopes"`
	}
)

func (k Key) recordCreated(origin record.Origin) record.Record {
	after := recordedKey{Name: k.Name, Scopes: k.Scopes, AllowedCIDRs: texts(k.Sources), ExpiresAt: kept(k.ExpiresAt), RotatedFrom: k.RotatedFrom}
	return k.recorded(k.CreatedAt, origin, record.KeyCreated, nil, after).About(k.Scopes...)
}

// recordRotated is the record of the old key.
func (k Key) recordRotated(origin record.Origin) record.Record {
	after := recordedRotation{RotatedTo: k.RotatedTo, ExpiresAt: kept(k.ExpiresAt), RevokedAt: kept(k.RevokedAt)}
	return k.recorded(k.RotatedAt, origin, record.KeyRotated, nil, after)
}

func (k Key) recordNarrowed(at time.Time, origin record.Origin, stay, gone []string) record.Record {
	return k.recorded(at, origin, record.KeyNarrowed, recordedScopes{k.Scopes}, recordedScopes{stay}).About(gone...)
}

func (k Key) recorded(at time.Time, origin record.Origin, action record.Action, before, after any) record.Record {
	return record.New(record.OfApp(k.App), at, origin, action, string(k.ID), before, after)
}

// kept is the time as finely as stores keep it.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
