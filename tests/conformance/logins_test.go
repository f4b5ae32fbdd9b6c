//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// sessionRow is a session as GET /sessions lists it.
type sessionRow struct {
	SessionID string    `json:"session_id"`
	Current   bool      `json:"current"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Source    string    `json:"source"`
	Agent     string    `json:"user_agent"`
}

func sessionsOf(t *testing.T, by client.Installation) []sessionRow {
	t.Helper()
	answer := get(t, by, "/sessions")
	wantStatus(t, answer, http.StatusOK)
	var list client.Page[sessionRow]
	if err := answer.Into(&list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// wantEnded checks that a session is good for nothing any more.
func wantEnded(t *testing.T, by client.Installation) {
	t.Helper()
	for _, path := range []string{"/account", "/apps", "/sessions", "/keys"} {
		wantRefusal(t, get(t, by, path), http.StatusUnauthorized, "session_invalid")
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	first, second, third := who.session, logIn(t, who, nil), logIn(t, who, nil)
	rows := sessionsOf(t, third)
	if len(rows) != 3 || !rows[0].Current || rows[1].Current || rows[2].Current {
		t.Fatalf("sessions %+v", rows)
	}
	for _, row := range rows {
		life := row.ExpiresAt.Sub(row.CreatedAt)
		if row.Source == "" || row.Agent == "" || life < 24*time.Hour || life > 31*24*time.Hour {
			t.Errorf("%+v", row)
		}
	}
	listed := string(get(t, third, "/sessions").Body)
	for _, session := range []string{first.APIKey, second.APIKey, third.APIKey} {
		if secret := session[strings.LastIndex(session, "_")+1:]; strings.Contains(listed, secret) {
			t.Errorf("the list of sessions holds the secret of one: %s", listed)
		}
	}
	wantRefusal(t, remove(t, third, "/sessions/nobodys"), http.StatusNotFound, "session_not_found")
	wantRefusal(t, remove(t, third, "/sessions/"+sessionsOf(t, sharedTeam(t).auditor.session)[0].SessionID), http.StatusNotFound, "session_not_found")
	wantStatus(t, remove(t, third, "/sessions/"+rows[1].SessionID), http.StatusOK)
	wantEnded(t, second)
	wantStatus(t, get(t, first, "/account"), http.StatusOK)
	wantStatus(t, remove(t, third, "/sessions"), http.StatusOK)
	wantEnded(t, first)
	awaitMail(t, who.email, "sessions")
	if rows := sessionsOf(t, third); len(rows) != 1 || !rows[0].Current {
		t.Errorf("after the end of the others: %+v", rows)
	}
	wantStatus(t, do(t, third, client.Request{Method: http.MethodPost, Path: "/logout"}), http.StatusOK)
	wantEnded(t, third)
}

func TestSessionsThatAreNone(t *testing.T) {
	t.Parallel()
	text := sharedTeam(t).auditor.session.APIKey
	foreign := sharedTeam(t).outsider.session.APIKey
	parts, others := strings.Split(text, "_"), strings.Split(foreign, "_")
	bad := []string{"ts_", "ts_x", text[:len(text)-1], text + "0", text + "_", strings.ToLower(text),
		strings.Join([]string{"ts", parts[1], parts[2], others[3]}, "_"), strings.Join([]string{"ts", others[1], parts[2], parts[3]}, "_"),
		strings.Join([]string{"ts", parts[1], others[2], parts[3]}, "_"), "ts_" + strings.Repeat("0", 22) + "_" + strings.Repeat("0", 16) + "_" + strings.Repeat("0", 43)}
	for i := range text[3:] {
		if text[i+3] != '_' {
			bad = append(bad, text[:i+3]+other(text[i+3])+text[i+4:])
		}
	}
	for _, session := range bad {
		wantRefusal(t, get(t, app.With(session), "/account"), http.StatusUnauthorized, "session_invalid")
	}
	wantRefusal(t, get(t, app.With(text[3:]), "/account"), http.StatusUnauthorized, "session_needed")
	wantRefusal(t, get(t, app.With("TS"+text[2:]), "/account"), http.StatusUnauthorized, "session_needed")
	wantRefusal(t, get(t, app, "/account"), http.StatusUnauthorized, "session_needed")
	wantRefusal(t, get(t, app.With(""), "/account"), http.StatusUnauthorized, "session_needed")
	both := client.Request{Path: "/account", Header: map[string]string{"X-Api-Key": foreign}}
	wantRefusal(t, do(t, app.With(text), both), http.StatusBadRequest, "credential_conflict")
}

func TestConfirmingAndChangingThePassword(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	elsewhere := logIn(t, who, nil)
	wantRefusal(t, post(t, who.session, "/session/confirm", object{"password": wrongPassword}), http.StatusUnauthorized, "invalid_credentials")
	wantStatus(t, post(t, who.session, "/session/confirm", object{"password": password}), http.StatusOK)
	wantRefusal(t, post(t, who.session, "/account/password", object{"password": wrongPassword, "new_password": otherPassword}), http.StatusUnauthorized, "invalid_credentials")
	for text, code := range map[string]string{"fourteen chars": "password_too_short", "passwordpassword": "password_common", who.email: "password_own_words"} {
		wantRefusal(t, post(t, who.session, "/account/password", object{"password": password, "new_password": text}), 422, code)
	}
	wantStatus(t, get(t, elsewhere, "/account"), http.StatusOK)
	wantStatus(t, post(t, who.session, "/account/password", object{"password": password, "new_password": otherPassword}), http.StatusOK)
	wantEnded(t, elsewhere)
	wantStatus(t, get(t, who.session, "/account"), http.StatusOK)
	awaitMail(t, who.email, "password", "changed")
	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "invalid_credentials")
	logIn(t, who, object{"password": otherPassword})
}

// TestGuessingWithinASession: whoever finds a session open does not get to guess its password.
func TestGuessingWithinASession(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	answers := together(min(crowd(), 50), func(int) client.Answer {
		return post(t, who.session, "/session/confirm", object{"password": wrongPassword})
	})
	evaluated := 0
	for _, answer := range answers {
		if answer.Text("code") == "invalid_credentials" {
			evaluated++
			continue
		}
		wantTooMany(t, answer)
	}
	if evaluated > 7 { // 5, and as many as there are further seconds
		t.Errorf("%d of %d guesses were evaluated", evaluated, len(answers))
	}
}

func TestResettingThePassword(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	ask := func() {
		wantStatus(t, post(t, who.visitor, "/password/forgot", object{"email": who.email}), http.StatusAccepted)
	}
	older, newer := mailed(t, who.email, "reset", ask), mailed(t, who.email, "reset", ask)
	for text, code := range passwords {
		wantField(t, wantRefusal(t, post(t, who.visitor, "/password/reset", object{"token": newer, "password": text}), 422, code), "password", code)
	}
	wantRefusal(t, post(t, who.visitor, "/password/reset", object{"token": newer, "password": who.email}), 422, "password_own_words")
	wantStatus(t, get(t, who.session, "/account"), http.StatusOK)
	answer := post(t, who.visitor, "/password/reset", object{"token": newer, "password": otherPassword})
	wantStatus(t, answer, http.StatusOK)
	if answer.Has("session") || answer.Header.Get("Set-Cookie") != "" {
		t.Errorf("a reset logs nobody in: %s", answer)
	}
	wantEnded(t, who.session)
	for _, token := range []string{older, newer} {
		wantRefusal(t, post(t, who.visitor, "/password/reset", object{"token": token, "password": password}), http.StatusGone, "link_invalid")
	}
	awaitMail(t, who.email, "password", "changed")
	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "invalid_credentials")
	logIn(t, who, object{"password": otherPassword})
}

func TestChangingTheAddress(t *testing.T) {
	t.Parallel()
	who, taken := newDeveloper(t, "ann"), address("taken")
	move := func(to string) string {
		return mailed(t, to, "email", func() {
			wantStatus(t, post(t, who.session, "/account/email", object{"email": to}), http.StatusAccepted)
		})
	}
	wantField(t, wantRefusal(t, post(t, who.session, "/account/email", object{"email": "nowhere"}), 422, "email_invalid"), "email", "email_invalid")
	toTaken := move(taken)
	rival := developer{email: taken, password: password, visitor: visitor()}
	token := mailed(t, taken, "confirm", func() {
		wantStatus(t, post(t, rival.visitor, "/signup", object{"email": taken, "password": password}), http.StatusAccepted)
	})
	wantStatus(t, confirm(t, rival, token), http.StatusCreated)
	wantRefusal(t, post(t, who.visitor, "/account/email/confirm", object{"token": toTaken}), http.StatusConflict, "email_taken")

	email, abandoned := address("new"), address("abandoned")
	stale := move(abandoned)
	token = move(email)
	logIn(t, who, nil) // the old address stays until then
	wantStatus(t, post(t, who.visitor, "/account/email/confirm", object{"token": token}), http.StatusOK)
	for _, again := range []string{token, stale} {
		wantRefusal(t, post(t, who.visitor, "/account/email/confirm", object{"token": again}), http.StatusGone, "link_invalid")
	}
	awaitMail(t, who.email, "address", "was changed") // not to which: the mailbox may be somebody else's by now
	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "invalid_credentials")
	wantRefusal(t, tryLogin(t, who, object{"email": abandoned}), http.StatusUnauthorized, "invalid_credentials")
	moved := logIn(t, who, object{"email": email})
	if answer := get(t, moved, "/account"); answer.Text("email") != email || answer.Text("developer_id") != who.id {
		t.Errorf("%s", answer)
	}
}

// TestMovingToAnAddressInUse mails nobody and says nothing.
func TestMovingToAnAddressInUse(t *testing.T) {
	t.Parallel()
	who, owner := sharedTeam(t).outsider, sharedTeam(t).auditor
	mails.take(t, 2)
	known := post(t, who.session, "/account/email", object{"email": owner.email})
	unknown := post(t, who.session, "/account/email", object{"email": address("free")})
	if known.Status != http.StatusAccepted || string(known.Body) != string(unknown.Body) {
		t.Errorf("%s, and %s", known, unknown)
	}
}

// browser is how a page of an origin sends requests.
func browser(origin, site string) map[string]string {
	header := map[string]string{"X-Tokenim-Console": "1"}
	if origin != "" {
		header["Origin"] = origin
	}
	if site != "" {
		header["Sec-Fetch-Site"] = site
	}
	return header
}

func TestSessionsInCookies(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	own := app.HTTP
	login := func(header map[string]string) client.Answer {
		return do(t, who.visitor, client.Request{Path: "/login", Header: header, Body: object{"email": who.email, "password": password, "cookie": true}})
	}
	for _, header := range []map[string]string{nil, browser("", ""), browser(own, "cross-site"), browser("https://evil.example", ""), browser("https://evil.example", "same-origin"),
		browser("null", ""), browser(own, "same-site"), {"Origin": own, "Sec-Fetch-Site": "same-origin"}} {
		answer := login(header)
		wantRefusal(t, answer, http.StatusForbidden, "cross_site_request")
		if answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("a cookie all the same: %v", answer.Header)
		}
	}
	answer := login(browser(own, "same-origin"))
	wantStatus(t, answer, http.StatusOK)
	cookies := (&http.Response{Header: answer.Header}).Cookies()
	if answer.Has("session") || len(cookies) != 1 {
		t.Fatalf("%s with %v", answer, cookies)
	}
	cookie := cookies[0]
	plain := strings.HasPrefix(own, "http://")
	if plain == strings.HasPrefix(cookie.Name, "__Host-") || !cookie.HttpOnly || cookie.Secure == plain || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %+v", cookie)
	}
	wantCookieKept(t, who.visitor, cookie, own)
}

// wantCookieKept tries the cookie from pages of our own and of others.
func wantCookieKept(t *testing.T, by client.Installation, cookie *http.Cookie, own string) {
	t.Helper()
	request := func(method, path string, header map[string]string) client.Answer {
		with := map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
		for name, value := range header {
			with[name] = value
		}
		return do(t, by, client.Request{Method: method, Path: path, Header: with})
	}
	for _, header := range []map[string]string{browser(own, "same-origin"), browser("", "same-origin"), browser(own, "")} {
		wantStatus(t, request(http.MethodGet, "/account", header), http.StatusOK)
	}
	for _, header := range []map[string]string{nil, browser("", ""), {"Sec-Fetch-Site": "same-origin"}, {"Origin": own}, browser(own, "cross-site"), browser(own, "same-site"),
		browser(own, "none"), browser("https://evil.example", "same-origin"), browser("null", "same-origin"), browser("https://evil.example", "")} {
		for method, path := range map[string]string{http.MethodGet: "/account", http.MethodDelete: "/sessions", http.MethodPost: "/logout"} {
			wantRefusal(t, request(method, path, header), http.StatusForbidden, "cross_site_request")
		}
	}
	other := "__Host-tokenim"
	if strings.HasPrefix(cookie.Name, "__Host-") {
		other = "tokenim"
	}
	planted := browser(own, "same-origin")
	planted["Cookie"] = other + "=" + cookie.Value
	wantRefusal(t, do(t, by, client.Request{Path: "/account", Header: planted}), http.StatusUnauthorized, "session_needed")
	out := request(http.MethodPost, "/logout", browser(own, "same-origin"))
	wantStatus(t, out, http.StatusOK)
	if gone := (&http.Response{Header: out.Header}).Cookies(); len(gone) != 1 || gone[0].Name != cookie.Name || gone[0].MaxAge >= 0 || gone[0].Value != "" {
		t.Errorf("the cookie stays: %v", out.Header)
	}
	wantRefusal(t, request(http.MethodGet, "/account", browser(own, "same-origin")), http.StatusUnauthorized, "session_invalid")
}

// TestKnownAndUnknownAddresses: whether an address has a login, none, or a sign-up that waits does not show.
func TestKnownAndUnknownAddresses(t *testing.T) {
	t.Parallel()
	mails.take(t, 12)
	guesses.take(t, 3)
	known := newDeveloper(t, "known")
	waiting, _ := signUp(t, "waiting")
	for path, more := range map[string]object{"/signup": {"password": password}, "/signup/resend": {}, "/password/forgot": {}, "/login/unlock": {},
		"/login": {"password": wrongPassword}} {
		var seen []client.Answer
		for _, email := range []string{known.email, waiting.email, address("unknown")} {
			seen = append(seen, post(t, visitor(), path, with(more, object{"email": email})))
		}
		for _, answer := range seen[1:] {
			if one, two := shape(seen[0]), shape(answer); one != two {
				t.Errorf("%s:\n%s\n%s", path, one, two)
			}
		}
	}
}

// shape is everything of an answer that does not differ from request to request anyway.
func shape(answer client.Answer) string {
	var lines []string
	requestID := answer.Header.Get("X-Request-Id")
	for name, values := range answer.Header {
		switch name {
		case "Date", "X-Request-Id", "Apigw-Requestid", "X-Amzn-Requestid", "Server":
		default:
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	body := strings.ReplaceAll(string(answer.Body), requestID, "-")
	return http.StatusText(answer.Status) + "\n" + strings.Join(lines, "\n") + "\n" + body
}
