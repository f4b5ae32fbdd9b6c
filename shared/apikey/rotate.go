package apikey

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// defaultOverlap is how long a key lives on beside the one that replaces it, unless the caller says otherwise. The longest
// is 30 days, in rotateInput: whoever needs more has not rotated.
const defaultOverlap = 24 * time.Hour

// Rotation is how a key shall be replaced.
type Rotation struct {
	// Overlap is how long the old key lives on, unless it ends before by itself; 0 revokes it at once.
	Overlap time.Duration
	// Sources are the addresses that the new key may be used from; nil for those of the old one, empty for any.
	Sources []netip.Prefix
	// ExpiresAt is when the new key stops working; zero for as long a life as the old one had, at most its maker's.
	ExpiresAt time.Time
	// IdempotencyKey makes a repeated request find the key of the first; "" for none.
	IdempotencyKey string
}

func (r Rotation) fingerprint(keyID id.Key) string {
	return id.Hash("rotate", string(keyID), r.Overlap.String(), spellSources(r.Sources), r.ExpiresAt.Format(time.RFC3339Nano))
}

// Rotate replaces a key by a new one of the same name, scopes and grants, once: fault.KeyRotated, KeyNotActive where it
// cannot be. Whoever rotates a key gets one that may do the same, so the bounds of a maker apply as in Create; a key that
// expires cannot lengthen its own life this way, nor shed what it is denied. The text of the new key is returned once, as
// Create does.
func (s *Service) Rotate(ctx context.Context, maker Maker, keyID id.Key, request Rotation) (made Key, text string, err error) {
	request.ExpiresAt = request.ExpiresAt.Truncate(time.Millisecond) // as it is kept
	made, text, err = s.untilDecided(ctx, maker, func(maker Maker) (Key, string, error) { return s.rotateBy(ctx, maker, keyID, request) })
	if err == nil {
		err = s.carry(ctx, made, maker)
	}
	if err != nil {
		return Key{}, "", err
	}
	return made, text, nil
}

// rotateBy replaces the key, if it and the maker stay as they were seen.
func (s *Service) rotateBy(ctx context.Context, maker Maker, keyID id.Key, request Rotation) (made Key, text string, err error) {
	old, err := s.Get(ctx, maker.App, keyID)
	if err != nil {
		return Key{}, "", err
	}
	made = Key{ID: s.newID(maker, request.IdempotencyKey), App: maker.App, Name: old.Name, Scopes: old.Scopes,
		CreatedAt: s.Clock.Now(), CreatedBy: maker.By, Fingerprint: request.fingerprint(keyID), RotatedFrom: keyID}
	if request.IdempotencyKey != "" {
		if standing, err := s.Store.Get(ctx, maker.App, made.ID); !errors.Is(err, ErrNotFound) {
			return replay(standing, made, err)
		}
	}
	if err := old.rotatable(made.CreatedAt); err != nil {
		return Key{}, "", err
	}
	if lacking := maker.lacks(old.reach(made.CreatedAt)); lacking != "" && !maker.is(keyID) {
		return Key{}, "", fault.New(fault.ScopeExceedsKey, lacking)
	}
	made.Rights = old.handedTo(made)
	made.Sources, made.ExpiresAt = request.bounds(old, maker, made.CreatedAt)
	replaced := old.replaced(made, request.Overlap)
	made, text, err = s.mint(ctx, maker, made, func(made Key) (Key, error) {
		if err := s.addRotated(ctx, replaced); err != nil {
			return Key{}, err
		}
		return s.Store.Rotate(ctx, replaced, made, maker.Seen, replaced.recordRotated(maker.origin()), made.recordCreated(maker.origin()))
	})
	if err == nil && !replaced.RevokedAt.IsZero() {
		s.cutReplaced(ctx, replaced)
	}
	return made, text, err
}

// cutReplaced cuts the sockets of a key that was replaced without an overlap. The new key is worth more than an error: its
// text is shown now or never.
func (s *Service) cutReplaced(ctx context.Context, replaced Key) {
	if err := s.cut(ctx, replaced.App, replaced.ID); err != nil {
		slog.WarnContext(ctx, "sockets not cut", "key", replaced.ID, "error", err)
	}
}

// bounds returns the new key's addresses and end: what the request says, else what the old key had.
func (r Rotation) bounds(old Key, maker Maker, now time.Time) (sources []netip.Prefix, expires time.Time) {
	sources, expires = r.Sources, r.ExpiresAt
	if sources == nil {
		sources = old.Sources
	}
	if expires.IsZero() && !old.ExpiresAt.IsZero() {
		expires = earliest(now.Add(old.ExpiresAt.Sub(old.CreatedAt)), maker.ExpiresAt)
	}
	return sources, expires
}

// rotatable tells whether the key can be replaced at the time.
func (k Key) rotatable(now time.Time) error {
	switch {
	case k.RotatedTo != "":
		return fault.New(fault.KeyRotated, k.RotatedTo)
	case !k.RevokedAt.IsZero() || k.expired(now):
		return fault.New(fault.KeyNotActive)
	case k.Suspended:
		return fault.New(fault.AppDeleted)
	}
	return nil
}

// replaced returns the key as its replacement leaves it. Without an overlap it is revoked, which no clock can delay.
func (k Key) replaced(by Key, overlap time.Duration) Key {
	k.RotatedAt, k.RotatedTo = by.CreatedAt, by.ID
	k.ExpiresAt = earliest(k.ExpiresAt, by.CreatedAt.Add(overlap))
	if overlap == 0 {
		k.RevokedAt = by.CreatedAt
	}
	return k
}
