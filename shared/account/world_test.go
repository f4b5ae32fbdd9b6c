package account_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guesstest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/mail/letter"
	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const (
	good    = "correct horse battery staple"
	better  = "entirely other words in a row"
	wrong   = "not the password that was set"
	short   = "k7!wq2#z" // enough beside a second factor only
	ann     = "ann@example.com"
	bob     = "bob@example.com"
	unknown = "nobody@example.com"
)

// world is the service on memory stores, with everything around it: the mails that it sends, the queue before them, and the
// HTTP edge.
type world struct {
	*account.Service
	t       testing.TB
	clock   *clocktest.Clock
	store   *accounttest.Store
	room    *account.Mailroom
	inbox   *inbox
	queue   *queue
	edge    *api.API
	checks  *authn.Developers
	keyring *seal.Keyring
	around  around
	visit   account.Visit
}

// inbox implements mail.Sender.
type inbox struct {
	mutex sync.Mutex
	mails []mail.Message
}

func (i *inbox) Send(_ context.Context, message mail.Message) error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.mails = append(i.mails, message)
	return nil
}

// queue implements account.Queue. A job goes through JSON, as on its way to another function.
type queue struct {
	room  *account.Mailroom
	watch watched
	mutex sync.Mutex
	// held keeps jobs, which are then never done; else each is done at once.
	held bool
	jobs []account.Job
}

func (q *queue) Enqueue(ctx context.Context, job account.Job) error {
	return q.watch.put("Enqueue", func() error {
		text, err := json.Marshal(job)
		if err != nil {
			return err
		}
		var sent account.Job
		if err := json.Unmarshal(text, &sent); err != nil {
			return err
		}
		q.mutex.Lock()
		defer q.mutex.Unlock()
		if q.held {
			q.jobs = append(q.jobs, sent)
			return nil
		}
		return q.room.Do(ctx, sent)
	})
}

func newWorld(t testing.TB) *world {
	clock := clocktest.New(storetest.Noon())
	w := &world{t: t, clock: clock, store: accounttest.NewStore(clock), inbox: &inbox{}}
	watch := watched{Store: w.store, around: &w.around}
	w.keyring = seal.NewKeyring(sealtest.NewStore(), sealtest.NewWrapper(), clock)
	w.room = &account.Mailroom{Logins: w.store, Teams: w.store, Sender: w.inbox, Render: letter.Render,
		LinkBase: "https://api.example.com", Clock: clock}
	w.queue = &queue{room: w.room, watch: watch}
	w.Service = &account.Service{Logins: watch, Sessions: watch, Teams: watch, Sealer: w.keyring, Queue: w.queue, Clock: clock,
		Records: watch,
		Guesses: &guess.Limiter{Store: watchedGuesses{guesstest.NewStore(), watch}, Clock: clock}}
	w.checks = &authn.Developers{Sessions: w.store, Clock: clock}
	w.edge = api.New(w.checks, api.Log{})
	account.Routes(w.edge, w.Service)
	account.TeamRoutes(w.edge, w.Service, w.keyring)
	w.visit = account.Visit{Source: netip.MustParseAddr("192.0.2.7"), Agent: "test/1", Language: fault.English}
	return w
}

func (w *world) ok(doing string, err error) {
	w.t.Helper()
	storetest.OK(w.t, doing, err)
}

// refused checks the code of a refusal, that of a field where it is one of the input.
func (w *world) refused(doing string, err error, want fault.Code) {
	w.t.Helper()
	if got := code(err); got != want {
		w.t.Fatalf("%s: %v (%s), want %s", doing, err, got, want)
	}
}

// code returns what was refused, "" for nothing.
func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	refusal, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		return fault.Internal
	case len(refusal.Fields) > 0:
		return refusal.Fields[0].Code
	}
	return refusal.Code
}

var linkPattern = regexp.MustCompile(`https://api\.example\.com/link#(\S+)`)

// mails returns the mails to the address, and forgets them.
func (w *world) mails(to string) (found []mail.Message) {
	w.inbox.mutex.Lock()
	defer w.inbox.mutex.Unlock()
	var others []mail.Message
	for _, message := range w.inbox.mails {
		if message.To == to {
			found = append(found, message)
		} else {
			others = append(others, message)
		}
	}
	w.inbox.mails = others
	return found
}

// kinds returns the kinds of the mails to the address.
func (w *world) kinds(to string) (kinds []mail.Kind) {
	for _, message := range w.mails(to) {
		kinds = append(kinds, message.Kind)
	}
	return kinds
}

// token returns the token of the last mail to the address, which leads to the action.
func (w *world) token(to string, action account.Action) string {
	w.t.Helper()
	mails := w.mails(to)
	if len(mails) == 0 {
		w.t.Fatalf("no mail to %s", to)
	}
	match := linkPattern.FindStringSubmatch(mails[len(mails)-1].Text)
	if match == nil {
		w.t.Fatalf("no link in %q", mails[len(mails)-1].Text)
	}
	values, err := url.ParseQuery(match[1])
	w.ok("parse the link", err)
	if values.Get("action") != string(action) {
		w.t.Fatalf("the link is for %q, want %q", values.Get("action"), action)
	}
	return values.Get("token")
}

// signUp makes a login with the password good, and its account.
func (w *world) signUp(email string) (account.Developer, account.Account) {
	w.t.Helper()
	w.ok("SignUp", w.SignUp(w.t.Context(), account.SignUp{Email: email, Password: good, Account: "Acme"}, w.visit))
	developer, made, err := w.Confirm(w.t.Context(), w.token(email, account.ActionConfirm), good, w.visit)
	w.ok("Confirm", err)
	return developer, made
}

