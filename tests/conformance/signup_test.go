//go:build conformance

package conformance

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func TestSigningUp(t *testing.T) {
	t.Parallel()
	who, token := signUp(t, "ann")
	wantRefusal(t, tryLogin(t, who, nil), http.StatusForbidden, "account_not_activated")
	wantRefusal(t, tryLogin(t, who, object{"password": wrongPassword}), http.StatusUnauthorized, "invalid_credentials")
	intruder := who
	intruder.password = wrongPassword
	wantRefusal(t, confirm(t, intruder, token), http.StatusUnauthorized, "invalid_credentials")
	confirmed := confirm(t, who, token)
	wantStatus(t, confirmed, http.StatusCreated)
	wantRefusal(t, confirm(t, who, token), http.StatusGone, "link_invalid")
	who.session = logIn(t, who, object{"email": strings.ToUpper(who.email)})
	me := get(t, who.session, "/account")
	wantStatus(t, me, http.StatusOK)
	var seen struct {
		Developer string `json:"developer_id"`
		Email     string `json:"email"`
		Accounts  []struct {
			ID      string `json:"account_id"`
			Name    string `json:"name"`
			Role    string `json:"role"`
			Current bool   `json:"current"`
		} `json:"accounts"`
	}
	if err := me.Into(&seen); err != nil {
		t.Fatal(err)
	}
	if seen.Developer != confirmed.Text("developer_id") || seen.Email != who.email || len(seen.Accounts) != 1 ||
		seen.Accounts[0].ID != confirmed.Text("account_id") || seen.Accounts[0].Name != "Account of ann" || seen.Accounts[0].Role != "owner" || !seen.Accounts[0].Current {
		t.Errorf("%s after %s", me, confirmed)
	}
}

// TestSigningUpAgain has a second sign-up with an address in use lead nowhere: the password of the login stays, and its
// owner is told.
func TestSigningUpAgain(t *testing.T) {
	t.Parallel()
	owner := newDeveloper(t, "ann")
	mails.take(t, 1)
	links := len(tokensOf(t, owner.email, "confirm"))
	answer := post(t, visitor(), "/signup", object{"email": owner.email, "password": otherPassword})
	wantStatus(t, answer, http.StatusAccepted)
	awaitMail(t, owner.email, "already")
	if now := len(tokensOf(t, owner.email, "confirm")); now != links {
		t.Errorf("%d links, before %d", now, links)
	}
	intruder := owner
	intruder.password = otherPassword
	if answer := tryLogin(t, intruder, nil); answer.Status == http.StatusOK {
		t.Errorf("the second password logs in: %s", answer)
	}
	logIn(t, owner, nil)
}

// TestALaterSignUpReplacesAnEarlier: whoever signs somebody else's address up first does not choose its password.
func TestALaterSignUpReplacesAnEarlier(t *testing.T) {
	t.Parallel()
	who, first := signUp(t, "ann")
	second := mailed(t, who.email, "confirm", func() {
		wantStatus(t, post(t, who.visitor, "/signup", object{"email": who.email, "password": otherPassword}), http.StatusAccepted)
	})
	wantRefusal(t, confirm(t, who, second), http.StatusUnauthorized, "invalid_credentials") // each link is for the password of its own
	intended := who
	intended.password = otherPassword
	wantStatus(t, confirm(t, intended, second), http.StatusCreated)
	wantRefusal(t, confirm(t, who, first), http.StatusGone, "link_invalid")
	if answer := tryLogin(t, who, nil); answer.Status == http.StatusOK {
		t.Errorf("the password of the sign-up that was not confirmed logs in: %s", answer)
	}
	who.password = otherPassword
	logIn(t, who, nil)
}

func TestResending(t *testing.T) {
	t.Parallel()
	who, first := signUp(t, "ann")
	second := mailed(t, who.email, "confirm", func() {
		wantStatus(t, post(t, who.visitor, "/signup/resend", object{"email": who.email}), http.StatusAccepted)
	})
	if first == second {
		t.Error("the same token was mailed twice")
	}
	wantStatus(t, confirm(t, who, second), http.StatusCreated)
	wantRefusal(t, confirm(t, who, first), http.StatusGone, "link_invalid")
	logIn(t, who, nil)
}

// passwords are refused wherever one is set.
var passwords = map[string]string{
	"fourteen chars": "password_too_short", "password1": "password_too_short", strings.Repeat("long pass ", 103)[:1024]: "password_too_long",
	"passwordpassword": "password_common", "123456123456123456": "password_common", "a control\u0007 character": "password_invalid",
}

func TestPasswordsThatAreRefused(t *testing.T) {
	t.Parallel()
	by, email := visitor(), address("refused")
	for text, code := range passwords {
		answer := post(t, by, "/signup", object{"email": email, "password": text})
		wantField(t, wantRefusal(t, answer, 422, code), "password", code)
	}
	local, _, _ := strings.Cut(email, "@")
	for _, own := range []string{local + local, email} {
		wantField(t, wantRefusal(t, post(t, by, "/signup", object{"email": email, "password": own}), 422, "password_own_words"), "password", "password_own_words")
	}
	wantRefusal(t, post(t, by, "/signup", object{"email": email, "password": "umbrella inc umbrella inc", "account": "Umbrella Inc"}), 422, "password_own_words")
	if mails := inbox(t, email); len(mails) != 0 {
		t.Errorf("a refused sign-up had %d mails sent", len(mails))
	}
	wantRefusal(t, post(t, by, "/signup/resend", object{"email": email, "password": password}), 422, "field_unknown")
}

