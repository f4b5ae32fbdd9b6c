//go:build conformance

package conformance

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// authenticator makes the codes of a second factor, each of a later step than the one before, since a code works once.
type authenticator struct {
	secret string
	last   int64
}

// period is how long a code is shown.
const period = 30 * time.Second

// next returns a code that was not used. The server takes those of the step before and after its own too, so three come
// without waiting.
func (a *authenticator) next(t *testing.T) string {
	t.Helper()
	now := time.Now().Unix() / int64(period/time.Second)
	step := max(a.last+1, now-1)
	if step > now+1 {
		client.WaitFor(t, "the next code", 2*period, func() bool { return time.Now().Unix()/int64(period/time.Second) >= step-1 })
	}
	a.last = step
	code, err := totp.GenerateCode(a.secret, time.Unix(step*int64(period/time.Second), 0))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wrongCode returns a code of none of the steps around now.
func (a *authenticator) wrongCode(t *testing.T) string {
	t.Helper()
	code, err := totp.GenerateCode(a.secret, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// turnOn gives the developer a second factor and returns its recovery codes.
func turnOn(t *testing.T, who developer) (*authenticator, []string) {
	t.Helper()
	begun := post(t, who.session, "/account/mfa", nil)
	wantStatus(t, begun, http.StatusOK)
	codes := &authenticator{secret: begun.Text("secret")}
	uri, picture := begun.Text("uri"), begun.Text("qr_png")
	png, err := base64.StdEncoding.DecodeString(picture)
	if !strings.HasPrefix(uri, "otpauth://totp/") || !strings.Contains(uri, codes.secret) || err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("%.200s (%v)", begun, err)
	}
	on := post(t, who.session, "/account/mfa/confirm", object{"code": codes.next(t)})
	wantStatus(t, on, http.StatusOK)
	var answer struct {
		RecoveryCodes []string `json:"recovery_codes"`
	}
	if err := on.Into(&answer); err != nil || len(answer.RecoveryCodes) != 10 {
		t.Fatal(on, err)
	}
	return codes, answer.RecoveryCodes
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	wantRefusal(t, post(t, who.session, "/account/mfa/confirm", object{"code": "123456"}), http.StatusConflict, "second_factor_off")
	wantRefusal(t, post(t, who.session, "/account/mfa/recovery-codes", nil), http.StatusConflict, "second_factor_off")
	wantRefusal(t, post(t, who.session, "/account/mfa/off", object{"password": password}), http.StatusConflict, "second_factor_off")
	unfinished := &authenticator{secret: post(t, who.session, "/account/mfa", nil).Text("secret")}
	wantRefusal(t, post(t, who.session, "/account/mfa/confirm", object{"code": unfinished.wrongCode(t)}), http.StatusUnauthorized, "second_factor_wrong")
	logIn(t, who, nil) // it is not on yet
	codes, recovery := turnOn(t, who)
	awaitMail(t, who.email, "second factor")
	wantRefusal(t, post(t, who.session, "/account/mfa", nil), http.StatusConflict, "second_factor_on")
	wantRefusal(t, post(t, who.session, "/account/mfa/confirm", object{"code": codes.next(t)}), http.StatusConflict, "second_factor_on")

	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "second_factor_required")
	wantRefusal(t, tryLogin(t, who, object{"password": wrongPassword}), http.StatusUnauthorized, "invalid_credentials")
	wantRefusal(t, tryLogin(t, who, object{"code": codes.wrongCode(t)}), http.StatusUnauthorized, "second_factor_wrong")
	wantRefusal(t, tryLogin(t, who, object{"code": unfinished.next(t)}), http.StatusUnauthorized, "second_factor_wrong")
	code := codes.next(t)
	logIn(t, who, object{"code": code[:3] + " " + code[3:]})
	wantRefusal(t, tryLogin(t, who, object{"code": code}), http.StatusUnauthorized, "second_factor_wrong")
	wantRecovery(t, who, recovery)
}

// wantRecovery uses recovery codes, each once, replaces them, and turns the second factor off with one.
func wantRecovery(t *testing.T, who developer, recovery []string) {
	t.Helper()
	logIn(t, who, object{"recovery_code": strings.ToUpper(strings.ReplaceAll(recovery[0], "-", " "))})
	awaitMail(t, who.email, "recovery code")
	wantRefusal(t, tryLogin(t, who, object{"recovery_code": recovery[0]}), http.StatusUnauthorized, "second_factor_wrong")
	wantRefusal(t, post(t, who.session, "/session/confirm", object{"password": password}), http.StatusUnauthorized, "second_factor_required")
	wantStatus(t, post(t, who.session, "/session/confirm", object{"password": password, "recovery_code": recovery[1]}), http.StatusOK)
	if left := get(t, who.session, "/account").Number("recovery_codes_left"); left != 8 {
		t.Errorf("%d recovery codes are left, not 8", left)
	}
	replaced := post(t, who.session, "/account/mfa/recovery-codes", nil)
	wantStatus(t, replaced, http.StatusOK)
	var fresh struct {
		RecoveryCodes []string `json:"recovery_codes"`
	}
	if err := replaced.Into(&fresh); err != nil || len(fresh.RecoveryCodes) != 10 {
		t.Fatal(replaced, err)
	}
	wantRefusal(t, tryLogin(t, who, object{"recovery_code": recovery[2]}), http.StatusUnauthorized, "second_factor_wrong")
	wantRefusal(t, post(t, who.session, "/account/mfa/off", object{"password": password}), http.StatusUnauthorized, "second_factor_required")
	wantStatus(t, post(t, who.session, "/account/mfa/off", object{"password": password, "recovery_code": fresh.RecoveryCodes[0]}), http.StatusOK)
	logIn(t, who, nil)
}

// TestAShortPasswordNeedsASecondFactor: eight characters are enough beside a second factor only.
func TestAShortPasswordNeedsASecondFactor(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	const short = "quokkas9"
	wantRefusal(t, post(t, who.session, "/account/password", object{"password": password, "new_password": short}), 422, "password_too_short")
	codes, recovery := turnOn(t, who)
	proof := object{"password": password, "code": codes.next(t)}
	wantRefusal(t, post(t, who.session, "/account/password", with(proof, object{"new_password": "seven 7"})), 422, "password_too_short")
	proof["code"] = codes.next(t)
	wantStatus(t, post(t, who.session, "/account/password", with(proof, object{"new_password": short})), http.StatusOK)
	who.password = short
	logIn(t, who, object{"recovery_code": recovery[0]})
	wantRefusal(t, post(t, who.session, "/account/mfa/off", object{"password": short, "recovery_code": recovery[1]}), 422, "password_too_short")
	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "second_factor_required")
}

