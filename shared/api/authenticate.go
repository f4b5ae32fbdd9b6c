package api

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/login"
)

// KeyInBody is the member that every body may carry: the API key in the form of TokenIM's published examples.
type KeyInBody struct {
	APIKey string `json:"api_key,omitempty" doc:"The API key, where it is not sent in a header." example:"tk_…"`
}

// admitFor admits who may do it for itself, or for the user that it acts for; else who may do it to any user.
func (a *API) admitFor(ctx huma.Context, operation Operation) (admitted, error) {
	caller, err := a.admit(ctx, operation)
	in := admitted{caller, operation.asks(ctx), ctx.Param("id")}
	if operation.Actor.path == "id" && caller.User != "" {
		in.target = string(caller.User) // the path may have its name
	}
	if err == nil || operation.ForAny == "" {
		return in, err
	}
	any := operation
	any.Permission, any.Actor, any.ForAny = operation.ForAny, ActorFrom{}, ""
	if caller, refused := a.admit(ctx, any); refused == nil {
		return admitted{caller, any.asks(ctx), in.target}, nil
	}
	return in, err
}

// admit judges a request before its body is validated: the credential first, then the permission, then the acting user,
// then the form of the query and the body.
func (a *API) admit(ctx huma.Context, operation Operation) (authz.Caller, error) {
	seen := requestOf(ctx.Context())
	if operation.Permission == authz.Public {
		return authz.Caller{Source: seen.source}, seen.malformedFor(ctx.Operation())
	}
	caller, err := a.authenticate(ctx, seen, operation)
	caller.Source = seen.source
	if !caller.Known() && err != nil {
		return authz.Caller{}, err // not even the credential is good
	}
	if entry, _ := authz.Lookup(operation.Permission); !entry.InApp() &&
		(fault.Is(err, fault.AppNotFound) || fault.Is(err, fault.AppDeleted)) {
		err = nil // the app that a console always names does not matter to what is done in an account
	}
	asked := operation.asks(ctx)
	denied := caller.RequireIn(asked.Permission, asked.Group)
	if operation.Inside && fault.Is(denied, fault.PermissionDenied) {
		denied = nil
	}
	if fault.Is(denied, fault.AppNotChosen) && err != nil {
		denied = err // one was chosen, and is none of the account's
	}
	if denied != nil {
		return authz.Caller{}, denied
	}
	if malformed := seen.malformedFor(ctx.Operation()); malformed != nil {
		return authz.Caller{}, malformed
	}
	return caller, err
}

// asks returns what the request asks for: either parameter in its path can be a group, or a group's conversation. All others are
// users or numbers.
func (o Operation) asks(ctx huma.Context) authz.Asked {
	return authz.AskAt(o.Permission, ctx.Param("id"), ctx.Param("conversation"))
}

func (a *API) authenticate(ctx huma.Context, seen *request, operation Operation) (authz.Caller, error) {
	credential, err := seen.credential(ctx)
	if entry, _ := authz.Lookup(operation.Permission); fault.Is(err, fault.APIKeyMissing) && !entry.InApp() {
		err = fault.New(fault.SessionNeeded)
	}
	if err != nil {
		return authz.Caller{}, err
	}
	if entry, _ := authz.Lookup(operation.Permission); !entry.InApp() && !strings.HasPrefix(credential, login.Prefix) {
		return authz.Caller{}, fault.New(fault.SessionNeeded) // no key or user can be given it
	}
	request := authz.Request{Actor: operation.Actor.of(ctx, seen), Source: seen.source, App: ctx.Header("X-App-Id")}
	switch {
	case strings.HasPrefix(credential, login.Prefix):
		return a.authenticator.Session(ctx.Context(), credential, request)
	case looksLikeToken(credential):
		return a.authenticator.Token(ctx.Context(), credential, request)
	}
	return a.authenticator.Key(ctx.Context(), credential, request)
}

// of returns the acting user that the request names.
func (f ActorFrom) of(ctx huma.Context, seen *request) authz.Actor {
	switch {
	case f.path != "":
		return authz.Actor{User: ctx.Param(f.path), Field: f.path}
	case f.body != "":
		return authz.Actor{User: seen.members[f.body], Field: f.body}
	}
	return authz.Actor{}
}

// credential returns the one credential of the request: in Authorization, X-Api-Key or the body. Where there is none of
// these, it is the cookie that a browser sends along, and then the request has to come from a page of our own.
func (r *request) credential(ctx huma.Context) (string, error) {
	var found string
	for _, candidate := range []string{bearer(ctx.Header("Authorization")), ctx.Header("X-Api-Key"), r.members["api_key"]} {
		switch {
		case candidate == "" || candidate == found:
		case found != "":
			return "", fault.New(fault.CredentialConflict)
		default:
			found = candidate
		}
	}
	if found != "" {
		return found, nil
	}
	if found = r.origin.cookie(); found == "" {
		return "", fault.New(fault.APIKeyMissing)
	}
	return found, r.origin.ownPage()
}

// bearer returns the credential of an Authorization header. One of another scheme is returned whole, and is malformed.
func bearer(header string) string {
	scheme, credential, found := strings.Cut(header, " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(credential)
	}
	return header
}

// looksLikeToken tells a user token, which is a JWT, from an API key, which never has a dot.
func looksLikeToken(credential string) bool {
	return strings.Count(credential, ".") == 2
}

// malformedFor returns what is wrong with the form of the query or the body. Only an operation that needs a body misses one;
// one that takes none has no fields but the credential.
func (r *request) malformedFor(operation *huma.Operation) error {
	needed := operation.RequestBody != nil && operation.RequestBody.Required
	switch {
	case r.query != nil:
		return r.query
	case fault.Is(r.malformed, fault.BodyMissing) && !needed:
		return nil
	case r.malformed == nil && operation.RequestBody == nil:
		return r.unread()
	}
	return r.malformed
}

// unread refuses the members of a body that nobody will read.
func (r *request) unread() error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &members); err != nil {
		return fault.Wrap(err, fault.BodyNotJSON, 0)
	}
	delete(members, "api_key")
	var unknown []fault.Field
	for _, name := range slices.Sorted(maps.Keys(members)) {
		unknown = append(unknown, fault.Field{Name: name, Code: fault.FieldUnknown, Args: []any{name}})
	}
	if len(unknown) == 0 {
		return nil
	}
	return fault.Invalid(unknown...)
}

func newReader(body []byte) io.Reader { return bytes.NewReader(body) }

func stack() string { return string(debug.Stack()) }
