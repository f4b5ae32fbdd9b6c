package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

func TestParseEmail(t *testing.T) {
	for text, want := range map[string]account.Email{
		"ann@example.com": "ann@example.com", "Ann.Lee+x@Example.COM": "ann.lee+x@example.com", "o'neill@example.co": "o'neill@example.co",
		strings.Repeat("a", 242) + "@example.com": account.Email(strings.Repeat("a", 242) + "@example.com"),
	} {
		if got, err := account.ParseEmail(text, "email"); got != want || err != nil {
			t.Errorf("ParseEmail(%q) = %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "ann", "@", "ann@", "@example.com", "ann@example", "ann@@example.com", "ann@example.com.", "ann @example.com",
		"Ann <ann@example.com>", "<ann@example.com>", `"ann lee"@example.com`, `"ann"@example.com`, "(ann)ann@example.com", "ann@[127.0.0.1]",
		"ann@example.com, bob@example.com", "ann@example.com\r\nBcc: bob@example.com", "ann@example.com\n", "ann\x00@example.com",
		"ann@example.com\x00", "änn@example.com", "ann@exämple.com", "ann@example.com;bob@example.com", "ann@example..com", ".ann@example.com",
		"ann@ex\u00adample.com", "ann\u200b@example.com", strings.Repeat("a", 243) + "@example.com", "=?utf-8?q?ann?=@example.com@x.com", "\xff@example.com"} {
		if got, err := account.ParseEmail(text, "email"); !fault.Is(err, fault.EmailInvalid) {
			t.Errorf("ParseEmail(%q) = %q, %v", text, got, err)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{ann, "A.B+c@D.example", `"a b"@example.com`, "a@b.c\r\nBcc: d@e.f", "a@[1.2.3.4]", "a@b.c, d@e.f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		email, err := account.ParseEmail(text, "email")
		if err != nil {
			if !fault.Is(err, fault.EmailInvalid) {
				t.Fatal(err)
			}
			return
		}
		if again, err := account.ParseEmail(string(email), "email"); again != email || err != nil {
			t.Fatalf("%q reads as %q, which reads as %q, %v", text, email, again, err)
		}
		if !strings.EqualFold(text, string(email)) || strings.ContainsAny(text, " \t\r\n\x00<>,;:\"()\\") || strings.Count(text, "@") != 1 || len(text) > 254 {
			t.Fatalf("%q was taken for an address", text)
		}
	})
}

// names are texts that people who invite others may choose.
var names = []string{"Acme", "Acme\r\nBcc: bob@example.com", "https://evil.example/login", "Log in at evil.example", "<b>Acme</b>",
	"\u202eemcA", "{{.Link}}", "a\x01b", strings.Repeat("公", 64)}

// FuzzMail sends mails with a name that a stranger chose: no header, no link and no markup comes of it.
func FuzzMail(f *testing.F) {
	for _, name := range names {
		f.Add(name)
	}
	w := newWorld(f)
	_, made := w.signUp(ann)
	owner := w.caller(w.login(ann, good))
	f.Fuzz(func(t *testing.T, name string) {
		if w.t = t; name == "" {
			return // no account has it
		}
		w.ok("Rename", w.store.Rename(t.Context(), made, name))
		made.Name = name
		open := account.Invitation{Account: made.ID, ID: "invitation", Email: bob, Role: authz.Admin, InvitedBy: owner.Developer,
			CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().AddDate(0, 0, 7)}
		w.ok("PutInvitation", w.store.PutInvitation(t.Context(), open))
		for _, language := range []fault.Language{fault.English, fault.Chinese} {
			w.ok("Do", w.room.Do(t.Context(), account.Job{Kind: account.JobInvitation, Email: bob, Account: made.ID, Invitation: open.ID,
				Language: language, At: w.clock.Now()}))
			message := w.mails(bob)[0]
			if strings.ContainsAny(message.Subject, "\r\n") || !utf8.ValidString(message.Subject+message.Text+message.HTML) {
				t.Fatalf("subject %q", message.Subject)
			}
			if strings.Count(message.Text, "://") != 1 || strings.Count(message.HTML, "<a ") != 1 {
				t.Fatalf("%q makes a link of its own:\n%s\n%s", name, message.Text, message.HTML)
			}
		}
	})
}

// requests are what a fuzzer sends bodies to; those behind a session come with one.
var requests = []string{"POST /signup", "POST /signup/resend", "POST /signup/confirm", "POST /login", "POST /login/unlock",
	"POST /password/forgot", "POST /password/reset", "POST /account/email/confirm", "POST /invitations/accept", "POST /logout",
	"POST /session/confirm", "POST /account/password", "POST /account/email", "POST /account/mfa", "POST /account/mfa/confirm",
	"POST /account/mfa/recovery-codes", "POST /account/mfa/off", "PATCH /account", "POST /account/switch", "POST /account/invitations",
	"PATCH /account/members/{id}", "DELETE /account/members/{id}", "DELETE /account/invitations/{id}", "DELETE /sessions/{id}",
	"GET /account/members?cursor={id}", "GET /account/members?limit={id}"}

// FuzzRoutes sends any body, path and header to every route: nothing answers 5xx.
func FuzzRoutes(f *testing.F) {
	for i, sent := range []string{`{}`, `{"email":"ann@example.com","password":"correct horse battery staple"}`, `{"token":"x"}`,
		`{"name":"\u0000"}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", `{"email":"a@b.c","role":"owner"}`, `{"password":"` + good + `","code":"１２３４５６"}`,
		`{"account_id":"acct_0000000000000000"}`, `[]`, `{"email":null}`, `{"email":1e999}`, `{"role":"","email":"a@b.c"}`, ``, `{"cookie":1}`} {
		f.Add(uint(i), sent, "x", "agent")
		f.Add(uint(i+11), sent, "\xff\x00/..#", "\xff\x00")
	}
	w := newWorld(f)
	w.signUp(ann)
	f.Fuzz(func(t *testing.T, which uint, sent, id, agent string) {
		w.t = t
		session := w.session(ann)
		method, path, _ := strings.Cut(requests[which%uint(len(requests))], " ")
		path = strings.ReplaceAll(path, "{id}", url.PathEscape(id))
		if strings.Contains(path, "?") {
			path = strings.ReplaceAll(path, url.PathEscape(id), url.QueryEscape(id))
		}
		got := w.call(method, path, sent, "Authorization: Bearer "+session, "User-Agent: "+agent, "Accept-Language: "+agent)
		if got.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s with %q: %d %s", method, path, sent, got.Code, got.Body)
		}
		if !utf8.Valid(got.Body.Bytes()) {
			t.Fatalf("answer %q", got.Body)
		}
	})
}

// session makes a session of the developer straight in the store.
func (w *world) session(email account.Email) string {
	w.t.Helper()
	developer, err := w.store.ByEmail(w.t.Context(), email)
	if err != nil { // moved by the fuzzer
		return "ts_none"
	}
	return w.planted(developer)
}
