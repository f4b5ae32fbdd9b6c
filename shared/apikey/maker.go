package apikey

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Maker is who makes and rotates keys: a key, or a developer. Neither makes anything that may do more than itself.
type Maker struct {
	// App is the tenant.
	App id.App
	// By is the ID of the key or the developer.
	By string
	// Scopes are the permissions that it may hand on.
	Scopes []string
	// Seen is the key as it was when they were read. What makes keys by it asks again whether it still is.
	Seen Seen
	// Sources and ExpiresAt are the bounds of the key, empty where it has none. A developer has none.
	Sources   []netip.Prefix
	ExpiresAt time.Time
	// From is the address that its request came from, Reason why it asks, in its own words. Both are for the records.
	From   netip.Addr
	Reason string
}

func (m Maker) origin() record.Origin {
	return record.Origin{Actor: m.By, Source: m.From, Reason: m.Reason}
}

// check refuses a key that could do more than its maker: fault.ScopeExceedsKey, SourcesExceedKey or ExpiryExceedsKey. A
// stolen key would otherwise outlive its end, and leave its network, by making another.
func (m Maker) check(made Key) error {
	if lacking := m.lacks(made.Scopes); lacking != "" && !m.is(made.RotatedFrom) {
		return fault.New(fault.ScopeExceedsKey, lacking)
	}
	if !within(made.Sources, m.Sources) {
		return fault.New(fault.SourcesExceedKey)
	}
	if !m.ExpiresAt.IsZero() && (made.ExpiresAt.IsZero() || made.ExpiresAt.After(m.ExpiresAt)) {
		return fault.New(fault.ExpiryExceedsKey, m.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

// lacks returns the first of the scopes that the maker does not have, "" where it has all of them.
func (m Maker) lacks(scopes []string) string {
	for _, scope := range scopes {
		if !slices.Contains(m.Scopes, scope) {
			return scope
		}
	}
	return ""
}

// is tells whether the maker is the key. One that replaces itself gains nothing: its replacement keeps what denies it
// something, and what of it ends.
func (m Maker) is(key id.Key) bool { return key != "" && m.By == string(key) }

// earliest returns the earlier of two times, of which zero stands for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
