package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// ask sends the routes a request of the owner's and decodes the answer.
func (s *scene) ask(t *testing.T, method, path, body string) (status int, answer map[string]any) {
	t.Helper()
	edge := api.New(apitest.Everybody{Caller: s.owner()}, api.Log{})
	access.GrantRoutes(edge, s.Service, sealtest.NewKeyring())
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("X-Api-Key", "any")
	recorder := httptest.NewRecorder()
	edge.ServeHTTP(recorder, request.WithContext(api.WithSource(t.Context(), "203.0.113.7")))
	storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &answer))
	return recorder.Code, answer
}

// wantEnded looks at the grant by itself and in the lists that have to show it.
func (s *scene) wantEnded(t *testing.T, grant access.Grant, want any, lists ...string) {
	t.Helper()
	if _, got := s.ask(t, http.MethodGet, "/grants/"+string(grant.ID), ""); got["ended"] != want {
		t.Errorf("%v, want ended %v", got, want)
	}
	for _, query := range lists {
		_, got := s.ask(t, http.MethodGet, "/grants?subject="+grant.Subject+"&"+query, "")
		items, _ := got["items"].([]any)
		if len(items) != 1 || items[0].(map[string]any)["ended"] != want {
			t.Errorf("%s: %v, want one ended %v", query, got, want)
		}
	}
}

// Whoever reads a grant sees whether it counts, and why it does not.
func TestGrantsShowWhetherTheyHaveEnded(t *testing.T) {
	s := newScene()
	of := func(wish access.Wish) access.Grant {
		wish.Subject = s.user()
		return s.grant(t, wish)
	}
	role := s.role(t, "support", []string{"users:list"}, nil)
	soon := s.now().Add(time.Hour)
	forGood, builtIn := of(access.Wish{Permissions: []string{"users:list"}}), of(access.Wish{Role: "moderator"})
	own, until, expired := of(access.Wish{Role: "support"}), of(access.Wish{Role: "support", Until: soon.Add(time.Hour)}), of(access.Wish{Role: "support", Until: soon})
	byRole := "role=" + string(role.ID)
	s.wantEnded(t, own, nil, "", byRole, "role=support")
	s.clock.Advance(time.Hour)
	s.wantEnded(t, expired, "expired", "ended=true")
	_, err := s.DeleteRole(t.Context(), s.owner(), "support", "")
	storetest.OK(t, "DeleteRole", err)
	s.wantEnded(t, forGood, nil, "")
	s.wantEnded(t, builtIn, nil, "", "role=moderator")
	s.wantEnded(t, own, "role_deleted", "", byRole)
	s.wantEnded(t, until, "role_deleted", "", byRole)
	s.wantEnded(t, expired, "expired", "ended=true")
	if _, got := s.ask(t, http.MethodGet, "/grants?role=support", ""); got["code"] != string(fault.RoleNotFound) {
		t.Errorf("a deleted role by its name: %v", got)
	}
	if _, got := s.ask(t, http.MethodGet, "/grants?role=role_0000000001", ""); got["code"] != string(fault.RoleNotFound) {
		t.Errorf("a role that never was: %v", got)
	}
	if _, got := s.ask(t, http.MethodDelete, "/grants/"+string(own.ID), ""); got["ended"] != "revoked" {
		t.Errorf("revoked: %v", got)
	}
	s.wantEnded(t, own, "revoked", "ended=true")
	_, got := s.ask(t, http.MethodPost, "/grants/revoke", fmt.Sprintf(`{"grant_ids": [%q]}`, until.ID))
	if !strings.Contains(fmt.Sprint(got), "ended:revoked") {
		t.Errorf("revoked with others: %v", got)
	}
}

// Grants of a deleted role take no room, and the review leaves them out.
func TestGrantsOfADeletedRoleDoNotCount(t *testing.T) {
	s := newScene()
	user := s.user()
	s.role(t, "support", []string{"users:list"}, nil)
	for range access.MaxGrants {
		s.grant(t, access.Wish{Subject: user, Role: "support"})
	}
	one := access.Wish{Subject: user, Permissions: []string{"users:list"}}
	if _, err := s.Grant(t.Context(), s.owner(), one); !fault.Is(err, fault.TooMany) {
		t.Fatalf("one too many: %v", err)
	}
	_, err := s.DeleteRole(t.Context(), s.owner(), "support", "")
	storetest.OK(t, "DeleteRole", err)
	page, _, err := s.Review(t.Context(), s.app, 90, "", 10)
	storetest.OK(t, "Review", err)
	if len(page) != 1 || len(page[0].Grants) != 0 {
		t.Errorf("reviewed: %+v", page)
	}
	s.grant(t, one)
	if found := s.subject(t, user); len(found.Rights.Statements) != 1 {
		t.Errorf("statements: %+v", found.Rights.Statements)
	}
}

// A refused time says on which side of now it has to lie.
func TestRefusedTimesSayWhy(t *testing.T) {
	s := newScene()
	user := s.user()
	_, got := s.ask(t, http.MethodPost, "/grants", fmt.Sprintf(`{"subject": %q, "role": "bot", "until": "2020-01-01T00:00:00Z"}`, user))
	if got["code"] != string(fault.FieldInvalid) || !strings.Contains(fmt.Sprint(got["errors"]), "It has to lie in the future.") {
		t.Errorf("until: %v", got)
	}
	_, err := s.Explain(t.Context(), s.app, access.Question{Subject: user, Permission: authz.UsersList, At: s.now().Add(time.Hour)})
	if got := fault.Of(err).Detail(fault.English); !strings.Contains(got, "It has to lie in the past.") {
		t.Errorf("at: %s", got)
	}
}
