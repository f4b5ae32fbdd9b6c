package media

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// retryAfter is what a client is told to wait for a check: most take less.
const retryAfter = time.Second

// UploadLink is a request that somebody without credentials can make until it expires.
type UploadLink struct {
	Method    string            `json:"method" doc:"The HTTP method." example:"PUT"`
	URL       string            `json:"url" doc:"The address, with its signature."`
	Headers   map[string]string `json:"headers" nullable:"false" doc:"Headers that have to be sent exactly so. Content-Length is fixed too; clients send it by themselves."`
	ExpiresAt time.Time         `json:"expires_at" doc:"When the link ends." example:"2026-11-21T23:26:22Z"`
}

// Signer makes links for uploads.
type Signer interface {
	// SignUpload returns a link that puts an object of that type, size and SHA-256 under the key, once.
	SignUpload(ctx context.Context, key string, declared Declaration, life time.Duration) (UploadLink, error)
}

// Sealer encrypts file names. seal.Keyring is one.
type Sealer interface {
	Seal(ctx context.Context, app id.App, place seal.Place, text []byte) ([]byte, error)
	Open(ctx context.Context, app id.App, place seal.Place, sealed []byte) ([]byte, error)
}

// Tasks keeps work for later.
type Tasks interface {
	// Add has the task of that kind done soon after the time. Adding the same again changes nothing.
	Add(ctx context.Context, kind string, due time.Time, app id.App, subject string) error
}

// Service makes media and tells what became of them.
type Service struct {
	Store  Store
	Sealer Sealer
	// Signer and Tasks may be nil where nothing is uploaded.
	Signer Signer
	Tasks  Tasks
	Clock  clock.Clock
	IDs    id.Source
}

// Create makes a media for the caller's user and the link by which it is uploaded. Under an idempotency key a repeated call finds
// the media of the first, with a new link to the same place; another declaration is fault.IdempotencyConflict.
func (s *Service) Create(ctx context.Context, caller authz.Caller, declared Declaration, idempotencyKey string) (Media, UploadLink, error) {
	if err := declared.check(); err != nil {
		return Media{}, UploadLink{}, err
	}
	now := s.Clock.Now()
	made := Media{App: caller.App, ID: s.IDs.Media(), Owner: caller.User, Declared: declared, State: Uploading, CreatedAt: now, Expires: now.Add(Unsent)}
	if idempotencyKey != "" {
		made.ID = id.DeriveMedia(caller.App, caller.By(), string(caller.User), idempotencyKey)
	}
	stored, err := s.sealed(ctx, made)
	if err != nil {
		return Media{}, UploadLink{}, err
	}
	if err := s.Tasks.Add(ctx, TaskUnsent, made.Expires.Add(settle), made.App, string(made.ID)); err != nil {
		return Media{}, UploadLink{}, err
	}
	standing, err := s.Store.Create(ctx, stored)
	if errors.Is(err, ErrExists) {
		if standing, err = s.open(ctx, standing); err == nil && standing.Declared != made.Declared {
			err = fault.New(fault.IdempotencyConflict)
		}
		made = standing
	}
	if err != nil {
		return Media{}, UploadLink{}, err
	}
	link, err := s.Signer.SignUpload(ctx, UploadKey(made.App, made.ID), made.Declared, UploadLife)
	return made, link, err
}

// Get returns a media to its owner, or to an application, for which user is "".
func (s *Service) Get(ctx context.Context, app id.App, user id.User, media id.Media) (Media, error) {
	found, err := s.get(ctx, app, media, true)
	if err == nil && user != "" && found.Owner != user {
		err = notFound("id")
	}
	return found, err
}

// Attach returns a media that the sender may send as a message of the kind, and keeps it from then on. It refuses what is not the
// sender's, not of the kind, not ready, rejected or expired. It reads cheaply, and strongly only what is not ready.
func (s *Service) Attach(ctx context.Context, app id.App, sender id.User, media id.Media, kind Kind) (Media, error) {
	found, err := s.get(ctx, app, media, false)
	if err != nil || found.State != Ready {
		found, err = s.get(ctx, app, media, true)
	}
	switch {
	case fault.Is(err, fault.MediaNotFound) || err == nil && found.Owner != sender:
		return Media{}, notFound("media_id")
	case err != nil:
		return Media{}, err
	case found.Declared.Kind != kind:
		return Media{}, fault.Invalid(fault.Field{Name: "media_id", Code: fault.MediaKindDiffers, Args: []any{string(found.Declared.Kind), string(kind)}})
	case found.State == Rejected:
		return Media{}, found.refusal()
	case !found.Expires.IsZero() && !s.Clock.Now().Before(found.Expires):
		return Media{}, fault.Invalid(fault.Field{Name: "media_id", Code: fault.MediaExpired})
	case found.State != Ready:
		refusal := fault.Invalid(fault.Field{Name: "media_id", Code: fault.MediaNotReady, Args: []any{string(found.State)}})
		refusal.RetryAfter = retryAfter
		return Media{}, refusal
	}
	if !found.Expires.IsZero() { // its first send
		err = s.Store.Keep(ctx, app, media)
		if errors.Is(err, ErrNotFound) {
			return Media{}, notFound("media_id")
		}
		if err != nil {
			return Media{}, err
		}
	}
	return s.open(ctx, found)
}

// refusal says why a media was rejected.
func (m Media) refusal() error {
	return fault.Invalid(fault.Field{Name: "media_id", Code: m.Result.Rejected})
}

func (s *Service) get(ctx context.Context, app id.App, media id.Media, strong bool) (Media, error) {
	if !id.IsMedia(string(media)) {
		return Media{}, notFound("id")
	}
	found, err := s.Store.Get(ctx, app, media, strong)
	if errors.Is(err, ErrNotFound) {
		return Media{}, notFound("id")
	}
	return found, err
}

func notFound(field string) error {
	return fault.Invalid(fault.Field{Name: field, Code: fault.MediaNotFound})
}

// place is where a media's file name belongs. No entry of a conversation has such a place.
func (m Media) place() seal.Place {
	return seal.Place{Conversation: id.Conversation(m.ID), Sender: m.Owner}
}

// sealed returns the media as it is stored: with its file name sealed, in hex.
func (s *Service) sealed(ctx context.Context, m Media) (Media, error) {
	if m.Declared.Filename == "" {
		return m, nil
	}
	name, err := s.Sealer.Seal(ctx, m.App, m.place(), []byte(m.Declared.Filename))
	m.Declared.Filename = hex.EncodeToString(name)
	return m, err
}

// open returns the media with its file name.
func (s *Service) open(ctx context.Context, m Media) (Media, error) {
	if m.Declared.Filename == "" {
		return m, nil
	}
	name, err := hex.DecodeString(m.Declared.Filename)
	if err != nil {
		return m, err
	}
	plain, err := s.Sealer.Open(ctx, m.App, m.place(), name)
	m.Declared.Filename = string(plain)
	return m, err
}
