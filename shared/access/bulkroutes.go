package access

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

type bulkInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Grants []GrantFields `json:"grants" minItems:"1" maxItems:"100" nullable:"false" doc:"What shall be granted; each succeeds or fails by itself."`
	}
}

type bulkRevokeInput struct {
	Body struct {
		api.KeyInBody
		GrantIDs []string    `json:"grant_ids,omitempty" maxItems:"100" nullable:"false" doc:"The grants to revoke."`
		Scopes   []keyScopes `json:"scopes,omitempty" maxItems:"100" nullable:"false" doc:"Scopes to take from keys."`
		Reason   string      `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type keyScopes struct {
	KeyID  string   `json:"key_id" maxLength:"64" doc:"The key's ID."`
	Scopes []string `json:"scopes" minItems:"1" maxItems:"64" nullable:"false" doc:"What it shall not have of itself any more."`
}

// result is what became of one of many.
type result struct {
	Status string       `json:"status" enum:"done,refused" doc:"Whether it was done."`
	Grant  *View        `json:"grant,omitempty" doc:"The grant, where it was done."`
	KeyID  string       `json:"key_id,omitempty" doc:"The key whose scopes were taken."`
	Error  *api.Problem `json:"error,omitempty" doc:"Why not, where it was refused."`
}

type resultsOutput struct {
	Body struct {
		Items []result `json:"items" nullable:"false" doc:"The results, in the order of the request."`
	}
}

func (r routes) bulk(edge *api.API) {
	api.Register(edge, api.Operation{
		ID: "create-grants", Method: http.MethodPost, Path: "/grants/bulk", Tag: "Authorization", Status: http.StatusOK,
		Summary: "Grant or deny many at once", Permission: authz.GrantsManage,
		Description: "Up to 100, each with a result of its own. Repeated with the same Idempotency-Key, what was done is not done again.",
		Errors:      append([]fault.Code{fault.IdempotencyConflict}, granting...),
	}, r.createMany)
	api.Register(edge, api.Operation{
		ID: "revoke-grants", Method: http.MethodPost, Path: "/grants/revoke", Tag: "Authorization", Status: http.StatusOK,
		Summary: "Revoke many at once", Permission: authz.GrantsManage,
		Description: "Grants, and scopes of keys, as the review lists them: each with a result of its own. Taking scopes from a key asks for keys:manage too; one that it does not have is no error.",
		Errors:      []fault.Code{fault.GrantNotFound, fault.GrantExceeds, fault.KeyNotFound, fault.KeyNotActive, fault.ScopeUnknown, fault.AppDeleted},
	}, r.revokeMany)
}

func (r routes) createMany(ctx context.Context, caller authz.Caller, in *bulkInput) (*resultsOutput, error) {
	return each(ctx, len(in.Body.Grants), func(i int) (result, error) {
		key := in.IdempotencyKey.IdempotencyKey
		if key != "" {
			key = fmt.Sprintf("%s %d of many", key, i)
		}
		made, err := r.Grant(ctx, caller, in.Body.Grants[i].wish(key))
		return r.resultOf(ctx, caller, made, err)
	})
}

func (r routes) revokeMany(ctx context.Context, caller authz.Caller, in *bulkRevokeInput) (*resultsOutput, error) {
	grants, scopes := in.Body.GrantIDs, in.Body.Scopes
	return each(ctx, len(grants)+len(scopes), func(i int) (result, error) {
		if i < len(grants) {
			revoked, err := r.Revoke(ctx, caller, id.Grant(grants[i]), in.Body.Reason)
			return r.resultOf(ctx, caller, revoked, err)
		}
		narrowed := scopes[i-len(grants)]
		return result{KeyID: narrowed.KeyID}, r.narrow(ctx, caller, narrowed, in.Body.Reason)
	})
}

func (r routes) resultOf(ctx context.Context, caller authz.Caller, grant Grant, err error) (result, error) {
	out, err := r.shown(ctx, caller, grant, err)
	if err != nil {
		return result{}, err
	}
	return result{Grant: &out.Body}, nil
}

// narrow takes scopes from a key. One that no key can have is refused: whoever mistyped it would take it for gone.
func (r routes) narrow(ctx context.Context, caller authz.Caller, from keyScopes, reason string) error {
	if err := caller.Require(authz.KeysManage); err != nil {
		return err
	}
	for i, scope := range from.Scopes {
		if !slices.Contains(authz.Scopes(), scope) {
			return fault.Invalid(fault.Field{Name: fmt.Sprintf("scopes[%d]", i), Code: fault.ScopeUnknown, Args: []any{scope}})
		}
	}
	return r.Keys.Narrow(ctx, caller.App, id.Key(from.KeyID), from.Scopes, record.By(caller, reason))
}

// guarded turns a defect into an error: here, a panic would end the process, with all that it is answering.
func guarded(i int, do func(i int) (result, error)) (done result, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return do(i)
}

// atOnce is how many of many are done at the same time.
const atOnce = 8

// each does n things, some at a time, and returns what became of each. What is nobody's fault ends the request: it can be
// repeated as it is.
func each(ctx context.Context, n int, do func(i int) (result, error)) (*resultsOutput, error) {
	out := &resultsOutput{}
	out.Body.Items = make([]result, n)
	failed := make([]error, n)
	var wait sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i := range n {
		turn <- struct{}{}
		wait.Go(func() {
			defer func() { <-turn }()
			done, err := guarded(i, do)
			done.Status = "done"
			if err != nil {
				done, failed[i] = result{Status: "refused", Error: api.ProblemOf(ctx, err)}, err
			}
			out.Body.Items[i] = done
		})
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil && fault.Lookup(fault.Of(err).Code).Status >= http.StatusInternalServerError {
			return nil, err
		}
	}
	return out, nil
}
