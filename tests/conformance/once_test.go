//go:build conformance

package conformance

import (
	"context"
	"net/http"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// wantOneWinner has a crowd do the same thing at once: exactly one may succeed, and the others are answered with one of the
// codes.
func wantOneWinner(t *testing.T, try func() client.Answer, codes ...string) {
	t.Helper()
	won, refused := 0, map[string]int{}
	for _, answer := range together(crowd(), func(int) client.Answer { return try() }) {
		if answer.Status < 300 {
			won++
			continue
		}
		code := answer.Text("code")
		if refused[code]++; !contains(codes, code) {
			t.Errorf("%v wanted, not %s", codes, answer)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d succeeded; the others: %v", won, crowd(), refused)
	}
	t.Logf("%d clients, one winner, %v", crowd(), refused)
}

func TestOneConfirmationInACrowd(t *testing.T) {
	who, token := signUp(t, "ann")
	wantOneWinner(t, func() client.Answer { return confirm(t, who, token) }, "link_invalid", "too_many_attempts")
	logIn(t, who, nil)
}

func TestOneResetInACrowd(t *testing.T) {
	who := newDeveloper(t, "ann")
	token := mailed(t, who.email, "reset", func() {
		wantStatus(t, post(t, who.visitor, "/password/forgot", object{"email": who.email}), http.StatusAccepted)
	})
	wantOneWinner(t, func() client.Answer {
		return post(t, who.visitor, "/password/reset", object{"token": token, "password": otherPassword})
	}, "link_invalid")
	logIn(t, who, object{"password": otherPassword})
}

func TestOneInvitationInACrowd(t *testing.T) {
	owner, email := newDeveloper(t, "owner"), address("invited")
	token := invite(t, owner, email, "admin")
	wantOneWinner(t, func() client.Answer {
		return post(t, owner.visitor, "/invitations/accept", object{"token": token, "password": password})
	}, "link_invalid")
	if members := pages[memberRow](t, owner.session, "/account/members?limit=100"); len(members) != 2 {
		t.Errorf("members %+v", members)
	}
	logIn(t, developer{email: email, password: password, visitor: visitor()}, nil)
}

func TestOneChangeOfAddressInACrowd(t *testing.T) {
	who, email := newDeveloper(t, "ann"), address("new")
	token := mailed(t, email, "email", func() {
		wantStatus(t, post(t, who.session, "/account/email", object{"email": email}), http.StatusAccepted)
	})
	wantOneWinner(t, func() client.Answer { return post(t, who.visitor, "/account/email/confirm", object{"token": token}) }, "link_invalid")
	logIn(t, who, object{"email": email})
}

func TestOneCodeInACrowd(t *testing.T) {
	if !onRunner {
		t.Skip("one source may not get so many codes wrong")
	}
	who := newDeveloper(t, "ann")
	codes, recovery := turnOn(t, who)
	guessed := []string{"second_factor_wrong", "too_many_attempts"}
	code := codes.next(t)
	wantOneWinner(t, func() client.Answer { return tryLogin(t, who, object{"code": code}) }, guessed...)
	wantOneWinner(t, func() client.Answer {
		return post(t, who.session, "/session/confirm", object{"password": password, "recovery_code": recovery[0]})
	}, guessed...)
	if left := get(t, who.session, "/account").Number("recovery_codes_left"); left != 9 {
		t.Errorf("%d recovery codes are left, not 9", left)
	}
}

func TestOneUnlockInACrowd(t *testing.T) {
	who := newDeveloper(t, "ann")
	token := mailed(t, who.email, "unlock", func() {
		wantStatus(t, post(t, who.visitor, "/login/unlock", object{"email": who.email}), http.StatusAccepted)
	})
	wantOneWinner(t, func() client.Answer { return tryLogin(t, who, object{"unlock": token}) }, "link_invalid", "too_many_attempts")
}

// free is how many guesses at one login need not wait.
const free = 5

// TestACrowdOfGuesses: however many guess at once, few guesses are evaluated; and the owner, who has the mailbox, logs in
// meanwhile.
func TestACrowdOfGuesses(t *testing.T) {
	if !onRunner {
		t.Skip("one source may not guess so often")
	}
	who := newDeveloper(t, "ann")
	evaluated := 0
	for _, answer := range together(crowd(), func(int) client.Answer {
		return post(t, visitor(), "/login", object{"email": who.email, "password": wrongPassword})
	}) {
		if answer.Text("code") == "invalid_credentials" {
			evaluated++
			continue
		}
		wantTooMany(t, answer)
	}
	if evaluated > free+4 { // the crowd takes some seconds; after 1, 2, 4 and 8 of them another guess is let through
		t.Errorf("%d guesses were evaluated", evaluated)
	}
	t.Logf("%d of %d guesses were evaluated", evaluated, crowd())
	wantOwnerLetIn(t, who)
}

// wantOwnerLetIn goes on guessing while the owner asks for a link and logs in with it.
func wantOwnerLetIn(t *testing.T, who developer) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	guessing := make(chan struct{})
	go func() {
		defer close(guessing)
		for by := visitor(); ctx.Err() == nil; {
			_, _ = by.Do(ctx, client.Request{Path: "/login", Body: object{"email": who.email, "password": wrongPassword}}) // it is stopped in the middle of one
		}
	}()
	defer func() { stop(); <-guessing }()
	wantTooMany(t, tryLogin(t, who, nil)) // the right password has to wait, too
	token := mailed(t, who.email, "unlock", func() {
		wantStatus(t, post(t, who.visitor, "/login/unlock", object{"email": who.email}), http.StatusAccepted)
	})
	wantRefusal(t, tryLogin(t, who, object{"unlock": token, "password": wrongPassword}), http.StatusUnauthorized, "invalid_credentials")
	logIn(t, who, object{"unlock": token})
}
