package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Sockets cuts the live connections of tokens that a key has minted.
type Sockets interface {
	// CutKey closes every socket whose token the key minted. A socket that it cannot reach in time is refused at its
	// next frame all the same.
	CutKey(ctx context.Context, app id.App, key id.Key) error
}

// Background takes jobs that are done behind an answer.
type Background interface {
	// Enqueue has a Cutter do the job soon, at least once.
	Enqueue(ctx context.Context, job Revocation) error
}

// lastYear is the last that RFC 3339 can write (5.6). An offset from UTC can name a time beyond it, which no answer could
// show any more.
const lastYear = 9999

// Service makes, lists, rotates and revokes keys.
type Service struct {
	Store      Store
	Sockets    Sockets
	Background Background
	Tasks      Tasks
	// Grants may be nil where no key is rotated.
	Grants Grants
	Clock  clock.Clock
	IDs    id.Source
}

// Request is what a new key shall be.
type Request struct {
	// Name is for people.
	Name string
	// Scopes are the permissions it gets.
	Scopes []string
	// Sources are the addresses that it may be used from; nil for its maker's, empty for any.
	Sources []netip.Prefix
	// ExpiresAt is when it stops working; zero for when its maker does.
	ExpiresAt time.Time
	// IdempotencyKey makes a repeated request find the key of the first; "" for none.
	IdempotencyKey string
}

func (r Request) fingerprint() string {
	return id.Hash("create", r.Name, strings.Join(r.Scopes, " "), spellSources(r.Sources), r.ExpiresAt.Format(time.RFC3339Nano))
}

// Create makes a key, allowed no more than its maker. The text of the key is returned once; a repeated request (same
// IdempotencyKey, same maker) gets the record with an empty text, and another request under the same IdempotencyKey is
// fault.IdempotencyConflict.
func (s *Service) Create(ctx context.Context, maker Maker, request Request) (made Key, text string, err error) {
	request.ExpiresAt = request.ExpiresAt.Truncate(time.Millisecond) // as it is kept
	return s.untilDecided(ctx, maker, func(maker Maker) (Key, string, error) { return s.createBy(ctx, maker, request) })
}

// createBy makes the key, if the maker stays as it was seen.
func (s *Service) createBy(ctx context.Context, maker Maker, request Request) (made Key, text string, err error) {
	made = Key{ID: s.newID(maker, request.IdempotencyKey), App: maker.App, Name: request.Name, Scopes: request.Scopes,
		Rights: RightsOf(request.Scopes), CreatedAt: s.Clock.Now(), CreatedBy: maker.By, Fingerprint: request.fingerprint(),
		Sources: request.Sources, ExpiresAt: request.ExpiresAt}
	if request.IdempotencyKey != "" {
		if standing, err := s.Store.Get(ctx, maker.App, made.ID); !errors.Is(err, ErrNotFound) {
			return replay(standing, made, err)
		}
	}
	if made.Sources == nil {
		made.Sources = maker.Sources
	}
	if made.ExpiresAt.IsZero() {
		made.ExpiresAt = maker.ExpiresAt
	}
	return s.mint(ctx, maker, made, func(made Key) (Key, error) {
		return s.Store.Create(ctx, made, maker.Seen, made.recordCreated(maker.origin()))
	})
}

// newID returns the ID of a new key: always the same for a maker's idempotency key, whatever is asked for under it.
func (s *Service) newID(maker Maker, idempotencyKey string) id.Key {
	if idempotencyKey == "" {
		return s.IDs.Key(maker.App)
	}
	return id.DeriveKey(maker.App, maker.By, idempotencyKey)
}

// mint gives a new key its secret and has it stored, if its maker may make it.
func (s *Service) mint(ctx context.Context, maker Maker, made Key, store func(Key) (standing Key, err error)) (Key, string, error) {
	switch {
	case made.expired(made.CreatedAt):
		return Key{}, "", fault.Invalid(fault.Wrong("expires_at", fault.MustBeFuture))
	case made.ExpiresAt.Year() > lastYear:
		return Key{}, "", fault.Invalid(fault.Wrong("expires_at", fault.TooFar))
	}
	if err := maker.check(made); err != nil {
		return Key{}, "", err
	}
	if len(made.Sources) == 0 {
		made.Sources = nil
	}
	// The warnings come first: one for a key that never came to be is dropped, and none is lost.
	if err := s.addExpiring(ctx, made); err != nil {
		return Key{}, "", err
	}
	secret := s.IDs.Text(secretLength)
	made.Hash = sha256.Sum256([]byte(secret))
	standing, err := store(made)
	switch {
	case err == nil, errors.Is(err, ErrExists) && standing.Hash == made.Hash: // the SDK tried again after an answer was lost
		return standing, Format(made.ID, secret), nil
	case errors.Is(err, ErrExists):
		return replay(standing, made, nil)
	}
	return Key{}, "", refusal(standing, err)
}