// TestNoMailTurnsTheSecondFactorOff: neither a reset nor an unlock nor an invitation gets past it.
func TestNoMailTurnsTheSecondFactorOff(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	_, recovery := turnOn(t, who)
	reset := mailed(t, who.email, "reset", func() {
		wantStatus(t, post(t, who.visitor, "/password/forgot", object{"email": who.email}), http.StatusAccepted)
	})
	wantStatus(t, post(t, who.visitor, "/password/reset", object{"token": reset, "password": otherPassword}), http.StatusOK)
	who.password = otherPassword
	wantRefusal(t, tryLogin(t, who, nil), http.StatusUnauthorized, "second_factor_required")
	unlock := mailed(t, who.email, "unlock", func() {
		wantStatus(t, post(t, who.visitor, "/login/unlock", object{"email": who.email}), http.StatusAccepted)
	})
	wantRefusal(t, tryLogin(t, who, object{"unlock": unlock}), http.StatusUnauthorized, "second_factor_required")
	logIn(t, who, object{"unlock": unlock, "recovery_code": recovery[0]})
	token := invite(t, sharedTeam(t).outsider, who.email, "auditor")
	joined := post(t, who.visitor, "/invitations/accept", object{"token": token})
	wantStatus(t, joined, http.StatusCreated)
	if joined.Has("session") || joined.Header.Get("Set-Cookie") != "" {
		t.Errorf("an invitation logs nobody in: %s", joined)
	}
}
