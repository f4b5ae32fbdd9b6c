package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Record is a key on the wire.
type Record struct {
	KeyID        id.Key     `json:"key_id" doc:"The key's ID, its public part."`
	APIKey       string     `json:"api_key,omitempty" doc:"The key itself; only in the answer that creates it, never again."`
	Name         string     `json:"name" doc:"A name for people."`
	Scopes       []string   `json:"scopes" nullable:"false" doc:"What the key may do."`
	AllowedCIDRs []string   `json:"allowed_cidrs,omitempty" nullable:"false" doc:"The addresses that it may be used from; absent for any."`
	CreatedAt    time.Time  `json:"created_at" doc:"When it was made."`
	CreatedBy    string     `json:"created_by,omitempty" doc:"The key or the developer that made it."`
	ExpiresAt    *time.Time `json:"expires_at,omitempty" doc:"When it stops working."`
	RevokedAt    *time.Time `json:"revoked_at,omitempty" doc:"When it was revoked."`
	RotatedAt    *time.Time `json:"rotated_at,omitempty" doc:"When it was replaced."`
	RotatedTo    id.Key     `json:"rotated_to,omitempty" doc:"The key that replaces it."`
	RotatedFrom  id.Key     `json:"rotated_from,omitempty" doc:"The key that it replaces."`
	LastUsedAt   *time.Time `json:"last_used_at,omitempty" doc:"When it was used last; written down once an hour at most."`
	LastUsedFrom string     `json:"last_used_from,omitempty" doc:"The address that it was used from then."`

	PermissionsLastUsed map[string]string `json:"permissions_last_used,omitempty" doc:"For each permission that was used since such use is written down, the day of the last use, in UTC." example:"{\"messages:send\":\"2026-07-01\"}"`
}

type createInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Name         string     `json:"name" minLength:"1" maxLength:"64" doc:"A name for people." example:"backend"`
		Scopes       []string   `json:"scopes" nullable:"false" minItems:"1" maxItems:"50" doc:"What the key shall be allowed; no more than the creating key." example:"[\"messages:send\"]"`
		AllowedCIDRs []string   `json:"allowed_cidrs,omitempty" nullable:"false" maxItems:"20" doc:"The addresses that it may be used from, each an IP address or a range in CIDR notation; empty for any, absent for those of the creating key." example:"[\"203.0.113.0/24\"]"`
		ExpiresAt    *time.Time `json:"expires_at,omitempty" doc:"When it shall stop working; absent for never, or for when the creating key does."`
		Reason       string     `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records." example:"quarterly rotation"`
	}
}

type rotateInput struct {
	api.IdempotencyKey
	ID   string `path:"id" doc:"The ID of the key to replace."`
	Body *rotateBody
}

type rotateBody struct {
	api.KeyInBody
	OverlapSeconds *int64     `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old key goes on working, unless it expires before; 0 revokes it at once, absent is a day."`
	AllowedCIDRs   []string   `json:"allowed_cidrs,omitempty" nullable:"false" maxItems:"20" doc:"The addresses that the new key may be used from; empty for any, absent for those of the old one." example:"[\"203.0.113.0/24\"]"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty" doc:"When the new key shall stop working; absent for as long a life as the old one had, at most that of the key that rotates."`
	Reason         string     `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records." example:"quarterly rotation"`
}

type recordOutput struct{ Body Record }

type listOutput struct{ Body api.Page[Record] }

type keyInput struct {
	ID string `path:"id" doc:"The key's ID."`
}

type revokeInput struct {
	ID     string `path:"id" doc:"The key's ID."`
	Reason string `query:"reason" maxLength:"500" doc:"Why, for the records."`
}

// exceeding are the refusals of a key that would be allowed more than its maker.
var exceeding = []fault.Code{fault.ScopeExceedsKey, fault.SourcesExceedKey, fault.ExpiryExceedsKey, fault.CIDRInvalid,
	fault.IdempotencyConflict, fault.AppDeleted}

// Routes adds the operations on keys.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "create-key", Method: http.MethodPost, Path: "/keys", Tag: "Keys", Status: http.StatusCreated,
		Summary: "Create an API key", Permission: authz.KeysManage,
		Description: "The key itself is in this answer only. A repeated request with the same Idempotency-Key gets the record without it. " +
			"A key makes none that may do more than itself, be used from elsewhere, or live longer; a developer with a session has no such bounds but the role's permissions.",
		Errors: append([]fault.Code{fault.ScopeUnknown}, exceeding...),
	}, service.create)
	api.Register(edge, api.Operation{
		ID: "list-keys", Method: http.MethodGet, Path: "/keys", Tag: "Keys", Status: http.StatusOK,
		Summary: "List the API keys", Permission: authz.KeysRead, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *api.PageQuery) (*listOutput, error) {
		return service.list(ctx, caller, signer, in)
	})
	api.Register(edge, api.Operation{
		ID: "get-key", Method: http.MethodGet, Path: "/keys/{id}", Tag: "Keys", Status: http.StatusOK,
		Summary: "Show an API key", Permission: authz.KeysRead, Errors: []fault.Code{fault.KeyNotFound},
	}, service.get)
	api.Register(edge, api.Operation{
		ID: "rotate-key", Method: http.MethodPost, Path: "/keys/{id}/rotate", Tag: "Keys", Status: http.StatusCreated,
		Summary: "Replace an API key by a new one", Permission: authz.KeysManage,
		Description: "The new key has the old one's name and scopes, and what it was granted and denied, and is in this answer only; a repeated request with the same Idempotency-Key gets the record without it. " +
			"Until the overlap ends both work, and so do tokens minted with the old one. A key is rotated once, by whoever may do all that it may.",
		Errors: append([]fault.Code{fault.KeyNotFound, fault.KeyRotated, fault.KeyNotActive}, exceeding...),
	}, service.rotate)
	api.Register(edge, api.Operation{
		ID: "revoke-key", Method: http.MethodDelete, Path: "/keys/{id}", Tag: "Keys", Status: http.StatusOK,
		Summary: "Revoke an API key", Permission: authz.KeysManage, Errors: []fault.Code{fault.KeyNotFound},
		Description: "The next request with the key is refused, and every socket of its tokens is closed.",
	}, service.revoke)
}

