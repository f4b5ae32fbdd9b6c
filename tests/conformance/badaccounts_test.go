//go:build conformance

package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

var (
	notList = []any{"x", 7, true, object{}}
	notTime = []any{7, true, "tomorrow", object{}}
	notFlag = []any{"true", 1, object{}}
)

// accountOperations are the routes with bodies for developers, with and without a session.
func accountOperations(t *testing.T) []operation {
	who, guest := newDeveloper(t, "ann"), visitor()
	appID := newApp(t, who)
	key, _ := keyOf(t, who, appID, nil, "users:list")
	email := object{"email": address("nobody")}
	state := func() string { return accountState(t, who, appID, email["email"].(string)) }
	within, session, elsewhere := who.in(appID), who.session, logIn(t, who, nil) // elsewhere stands in each account that it makes
	token, proof := strings.Repeat("0", 43), object{"password": wrongPassword, "code": "123456", "recovery_code": "0000-0000-0000-0000"}
	wrongProof := map[string][]any{"password": notText, "code": notText, "recovery_code": notText}
	public := func(path string, valid object, required ...string) operation {
		wrong := map[string][]any{}
		for member := range valid {
			if wrong[member] = notText; member == "cookie" {
				wrong[member] = notFlag
			}
		}
		return operation{path: path, valid: valid, wrong: wrong, required: required, by: &guest, state: state}
	}
	own := func(o operation) operation {
		o.by, o.state = &session, state
		return o
	}
	return []operation{
		public("/signup", with(email, object{"password": password, "account": "x"}), "email", "password"),
		public("/signup/resend", email, "email"),
		public("/signup/confirm", object{"token": token, "password": password}, "token", "password"),
		public("/login", with(proof, with(email, object{"unlock": token, "cookie": true})), "email", "password"),
		public("/login/unlock", email, "email"),
		public("/password/forgot", email, "email"),
		public("/password/reset", object{"token": token, "password": password}, "token", "password"),
		public("/account/email/confirm", object{"token": token}, "token"),
		public("/invitations/accept", object{"token": token, "password": password}, "token"),
		own(operation{path: "/session/confirm", valid: proof, wrong: wrongProof, required: []string{"password"}}),
		own(operation{path: "/account/password", valid: with(proof, object{"new_password": otherPassword}), required: []string{"password", "new_password"},
			wrong: map[string][]any{"password": notText, "new_password": notText, "code": notText, "recovery_code": notText}}),
		own(operation{path: "/account/email", valid: email, wrong: map[string][]any{"email": notText}, required: []string{"email"}}),
		own(operation{path: "/account/mfa/confirm", valid: object{"code": "123456"}, wrong: map[string][]any{"code": notText}, required: []string{"code"}}),
		own(operation{path: "/account/mfa/off", valid: proof, wrong: wrongProof, required: []string{"password"}}),
		{path: "/accounts", by: &elsewhere, state: state, valid: object{"name": "x"}, wrong: map[string][]any{"name": notText}, required: []string{"name"}},
		own(operation{path: "/account", method: http.MethodPatch, valid: object{"name": "x"}, wrong: map[string][]any{"name": notText}, required: []string{"name"}}),
		own(operation{path: "/account/switch", valid: object{"account_id": who.account}, wrong: map[string][]any{"account_id": notText}, required: []string{"account_id"}}),
		own(operation{path: "/account/members/" + who.id, method: http.MethodPatch, valid: object{"role": "auditor"}, wrong: map[string][]any{"role": notText}, required: []string{"role"}}),
		own(operation{path: "/account/invitations", valid: with(email, object{"role": "admin"}), wrong: map[string][]any{"email": notText, "role": notText}, required: []string{"email", "role"}}),
		own(operation{path: "/apps", valid: object{"name": "x", "allowed_origins": []string{"https://x.example"}}, wrong: map[string][]any{"name": notText, "allowed_origins": notList}, required: []string{"name"}}),
		own(operation{path: "/apps/" + appID, method: http.MethodPatch, valid: object{"name": "x", "allowed_origins": []string{"https://x.example"}, "edit_window": 60},
			wrong: map[string][]any{"name": notText, "allowed_origins": notList, "edit_window": {"60", 0.5, []int{60}}}}),
		{path: "/keys", by: &within, state: state, valid: object{"name": "x", "scopes": []string{"users:list"}, "allowed_cidrs": []string{"127.0.0.1"}, "expires_at": "2100-01-01T00:00:00Z"},
			wrong: map[string][]any{"name": notText, "scopes": notList, "allowed_cidrs": notList, "expires_at": notTime}, required: []string{"name", "scopes"}},
		{path: "/keys/" + key.KeyID + "/rotate", by: &within, state: state, optional: true, valid: object{"overlap_seconds": 60, "allowed_cidrs": []string{"127.0.0.1"}, "expires_at": "2100-01-01T00:00:00Z"},
			wrong: map[string][]any{"overlap_seconds": notNumber, "allowed_cidrs": notList, "expires_at": notTime}},
	}
}

// accountState describes what a refused request must not have changed.
func accountState(t *testing.T, who developer, appID, nobody string) string {
	t.Helper()
	state := fmt.Sprint(len(inbox(t, nobody)), len(inbox(t, who.email)))
	for _, path := range []string{"/account", "/account/members", "/account/invitations", "/apps"} {
		answer := get(t, who.session, path)
		wantStatus(t, answer, http.StatusOK)
		state += string(answer.Body)
	}
	keys := get(t, who.in(appID), "/keys")
	wantStatus(t, keys, http.StatusOK)
	return state + string(keys.Body)
}

