//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	password      = "correct horse battery staple"
	otherPassword = "entirely different words in a row"
	wrongPassword = "none of the words that were set"
)

// onRunner tells whether the target is the laptop runner, whose schedules a test can set off and which sees every address
// of this machine's loopback as a source of its own. Elsewhere all requests come from one source, and what is bounded by
// source is tried with few requests only.
var onRunner = os.Getenv("TOKENIM_LOCAL") != "" && hasLoopback("127.0.0.2")

func hasLoopback(address string) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// mails and guesses are what one source may have sent and get wrong in an hour, 50 of each, less those of the guide's two
// walks and some for what no test counts.
var mails, guesses = allowed{most: 30}, allowed{most: 30}

// allowed is a number of requests that a source may make.
type allowed struct {
	most int64
	used atomic.Int64
}

// take counts n requests, or skips the test where all requests come from one source and it has used up its own.
func (a *allowed) take(t *testing.T, n int64) {
	t.Helper()
	if !onRunner && a.used.Add(n) > a.most {
		t.Skip("the one source of these tests has made as many such requests as it may in an hour")
	}
}

// crowd is how many clients do the same thing at once.
func crowd() int {
	if testing.Short() || !onRunner {
		return 20
	}
	return 1000
}

// visitor is somebody without a credential, from a source of their own where there are many.
func visitor() client.Installation {
	if !onRunner {
		return app.With("")
	}
	n := firstSource + count.Add(1)
	return app.With("").From(fmt.Sprintf("127.%d.%d.%d", 1+n>>14&63, n>>7&127, 1+n&127))
}

// firstSource keeps the sources of two runs apart: what one has used up counts for an hour.
var firstSource = rand.Int64N(1 << 20)

// developer is somebody with a login and an account.
type developer struct {
	email, password string
	id, account     string
	// visitor is the developer without a credential, session with one.
	visitor, session client.Installation
}

// in returns the developer's session with an app chosen for every request.
func (d developer) in(app string) client.Installation { return d.session.In(app) }

func patch(t *testing.T, by client.Installation, path string, body any) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodPatch, Path: path, Body: body})
}

// letter is a mail as the mailbox shows it.
type letter struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