func (s *Service) create(ctx context.Context, caller authz.Caller, in *createInput) (*recordOutput, error) {
	for i, scope := range in.Body.Scopes {
		if !slices.Contains(authz.Scopes(), scope) {
			return nil, fault.Invalid(fault.Field{Name: fmt.Sprintf("scopes[%d]", i), Code: fault.ScopeUnknown, Args: []any{scope}})
		}
	}
	sources, err := ParseSources(in.Body.AllowedCIDRs)
	if err != nil {
		return nil, err
	}
	maker, err := s.maker(ctx, caller, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return created(s.Create(ctx, maker, Request{
		Name: in.Body.Name, Scopes: slices.Compact(slices.Sorted(slices.Values(in.Body.Scopes))), Sources: sources,
		ExpiresAt: instant(in.Body.ExpiresAt), IdempotencyKey: in.IdempotencyKey.IdempotencyKey}))
}

func (s *Service) rotate(ctx context.Context, caller authz.Caller, in *rotateInput) (*recordOutput, error) {
	body := in.Body
	if body == nil {
		body = &rotateBody{}
	}
	sources, err := ParseSources(body.AllowedCIDRs)
	if err != nil {
		return nil, err
	}
	maker, err := s.maker(ctx, caller, body.Reason)
	if err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if body.OverlapSeconds != nil {
		overlap = time.Duration(*body.OverlapSeconds) * time.Second
	}
	return created(s.Rotate(ctx, maker, id.Key(in.ID), Rotation{Overlap: overlap, Sources: sources,
		ExpiresAt: instant(body.ExpiresAt), IdempotencyKey: in.IdempotencyKey.IdempotencyKey}))
}

// maker returns the caller as a maker of keys. A key's own bounds are read here, so that no other request pays for them.
func (s *Service) maker(ctx context.Context, caller authz.Caller, reason string) (Maker, error) {
	if caller.Developer != "" {
		return makerOf(caller, reason), nil
	}
	key, err := s.Store.Get(ctx, caller.App, caller.Key)
	if errors.Is(err, ErrNotFound) {
		return Maker{}, fault.New(fault.APIKeyUnknown)
	}
	if err != nil {
		return Maker{}, err
	}
	return key.maker(caller, reason), nil
}

// created is the answer to a creation: the only one with the text of a key.
func created(key Key, text string, err error) (*recordOutput, error) {
	if err != nil {
		return nil, err
	}
	record := key.record()
	record.APIKey = text
	return &recordOutput{Body: record}, nil
}

func (s *Service) list(ctx context.Context, caller authz.Caller, signer cursor.Signer, in *api.PageQuery) (*listOutput, error) {
	page, err := api.Paged(ctx, signer, caller.App, "keys", in.Cursor, func(after string) (records []Record, next string, err error) {
		keys, err := s.Store.List(ctx, caller.App, id.Key(after), in.Limit)
		for _, key := range keys {
			records = append(records, key.record())
		}
		if len(keys) == in.Limit {
			next = string(keys[len(keys)-1].ID)
		}
		return records, next, err
	})
	return &listOutput{Body: page}, err
}

func (s *Service) get(ctx context.Context, caller authz.Caller, in *keyInput) (*recordOutput, error) {
	return shown(s.Get(ctx, caller.App, id.Key(in.ID)))
}

func (s *Service) revoke(ctx context.Context, caller authz.Caller, in *revokeInput) (*recordOutput, error) {
	return shown(s.Revoke(ctx, caller.App, id.Key(in.ID), record.By(caller, in.Reason)))
}

func shown(key Key, err error) (*recordOutput, error) { return created(key, "", err) }

func (k Key) record() Record {
	record := Record{KeyID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		ExpiresAt: optional(k.ExpiresAt), RevokedAt: optional(k.RevokedAt),
		RotatedAt: optional(k.RotatedAt), RotatedTo: k.RotatedTo, RotatedFrom: k.RotatedFrom,
		LastUsedAt: optional(k.UsedAt), LastUsedFrom: k.UsedFrom}
	if len(k.Sources) > 0 {
		record.AllowedCIDRs = texts(k.Sources)
	}
	for permission, day := range k.Rights.Used {
		if record.PermissionsLastUsed == nil {
			record.PermissionsLastUsed = map[string]string{}
		}
		record.PermissionsLastUsed[string(permission)] = time.Unix(0, 0).UTC().AddDate(0, 0, int(day)).Format(time.DateOnly)
	}
	return record
}

// optional leaves the zero time out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// instant reads an optional time as finely as it is kept. The zero time would read as never: it becomes another that has
// passed long since.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	if kept := t.UTC().Truncate(time.Millisecond); !kept.IsZero() {
		return kept
	}
	return time.Unix(0, 0).UTC()
}