// goodHash is the hash of the password good, made once.
var goodHash = sync.OnceValues(func() (string, error) { return password.Hash(context.Background(), good) })

// enter is signUp without the mail and the hash, straight into the store.
func (w *world) enter(email account.Email) (account.Developer, account.Account) {
	w.t.Helper()
	hash, err := goodHash()
	w.ok("Hash", err)
	ids, now := id.Source{}, w.clock.Now()
	developer := account.Developer{ID: ids.Developer(), Email: email, Password: hash, Language: fault.English, CreatedAt: now, Version: 1}
	made := account.Account{ID: ids.Account(), Name: "Acme", CreatedAt: now}
	link := account.Link{Hash: sha256.Sum256([]byte(email)), Action: account.ActionConfirm, ExpiresAt: now.Add(time.Hour)}
	w.ok("PutLink", w.store.PutLink(w.t.Context(), link))
	w.ok("Activate", w.store.Activate(w.t.Context(), link.Hash, developer, made))
	return developer, made
}

func (w *world) try(email string, proof account.Proof) (string, error) {
	_, text, err := w.Login(w.t.Context(), account.Attempt{Email: email, Proof: proof}, w.visit)
	return text, err
}

// login logs in with the password and returns the session.
func (w *world) login(email, text string) string {
	w.t.Helper()
	session, err := w.try(email, account.Proof{Password: text})
	w.ok("Login", err)
	return session
}

// planted returns a session of the developer that was put into the store, which spares the hash of a password. It stands in
// the developer's first account.
func (w *world) planted(developer id.Developer) string {
	w.t.Helper()
	epoch, err := w.store.Epoch(w.t.Context(), developer)
	w.ok("Epoch", err)
	accounts, err := w.store.Accounts(w.t.Context(), developer)
	w.ok("Accounts", err)
	ids, session := id.Source{}, accounttest.NewSession(developer, w.clock.Now())
	secret := ids.Text(login.SecretLength)
	session.Hash, session.Epoch = sha256.Sum256([]byte(secret)), epoch
	if session.Account = ""; len(accounts) > 0 {
		session.Account = accounts[0]
	}
	w.ok("PutSession", w.store.PutSession(w.t.Context(), session))
	return login.Format(developer, session.ID, secret)
}

// whoever is who calls with the session.
func (w *world) whoever(session string) (authz.Caller, error) {
	return w.checks.Session(w.t.Context(), session, authz.Request{})
}

func (w *world) caller(session string) authz.Caller {
	w.t.Helper()
	caller, err := w.whoever(session)
	w.ok("Session", err)
	return caller
}

// member makes a login and a member of the account with the role, and returns the session that stands there.
func (w *world) member(of account.Account, owner, email string, role authz.Role) string {
	w.t.Helper()
	_, err := w.Invite(w.t.Context(), w.caller(owner), email, role, w.visit)
	w.ok("Invite", err)
	member, err := w.Accept(w.t.Context(), w.token(email, account.ActionInvitation), good, w.visit)
	w.ok("Accept", err)
	if member.Account != of.ID || member.Role != role {
		w.t.Fatalf("Accept = %+v", member)
	}
	return w.login(email, good)
}

// factor is a second factor that is on.
type factor struct {
	w      *world
	secret string
	codes  []string
}

// turnOn turns the second factor on.
func (w *world) turnOn(session string) *factor {
	w.t.Helper()
	made, err := w.BeginFactor(w.t.Context(), w.caller(session))
	w.ok("BeginFactor", err)
	f := &factor{w: w, secret: made.Secret}
	f.codes, err = w.TurnOnFactor(w.t.Context(), w.caller(session), f.now(), w.visit)
	w.ok("TurnOnFactor", err)
	return f
}

// now returns the code that the authenticator shows.
func (f *factor) now() string {
	f.w.t.Helper()
	code, err := totp.GenerateCode(f.secret, f.w.clock.Now())
	f.w.ok("GenerateCode", err)
	return code
}

// next waits for the next code.
func (f *factor) next() string {
	f.w.clock.Advance(30 * time.Second)
	return f.now()
}

// other returns six digits that are no code of these minutes.
func (f *factor) other() string {
	for _, digits := range []string{"000000", "111111", "222222", "333333"} {
		near := false
		for offset := -2; offset <= 2; offset++ {
			code, _ := totp.GenerateCode(f.secret, f.w.clock.Now().Add(time.Duration(offset)*30*time.Second))
			near = near || code == digits
		}
		if !near {
			return digits
		}
	}
	panic("four codes within two minutes")
}

// call sends a request through the HTTP edge. Headers are given as "Name: value".
func (w *world) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, bytes.NewReader([]byte(body)))
	request.Host = "api.example.com"
	request = request.WithContext(api.WithRequestID(api.WithSource(request.Context(), w.visit.Source.String()), "r1"))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			request.Host = value
			continue
		}
		request.Header.Add(name, value)
	}
	recorder := httptest.NewRecorder()
	w.edge.ServeHTTP(recorder, request)
	return recorder
}

// body writes a JSON object of pairs.
func body(pairs ...string) string {
	object := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// answered returns the code of a problem, "" for success.
func answered(recorder *httptest.ResponseRecorder) fault.Code {
	var problem struct{ Code fault.Code }
	if recorder.Code < http.StatusBadRequest {
		return ""
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &problem); err != nil {
		return fault.Internal
	}
	return problem.Code
}

// never is a developer that does not exist.
func never() id.Developer { return id.Source{}.Developer() }
