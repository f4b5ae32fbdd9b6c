package account_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
)

// page are the headers that a page of our own sends.
var page = []string{"Sec-Fetch-Site: same-origin", "Origin: https://api.example.com", "X-Tokenim-Console: 1"}

// withCookie logs in as a page does and returns the cookie as a browser sends it.
func (w *world) withCookie(headers ...string) (string, *http.Cookie) {
	w.t.Helper()
	sent := `{"email":"` + ann + `","password":"` + good + `","cookie":true}`
	got := w.call("POST", "/login", sent, headers...)
	cookies := got.Result().Cookies()
	if got.Code != http.StatusOK || len(cookies) != 1 {
		w.t.Fatalf("login: %d %s, cookies %v", got.Code, got.Body, cookies)
	}
	var answer map[string]any
	w.ok("Unmarshal", json.Unmarshal(got.Body.Bytes(), &answer))
	if answer["session"] != nil || strings.Contains(got.Body.String(), cookies[0].Value) {
		w.t.Errorf("the session stands in the answer too: %s", got.Body)
	}
	return "Cookie: " + cookies[0].Name + "=" + cookies[0].Value, cookies[0]
}

// A cookie counts only on requests of our own pages: a browser sends it along with those of others too.
func TestCookiesCountFromOwnPagesOnly(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	cookie, _ := w.withCookie(page...)
	const own, console = "Origin: https://api.example.com", "X-Tokenim-Console: 1"
	for _, test := range []struct {
		headers []string
		want    fault.Code
	}{
		{page, ""},
		{[]string{"Sec-Fetch-Site: same-origin", console}, ""}, // GET requests name no origin
		{[]string{own, console}, ""},                           // older browsers
		{[]string{"Origin: https://API.example.com", console}, ""},
		{[]string{"Sec-Fetch-Site: same-origin", own}, fault.CrossSiteRequest}, // a form
		{[]string{"Sec-Fetch-Site: cross-site", console}, fault.CrossSiteRequest},
		{[]string{"Sec-Fetch-Site: cross-site", own, console}, fault.CrossSiteRequest},
		{[]string{"Sec-Fetch-Site: same-site", own, console}, fault.CrossSiteRequest},
		{[]string{"Sec-Fetch-Site: none", console}, fault.CrossSiteRequest},
		{[]string{"Sec-Fetch-Site: same-origin", "Origin: https://evil.example.com", console}, fault.CrossSiteRequest},
		{[]string{"Origin: https://evil.example.com", console}, fault.CrossSiteRequest},
		{[]string{"Origin: https://api.example.com.evil.example", console}, fault.CrossSiteRequest},
		{[]string{"Origin: https://api.example.com:8443", console}, fault.CrossSiteRequest},
		{[]string{"Origin: https://api.example.com@evil.example", console}, fault.CrossSiteRequest},
		{[]string{"Origin: null", console}, fault.CrossSiteRequest},
		{[]string{"Origin: :", console}, fault.CrossSiteRequest},
		{[]string{console}, fault.CrossSiteRequest},
		{nil, fault.CrossSiteRequest},
	} {
		for _, request := range []string{"GET /account", "POST /logout", "DELETE /sessions", "POST /account/mfa"} {
			method, path, _ := strings.Cut(request, " ")
			if request == "POST /logout" && test.want == "" {
				continue
			}
			got := w.call(method, path, "", append(test.headers, cookie)...)
			if answered(got) != test.want {
				t.Errorf("%s with %v: %s, want %q", request, test.headers, got.Body, test.want)
			}
		}
	}
}

// A login that sets a cookie comes from our own pages only, or others could log their visitors in as themselves.
func TestLoginWithCookieFromAnotherSite(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	sent := `{"email":"` + ann + `","password":"` + good + `","cookie":true}`
	for _, headers := range [][]string{nil, {"Sec-Fetch-Site: cross-site", "X-Tokenim-Console: 1"},
		{"Sec-Fetch-Site: same-site", "X-Tokenim-Console: 1"}, {"Origin: https://evil.example", "X-Tokenim-Console: 1"}, page[:2]} {
		got := w.call("POST", "/login", sent, headers...)
		if answered(got) != fault.CrossSiteRequest || len(got.Result().Cookies()) > 0 {
			t.Errorf("with %v: %s", headers, got.Body)
		}
	}
}

