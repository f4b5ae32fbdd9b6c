package apikey

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Maker is who makes and rotates keys: a key, or a developer. Neither makes anything that may do more than itself.
type Maker struct {
	// App is the tenant.
	App id.App
	// By is the ID of the key or the developer.
	By string
	// Scopes are the permissions of the key, or of the developer's role.
	Scopes []string
	// Sources and ExpiresAt are the bounds of the key, empty where it has none. A developer has none.
	Sources   []netip.Prefix
	ExpiresAt time.Time
}

// check refuses a key that could do more than its maker: fault.ScopeExceedsKey, SourcesExceedKey or ExpiryExceedsKey. A
// stolen key would otherwise outlive its end, and leave its network, by making another.
func (m Maker) check(made Key) error {
	if lacking := m.lacks(made.Scopes); lacking != "" {
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

// earliest returns the earlier of two times, of which zero stands for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