// odd are values that parsers and stores stumble over.
var odd = []any{nil, true, 0, -1, 1e308, "", " ", "\x00", "\u202e", "%00", "../..", "' OR 1=1 --", "${jndi:x}", "{{7*7}}", "<script>", strings.Repeat("a", 255), strings.Repeat("好", 100),
	strings.Repeat("a", 2000), "a#b#c", "dev_" + strings.Repeat("0", 22), "app_", "acct_" + strings.Repeat("0", 16), []any{}, []any{nil}, []any{[]any{}}, object{}, object{"": nil},
	"ann@example.com", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", "-1", "123456", "*", "https://x.example:1", "::/0", "\U0010FFFF"}

// mutate returns a body with something odd about it.
func mutate(random *rand.Rand, valid object) string {
	body := with(valid, nil)
	names := make([]string, 0, len(body))
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names)
	for range 1 + random.IntN(2) {
		name := "x"
		if len(names) > 0 {
			name = names[random.IntN(len(names))]
		}
		body[name] = odd[random.IntN(len(odd))]
		if random.IntN(8) == 0 {
			delete(body, name)
		}
	}
	encoded := []byte(text(body))
	switch random.IntN(6) {
	case 0:
		encoded[random.IntN(len(encoded))] = byte(random.IntN(256))
	case 1:
		encoded = encoded[:random.IntN(len(encoded))]
	case 2:
		at := random.IntN(len(encoded))
		encoded = slices.Concat(encoded[:at], encoded[random.IntN(len(encoded)):])
	}
	return string(encoded)
}

// TestOddBodies sends every route bodies that nobody would write: none is a defect of ours.
func TestOddBodies(t *testing.T) {
	t.Parallel()
	rounds, seed := 60, rand.Uint64()
	if onMinistack || testing.Short() {
		rounds = 20
	}
	t.Logf("seed %d", seed)
	for n, o := range slices.Concat(operations(t), accountOperations(t), accessOperations(t), groupOperations(t)) {
		if !onRunner && o.by != nil && strings.Contains(o.path+" ", "/signup /login /password/forgot /account/email /account/invitations ") {
			continue // mails and guesses are counted by source, and there is one
		}
		random, rounds := rand.New(rand.NewPCG(seed, uint64(n))), rounds
		if o.path == "/signup" || o.path == "/login" {
			rounds /= 4 // a password that is hashed takes as long as fifty refusals
		}
		for range rounds {
			body := mutate(random, o.valid)
			if onMinistack && strings.ToValidUTF8(body, "") != body {
				continue
			}
			answer := o.do(t, body, nil)
			if answer.Status >= 500 {
				t.Errorf("%s %.40s %q: %s", o.method, o.path, body, answer)
			}
			if answer.Status >= 400 && !wholeProblem(answer) {
				t.Errorf("%.40s %q: no whole problem: %s", o.path, body, answer)
			}
		}
	}
}

func wholeProblem(answer client.Answer) bool {
	var problem client.Problem
	return answer.Into(&problem) == nil && problem.Code != "" && problem.Detail != "" && problem.RequestID != "" && problem.Status == answer.Status
}

// TestOddHeadersAndPaths: what is no body can be odd, too.
func TestOddHeadersAndPaths(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	for _, id := range []string{"%00", "%FF", "%0A", "a%20b", "%F0%9F%98%80", strings.Repeat("x", 3000), "%23", "*", "member%23x", "app%23" + all.app, "dev_%23"} {
		for _, request := range []client.Request{
			{Path: "/apps/" + id}, {Method: http.MethodPatch, Path: "/apps/" + id, Body: object{"name": "x"}}, {Method: http.MethodDelete, Path: "/apps/" + id},
			{Method: http.MethodPost, Path: "/apps/" + id + "/restore"}, {Method: http.MethodPatch, Path: "/account/members/" + id, Body: object{"role": "auditor"}},
			{Method: http.MethodDelete, Path: "/account/members/" + id}, {Method: http.MethodDelete, Path: "/account/invitations/" + id},
			{Method: http.MethodDelete, Path: "/sessions/" + id}, {Path: "/keys/" + id, Header: map[string]string{"X-App-Id": all.app}},
			{Path: "/keys/" + id + "/rotate", Body: object{}, Header: map[string]string{"X-App-Id": all.app}},
		} {
			if answer := do(t, all.owner.session, request); answer.Status != http.StatusNotFound && answer.Status != 422 && answer.Status != http.StatusBadRequest {
				t.Errorf("%s %.60s: %s", request.Method, request.Path, answer)
			}
		}
	}
	for _, header := range []map[string]string{{"Cookie": "tokenim=" + strings.Repeat("x", 5000)}, {"Cookie": ";;;=;tokenim"}, {"Origin": "::"}, {"Accept-Language": strings.Repeat("zh,", 2000)},
		{"Idempotency-Key": strings.Repeat("k", 200)}, {"User-Agent": strings.Repeat("é", 4000)}, {"X-App-Id": strings.Repeat("a", 5000)}, {"Sec-Fetch-Site": "\t"}} {
		for _, request := range []client.Request{{Path: "/account"}, {Path: "/login", Body: object{"email": "nobody@example.com", "password": "x"}}, {Path: "/apps", Body: object{"name": ""}}} {
			request.Header = header
			if answer := do(t, visitor(), request); answer.Status >= 500 {
				t.Errorf("%s with %.60v: %s", request.Path, header, answer)
			}
		}
	}
}