func TestCookieAttributes(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	_, secure := w.withCookie(page...)
	local := []string{"Host: 127.0.0.1:8080", "Sec-Fetch-Site: same-origin", "X-Tokenim-Console: 1"}
	_, plain := w.withCookie(local...)
	for _, cookie := range []*http.Cookie{secure, plain} {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("cookie %s", cookie)
		}
	}
	if secure.Name != "__Host-tokenim" || !secure.Secure || plain.Name != "tokenim" || plain.Secure {
		t.Errorf("cookies %s and %s", secure, plain)
	}
	_, forwarded := w.withCookie(append(local, "X-Forwarded-Proto: https")...)
	if forwarded.Name != "__Host-tokenim" || !forwarded.Secure {
		t.Errorf("behind https: %s", forwarded)
	}
}

// The cookie without the prefix, which any host of the domain can plant, counts on a laptop only; the other there never.
func TestCookieOfTheOtherName(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	_, cookie := w.withCookie(page...)
	for _, test := range []struct {
		host, name string
		want       fault.Code
	}{
		{"api.example.com", "__Host-tokenim", ""}, {"api.example.com", "tokenim", fault.SessionNeeded},
		{"localhost:8080", "tokenim", ""}, {"localhost:8080", "__Host-tokenim", fault.SessionNeeded},
		{"127.0.0.1:8080", "tokenim", ""}, {"[::1]:8080", "tokenim", ""}, {"evil.example:8080", "tokenim", fault.SessionNeeded},
		{"api.example.com", "__host-tokenim", fault.SessionNeeded},
	} {
		got := w.call("GET", "/account", "", "Host: "+test.host, "Sec-Fetch-Site: same-origin", "X-Tokenim-Console: 1",
			"Cookie: "+test.name+"="+cookie.Value)
		if answered(got) != test.want {
			t.Errorf("%s at %s: %s, want %q", test.name, test.host, got.Body, test.want)
		}
	}
}

// What a program says itself counts before what a browser adds, and of two cookies of one name only the first.
func TestBearerBeforeCookie(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.signUp("eve@example.com")
	eve := w.login("eve@example.com", good)
	cookie, raw := w.withCookie(page...)
	who := func(headers ...string) string {
		return emailOf(w.call("GET", "/account", "", append(headers, page...)...))
	}
	if got := who(cookie, "Authorization: Bearer "+eve); got != "eve@example.com" {
		t.Errorf("a bearer and a cookie: %q", got)
	}
	if got := who(cookie, "Authorization: Bearer ts_none"); got != "" {
		t.Errorf("a bad bearer and a cookie: %q", got)
	}
	if got := who("Cookie: __Host-tokenim=" + raw.Value + "; __Host-tokenim=" + eve); got != ann {
		t.Errorf("two cookies: %q", got)
	}
}

func emailOf(recorder *httptest.ResponseRecorder) string {
	var answer struct{ Email string }
	_ = json.Unmarshal(recorder.Body.Bytes(), &answer)
	return answer.Email
}

// A logout takes the cookie away; what the browser still sends is worth nothing.
func TestLogoutTakesTheCookieAway(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	cookie, _ := w.withCookie(page...)
	got := w.call("POST", "/logout", "", append(page, cookie)...)
	cookies := got.Result().Cookies()
	if got.Code != http.StatusOK || len(cookies) != 1 || cookies[0].MaxAge >= 0 || cookies[0].Value != "" {
		t.Fatalf("logout: %s, cookies %v", got.Body, cookies)
	}
	if got := w.call("GET", "/account", "", append(page, cookie)...); answered(got) != fault.SessionInvalid {
		t.Errorf("after the logout: %s", got.Body)
	}
}

// Each login has a session of its own: one that was planted before is not carried on.
func TestLoginDoesNotKeepAPlantedSession(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.signUp("eve@example.com")
	planted := "Cookie: __Host-tokenim=" + w.login("eve@example.com", good)
	_, cookie := w.withCookie(append(page, planted)...)
	if strings.Contains(planted, cookie.Value) {
		t.Fatal("the planted session was kept")
	}
	if got := w.call("GET", "/account", "", append(page, "Cookie: __Host-tokenim="+cookie.Value)...); emailOf(got) != ann {
		t.Errorf("logged in as %s", got.Body)
	}
}
