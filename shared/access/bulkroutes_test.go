package access_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Whoever mistypes a scope is told so, and does not take it for gone.
func TestRevokeUnknownScopes(t *testing.T) {
	s := newScene()
	edge := api.New(apitest.Everybody{Caller: s.owner()}, api.Log{})
	access.GrantRoutes(edge, s.Service, sealtest.NewKeyring())
	for _, test := range []struct {
		scopes string
		want   fault.Code
		field  string
	}{
		{`["users:list"]`, "", ""},
		{`["users:lst"]`, fault.ScopeUnknown, "scopes[0]"},
		{`["users:list", ""]`, fault.ScopeUnknown, "scopes[1]"},
		{`["users:list", "apps:manage"]`, fault.ScopeUnknown, "scopes[1]"},
		{`["socket:connect"]`, fault.ScopeUnknown, "scopes[0]"},
	} {
		body := `{"scopes": [{"key_id": "` + s.key("users:list") + `", "scopes": ` + test.scopes + `}]}`
		request := httptest.NewRequest(http.MethodPost, "/grants/revoke", strings.NewReader(body))
		request.Header.Set("X-Api-Key", "any")
		recorder := httptest.NewRecorder()
		edge.ServeHTTP(recorder, request.WithContext(api.WithSource(t.Context(), "203.0.113.7")))
		var answer struct {
			Items []struct{ Error api.Problem }
		}
		storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &answer))
		if len(answer.Items) != 1 || answer.Items[0].Error.Code != test.want {
			t.Errorf("%s: %s, want %q", test.scopes, recorder.Body, test.want)
		} else if found := answer.Items[0].Error.Errors; test.field != "" && (len(found) != 1 || found[0].Field != test.field) {
			t.Errorf("%s: %+v, want one about %s", test.scopes, found, test.field)
		}
	}
}