// refusal turns what a store says of a new key into what the caller is told.
func refusal(standing Key, err error) error {
	switch {
	case errors.Is(err, ErrAppDeleted):
		return fault.New(fault.AppDeleted)
	case errors.Is(err, ErrMakerChanged):
		return fault.Wrap(err, fault.Overtaken) // who asks without end is decided anew
	case errors.Is(err, ErrNotRotatable):
		if refused := standing.rotatable(time.Time{}); refused != nil {
			return errors.Join(refused, err)
		}
		return fault.Wrap(err, fault.Overtaken) // narrowed since it was read: the next attempt makes a narrower one
	case errors.Is(err, ErrNotFound):
		return fault.New(fault.KeyNotFound)
	}
	return err
}

// replay answers a repeated request with the standing record, without its text.
func replay(standing, asked Key, err error) (Key, string, error) {
	if err != nil {
		return Key{}, "", err
	}
	if standing.Fingerprint != asked.Fingerprint || standing.CreatedBy != asked.CreatedBy {
		return Key{}, "", fault.New(fault.IdempotencyConflict)
	}
	return standing, "", nil
}

// Bootstrap makes the first key of an app, with all the scopes.
func (s *Service) Bootstrap(ctx context.Context, app id.App, scopes []string) (text string, err error) {
	secret := s.IDs.Text(secretLength)
	key := Key{ID: s.IDs.Key(app), App: app, Name: "bootstrap", Scopes: slices.Clone(scopes), Hash: sha256.Sum256([]byte(secret)),
		CreatedAt: s.Clock.Now()}
	_, err = s.Store.Create(ctx, key, Seen{}, key.recordCreated(record.Origin{}))
	return Format(key.ID, secret), err
}

// Get returns the key; one of another app is not found.
func (s *Service) Get(ctx context.Context, app id.App, keyID id.Key) (Key, error) {
	if keyID.App() != app { // nothing else that stands beside the keys may be touched
		return Key{}, fault.New(fault.KeyNotFound)
	}
	key, err := s.Store.Get(ctx, app, keyID)
	if errors.Is(err, ErrNotFound) {
		return Key{}, fault.New(fault.KeyNotFound)
	}
	return key, err
}

// Revoke ends a key: the next request with it is refused, and the sockets of its tokens are cut. Revoking again repeats
// the cut and changes nothing else.
func (s *Service) Revoke(ctx context.Context, app id.App, keyID id.Key, origin record.Origin) (Key, error) {
	if keyID.App() != app {
		return Key{}, fault.New(fault.KeyNotFound)
	}
	now := s.Clock.Now()
	key, err := s.Store.Revoke(ctx, app, keyID, now, Key{ID: keyID, App: app}.recorded(now, origin, record.KeyRevoked, nil, nil))
	if errors.Is(err, ErrNotFound) {
		return Key{}, fault.New(fault.KeyNotFound)
	}
	if err != nil {
		return Key{}, err
	}
	// The state comes first: a socket that opens between the two is refused by its own strong read of the key.
	return key, s.cut(ctx, app, keyID)
}

// cut closes the sockets of the key's tokens, and has it done again in the background. Neither waits for the other.
func (s *Service) cut(ctx context.Context, app id.App, keyID id.Key) error {
	var again sync.WaitGroup
	again.Go(func() {
		if err := s.Background.Enqueue(ctx, NewRevocation(app, keyID, time.Time{})); err != nil {
			slog.WarnContext(ctx, "sockets not cut again", "key", keyID, "error", err)
		}
	})
	defer again.Wait()
	return s.Sockets.CutKey(ctx, app, keyID)
}
