package apikey

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Record is a key on the wire.
type Record struct {
	KeyID     id.Key     `json:"key_id" doc:"The key's ID, its public part."`
	APIKey    string     `json:"api_key,omitempty" doc:"The key itself; only in the answer that creates it, never again."`
	Name      string     `json:"name" doc:"A name for people."`
	Scopes    []string   `json:"scopes" nullable:"false" doc:"What the key may do."`
	CreatedAt time.Time  `json:"created_at" doc:"When it was made."`
	CreatedBy id.Key     `json:"created_by,omitempty" doc:"The key that made it."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When it stops working."`
	RevokedAt *time.Time `json:"revoked_at,omitempty" doc:"When it was revoked."`
}

type createInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Name      string     `json:"name" minLength:"1" maxLength:"64" doc:"A name for people." example:"backend"`
		Scopes    []string   `json:"scopes" nullable:"false" minItems:"1" maxItems:"50" doc:"What the key shall be allowed; no more than the creating key." example:"[\"messages:send\"]"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When it shall stop working; absent for never."`
	}
}

type recordOutput struct{ Body Record }

type listOutput struct{ Body api.Page[Record] }

type revokeInput struct {
	ID string `path:"id" doc:"The key's ID."`
}

// Routes adds the operations on keys.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "create-key", Method: http.MethodPost, Path: "/keys", Tag: "Keys", Status: http.StatusCreated,
		Summary: "Create an API key", Permission: authz.KeysManage,
		Description: "The key itself is in this answer only. A repeated request with the same Idempotency-Key gets the record without it.",
		Errors:      []fault.Code{fault.ScopeUnknown, fault.ScopeExceedsKey, fault.IdempotencyConflict},
	}, service.create)
	api.Register(edge, api.Operation{
		ID: "list-keys", Method: http.MethodGet, Path: "/keys", Tag: "Keys", Status: http.StatusOK,
		Summary: "List the API keys", Permission: authz.KeysManage, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *api.PageQuery) (*listOutput, error) {
		return service.list(ctx, caller, signer, in)
	})
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
	request := Request{Name: in.Body.Name, Scopes: slices.Compact(slices.Sorted(slices.Values(in.Body.Scopes))),
		IdempotencyKey: in.IdempotencyKey.IdempotencyKey}
	if in.Body.ExpiresAt != nil {
		request.ExpiresAt = in.Body.ExpiresAt.UTC().Truncate(time.Millisecond)
	}
	key, text, err := s.Create(ctx, Key{ID: caller.Key, App: caller.App, Scopes: caller.Scopes}, request)
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

func (s *Service) revoke(ctx context.Context, caller authz.Caller, in *revokeInput) (*recordOutput, error) {
	key, err := s.Revoke(ctx, caller.App, id.Key(in.ID))
	if err != nil {
		return nil, err
	}
	return &recordOutput{Body: key.record()}, nil
}

func (k Key) record() Record {
	optional := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return Record{KeyID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
		ExpiresAt: optional(k.ExpiresAt), RevokedAt: optional(k.RevokedAt)}
}
