package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

// Version is the version of the public API.
const Version = "0.1.0"

// description begins the OpenAPI document.
func description() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "TokenIM", Version: Version,
			Description: "Instant messaging that a developer can own. Errors are problem documents (RFC 9457) in English, or in Chinese by Accept-Language."},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer":  {Type: "http", Scheme: "bearer", Description: "An API key, a user token, or the session of a developer. With a session, X-App-Id names the app."},
				"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "The session of a developer in a browser, with the header X-Tokenim-Console, from pages of the API's own origin only."},
				"api_key": {Type: "apiKey", In: "header", Name: "X-Api-Key", Description: "An API key. POST bodies may carry it as \"api_key\" instead."},
			},
		},
	}
}

// schemaName names a schema by its type, and anonymous bodies by their operation.
func schemaName(t reflect.Type, hint string) string {
	return huma.DefaultSchemaNamer(t, hint)
}

// always are the codes that the edge itself may answer, whatever the operation.
var always = []fault.Code{fault.Overtaken, fault.Unavailable, fault.Internal}

// withCredential are those of every operation that needs a credential.
var withCredential = []fault.Code{fault.APIKeyMissing, fault.CredentialConflict, fault.PermissionDenied}

// withKey are those of operations in an app, which keys and tokens can be good for.
var withKey = []fault.Code{fault.APIKeyMalformed, fault.APIKeyUnknown, fault.APIKeyExpired, fault.APIKeyRevoked,
	fault.SourceNotAllowed, fault.AppDeleted, fault.TokenInvalid, fault.TokenExpired, fault.TokenRevoked,
	fault.UserDeactivated}

// withSession are those of operations that a developer's session can be good for.
var withSession = []fault.Code{fault.SessionInvalid, fault.SessionExpired, fault.CrossSiteRequest}

// withFields are those of every operation, all of which check their parameters or their body.
var withFields = []fault.Code{fault.FieldUnknown, fault.FieldMissing, fault.FieldType, fault.FieldTooShort, fault.FieldTooLong,
	fault.FieldRange, fault.FieldInvalid, fault.FieldDuplicate, fault.TextInvalid}

// withBody are those of every operation that has a body.
var withBody = []fault.Code{fault.BodyMissing, fault.BodyNotJSON, fault.BodyNotObject, fault.BodyTooLarge}

// declare returns the operation as huma registers it.
func (o Operation) declare() huma.Operation {
	declared := huma.Operation{
		OperationID: o.ID, Method: o.Method, Path: o.Path, Summary: o.Summary, DefaultStatus: o.Status, Tags: []string{o.Tag},
		Description: strings.TrimSpace(o.Description + "\n\nPermission: `" + string(o.Permission) + "`" + o.forAny() + "."),
		Extensions:  map[string]any{"x-permission": string(o.Permission)},
	}
	codes := slices.Concat(o.Errors, withFields, always)
	if o.Permission != authz.Public {
		var ways []fault.Code
		declared.Security, ways = o.credentials()
		codes = slices.Concat(codes, withCredential, ways)
	}
	if o.Method != http.MethodGet && o.Method != http.MethodDelete {
		codes = append(codes, withBody...)
	}
	declared.Responses = responses(codes)
	return declared
}

// forAny tells of the permission that takes the place of the operation's own.
func (o Operation) forAny() string {
	if o.ForAny == "" {
		return ""
	}
	return "; `" + string(o.ForAny) + "` for any user"
}

// credentials returns what the operation can be called with, and the codes that this brings.
func (o Operation) credentials() (ways []map[string][]string, codes []fault.Code) {
	entry, _ := authz.Lookup(o.Permission)
	ways = []map[string][]string{{"bearer": {}}}
	if entry.Holders&authz.Developers != 0 {
		ways = append(ways, map[string][]string{"session": {}})
		codes = append(codes, withSession...)
	}
	switch {
	case entry.Holders&authz.Keys != 0:
		ways = append(ways, map[string][]string{"api_key": {}})
		codes = append(slices.Concat(codes, withKey), fault.AppNotChosen, fault.AppNotFound)
	case entry.Holders&authz.Users != 0:
		codes = slices.Concat(codes, withKey)
	default:
		codes = append(codes, fault.SessionNeeded)
	}
	return ways, codes
}

// describeTypes describes an answer of bytes by the content types that it can have.
func describeTypes(content map[string]*huma.MediaType, types []string) {
	const taken = "application/json" // for any answer
	declared := content[taken]
	delete(content, taken)
	declared.Schema.ContentEncoding = ""
	for _, each := range types {
		content[each] = declared
	}
}

// responses describes the problem documents of the codes, by status.
func responses(codes []fault.Code) map[string]*huma.Response {
	byStatus := map[int][]string{}
	for _, code := range codes {
		status := fault.Lookup(code).Status
		byStatus[status] = append(byStatus[status], fmt.Sprintf("`%s`: %s", code, fault.Lookup(code).Title.EN))
	}
	described := map[string]*huma.Response{}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		lines := slices.Compact(slices.Sorted(slices.Values(byStatus[status])))
		described[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(lines, "; "),
			Content: map[string]*huma.MediaType{"application/problem+json": {
				Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}
	}
	return described
}