// inbox returns the mails to an address, oldest first, or skips the test where no mailbox can be read.
func inbox(t *testing.T, to string) []letter {
	t.Helper()
	box := os.Getenv("TOKENIM_MAIL")
	if box == "" {
		t.Skip("TOKENIM_MAIL names no mailbox")
	}
	answer, err := http.Get(box + "?to=" + url.QueryEscape(to))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Mails []letter `json:"mails"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	return found.Mails
}

// link is how a mail's link ends.
var link = regexp.MustCompile(`/link#action=([a-z]+)&token=([0-9A-Za-z]+)`)

// tokensOf returns the tokens of all links in the mailbox that do the action, oldest first.
func tokensOf(t *testing.T, to, action string) (tokens []string) {
	t.Helper()
	for _, mail := range inbox(t, to) {
		if found := link.FindStringSubmatch(mail.Text); found != nil && found[1] == action {
			tokens = append(tokens, found[2])
		}
	}
	return tokens
}

// mailed does what has a mail sent and returns the token of its link. Every mail may come twice; the newest counts. Where everything
// comes twice it waits for both: the second must not be taken for the next mail.
func mailed(t *testing.T, to, action string, ask func()) string {
	t.Helper()
	mails.take(t, 1)
	want := len(tokensOf(t, to, action)) + 1
	if os.Getenv("TOKENIM_DOUBLED") != "" {
		want++
	}
	ask()
	var tokens []string
	client.WaitFor(t, "a mail to "+action, limit, func() bool {
		tokens = tokensOf(t, to, action)
		return len(tokens) >= want
	})
	return tokens[len(tokens)-1]
}

// awaitMail waits for a mail whose text has all the pieces.
func awaitMail(t *testing.T, to string, pieces ...string) letter {
	t.Helper()
	var found letter
	client.WaitFor(t, fmt.Sprint("a mail with ", pieces), limit, func() bool {
		for _, mail := range inbox(t, to) {
			if hasAll(mail.Subject+"\n"+mail.Text, pieces) {
				found = mail
				return true
			}
		}
		return false
	})
	return found
}

func hasAll(text string, pieces []string) bool {
	for _, piece := range pieces {
		if !strings.Contains(text, piece) {
			return false
		}
	}
	return true
}

// address returns an e-mail address that nobody has.
func address(name string) string { return unique(name) + "@example.com" }

// signUp signs somebody up whose mail has not been answered, and returns the token that it has.
func signUp(t *testing.T, name string) (who developer, token string) {
	t.Helper()
	who = developer{email: address(name), password: password, visitor: visitor()}
	token = mailed(t, who.email, "confirm", func() {
		answer := post(t, who.visitor, "/signup", object{"email": who.email, "password": who.password, "account": "Account of " + name})
		wantStatus(t, answer, http.StatusAccepted)
	})
	return who, token
}

// confirm completes a sign-up.
func confirm(t *testing.T, who developer, token string) client.Answer {
	t.Helper()
	return post(t, who.visitor, "/signup/confirm", object{"token": token, "password": who.password})
}

// newDeveloper makes a login with an account and logs in.
func newDeveloper(t *testing.T, name string) developer {
	t.Helper()
	who, token := signUp(t, name)
	answer := confirm(t, who, token)
	wantStatus(t, answer, http.StatusCreated)
	who.id, who.account = answer.Text("developer_id"), answer.Text("account_id")
	who.session = logIn(t, who, nil)
	return who
}

// tryLogin logs in with other members; nil as a value takes one away.
func tryLogin(t *testing.T, who developer, more object) client.Answer {
	t.Helper()
	guesses.take(t, 0)
	answer := post(t, who.visitor, "/login", with(object{"email": who.email, "password": who.password}, more))
	if answer.Status != http.StatusOK { // a success is taken back
		guesses.take(t, 1)
	}
	return answer
}

// logIn begins another session.
func logIn(t *testing.T, who developer, more object) client.Installation {
	t.Helper()
	answer := tryLogin(t, who, more)
	wantStatus(t, answer, http.StatusOK)
	return who.visitor.With(answer.Text("session"))
}

// invite offers somebody with a new address a role and returns the link's token.
func invite(t *testing.T, by developer, email, role string) string {
	t.Helper()
	return mailed(t, email, "invitation", func() {
		wantStatus(t, post(t, by.session, "/account/invitations", object{"email": email, "role": role}), http.StatusCreated)
	})
}

// newMember makes a login that is a member of the other's account and of no other.
func newMember(t *testing.T, of developer, role string) developer {
	t.Helper()
	who := developer{email: address(role), password: password, visitor: visitor(), account: of.account}
	token := invite(t, of, who.email, role)
	answer := post(t, who.visitor, "/invitations/accept", object{"token": token, "password": who.password})
	wantStatus(t, answer, http.StatusCreated)
	who.id = answer.Text("developer_id")
	who.session = logIn(t, who, nil)
	return who
}

// newApp makes an app of the developer's account.
func newApp(t *testing.T, by developer, origins ...string) string {
	t.Helper()
	body := object{"name": unique("app")}
	if origins != nil {
		body["allowed_origins"] = origins
	}
	answer := post(t, by.session, "/apps", body)
	wantStatus(t, answer, http.StatusCreated)
	return answer.Text("app_id")
}

// keyOf makes a key of an app of the developer's account.
func keyOf(t *testing.T, by developer, appID string, more object, scopes ...string) (client.Key, client.Installation) {
	t.Helper()
	answer := post(t, by.in(appID), "/keys", with(object{"name": "backend", "scopes": scopes}, more))
	wantStatus(t, answer, http.StatusCreated)
	var key client.Key
	if err := answer.Into(&key); err != nil {
		t.Fatal(err)
	}
	return key, app.With(key.APIKey)
}

// team is an account with a member of each role, and somebody of another account. Tests that share it leave its sessions,
// roles and addresses alone.
type team struct {
	owner, admin, auditor, outsider developer
	// app is the team's, foreign the outsider's.
	app, foreign string
}

var theTeam struct {
	sync.Mutex
	made *team
}

func sharedTeam(t *testing.T) team {
	t.Helper()
	theTeam.Lock()
	defer theTeam.Unlock()
	if theTeam.made == nil {
		owner, outsider := newDeveloper(t, "owner"), newDeveloper(t, "outsider")
		theTeam.made = &team{owner: owner, outsider: outsider, admin: newMember(t, owner, "admin"), auditor: newMember(t, owner, "auditor"),
			app: newApp(t, owner), foreign: newApp(t, outsider)}
	}
	return *theTeam.made
}