// addresses are none, or none that mail can be sent to without harm.
var addresses = []string{"ann", "ann@", "@example.com", "ann@example", "a b@example.com", "ann@example.com, eve@example.com",
	"Ann <ann@example.com>", "<ann@example.com>", `"a@b"@example.com`, "ann@[127.0.0.1]", "ann@exämple.com", "änn@example.com",
	"ann@example.com\r\nBcc: eve@example.com", "ann@example.com\n", "ann@example.com%0aBcc:eve", "ann@@example.com", "ann@example..com",
	strings.Repeat("a", 243) + "@example.com", " ann@example.com", "ann@example.com "}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	by := visitor()
	for _, path := range []string{"/signup", "/signup/resend", "/login", "/login/unlock", "/password/forgot"} {
		for _, text := range addresses {
			body := object{"email": text}
			if path == "/signup" || path == "/login" {
				body["password"] = password
			}
			answer := post(t, by, path, body)
			code := "email_invalid"
			if answer.Text("code") == "field_too_long" && len(text) > 254 {
				code = "field_too_long"
			}
			wantField(t, wantRefusal(t, answer, 422, code), "email", code)
		}
	}
}

// TestLinksDoOneThing tries every mailed token where it does not belong.
func TestLinksDoOneThing(t *testing.T) {
	t.Parallel()
	who, confirmation := signUp(t, "ann")
	wantStatus(t, confirm(t, who, confirmation), http.StatusCreated)
	who.session = logIn(t, who, nil)
	reset := mailed(t, who.email, "reset", func() {
		wantStatus(t, post(t, who.visitor, "/password/forgot", object{"email": who.email}), http.StatusAccepted)
	})
	unlock := mailed(t, who.email, "unlock", func() {
		wantStatus(t, post(t, who.visitor, "/login/unlock", object{"email": who.email}), http.StatusAccepted)
	})
	uses := map[string]func(token string) client.Answer{
		"confirm": func(token string) client.Answer {
			return confirm(t, who, token)
		},
		"email": func(token string) client.Answer {
			return post(t, who.visitor, "/account/email/confirm", object{"token": token})
		},
		"invitation": func(token string) client.Answer {
			return post(t, who.visitor, "/invitations/accept", object{"token": token, "password": password})
		},
		"reset": func(token string) client.Answer {
			return post(t, who.visitor, "/password/reset", object{"token": token, "password": otherPassword})
		},
		"unlock": func(token string) client.Answer { return tryLogin(t, who, object{"unlock": token}) },
	}
	for use, try := range uses {
		for action, token := range map[string]string{"confirm": confirmation, "reset": reset, "unlock": unlock, "": strings.Repeat("0", 43), "cut": reset[:42], "odd": "../../x", "upper": strings.ToUpper(reset)} {
			if action != use {
				wantRefusal(t, try(token), http.StatusGone, "link_invalid")
			}
		}
	}
	logIn(t, who, object{"unlock": unlock})
	wantRefusal(t, tryLogin(t, who, object{"unlock": unlock}), http.StatusGone, "link_invalid")
	wantStatus(t, uses["reset"](reset), http.StatusOK)
	wantRefusal(t, uses["reset"](reset), http.StatusGone, "link_invalid")
}

// TestMailsToAnAddressAreBounded counts the mails that strangers have sent to one address: those of a kind, so that nobody
// can use up the mail that leads its owner back in by having others sent.
func TestMailsToAnAddressAreBounded(t *testing.T) {
	t.Parallel()
	if !onRunner {
		t.Skip("all tests share a source here")
	}
	by, email := visitor(), address("flooded")
	signUp := object{"email": email, "password": password}
	for _, body := range []object{signUp, nil, nil, nil, nil} {
		path := "/signup"
		if body == nil {
			path, body = "/signup/resend", object{"email": email}
		}
		wantStatus(t, post(t, by, path, body), http.StatusAccepted)
	}
	wantTooMany(t, post(t, by, "/signup/resend", object{"email": email}))
	wantTooMany(t, post(t, by, "/signup", signUp))
	for _, path := range []string{"/password/forgot", "/login/unlock"} {
		for range 5 {
			wantStatus(t, post(t, by, path, object{"email": strings.ToUpper(email)}), http.StatusAccepted)
		}
		wantTooMany(t, post(t, by, path, object{"email": email}))
	}
}

// wantTooMany checks that the answer asks to wait, for a time that it names.
func wantTooMany(t *testing.T, answer client.Answer) {
	t.Helper()
	wantRefusal(t, answer, http.StatusTooManyRequests, "too_many_attempts")
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q: %s", answer.Header.Get("Retry-After"), answer)
	}
}

// TestMailsFromASourceAreBounded: nobody makes the platform write to many addresses.
func TestMailsFromASourceAreBounded(t *testing.T) {
	t.Parallel()
	if !onRunner {
		t.Skip("all tests share a source here")
	}
	by, accepted := visitor(), 0
	for range 60 {
		answer := post(t, by, "/signup/resend", object{"email": address("flood")})
		if answer.Status == http.StatusAccepted {
			accepted++
			continue
		}
		wantTooMany(t, answer)
	}
	if accepted < 50 || accepted > 52 { // 50, and perhaps one or two for which a second or two have passed
		t.Errorf("%d of 60 were accepted", accepted)
	}
}
