package check_test

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/pquerna/otp/totp"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accountdb"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guessdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/taskdb"
)

// office has the services of developers on the tables of a world. What they send goes nowhere.
type office struct {
	accounts *account.Service
	apps     *app.Service
	store    *appdb.Store
	keys     *apikey.Service
	tasks    *taskdb.Store
}

func newOffice(db *dynamodb.Client, tables map[string]string, wrapper seal.Wrapper) *office {
	now := clock.System{}
	records := &recorddb.Store{Writer: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}}
	keys := &apikeydb.Store{DB: db, Table: tables["TABLE_KEYS"], Records: records.Writer}
	o := &office{tasks: &taskdb.Store{DB: db, Table: tables["TABLE_TASKS"]},
		store: &appdb.Store{DB: db, Table: tables["TABLE_KEYS"], Accounts: tables["TABLE_ACCOUNTS"], Records: records.Writer}}
	o.keys = &apikey.Service{Store: keys, Tasks: reminders{o.tasks}, Clock: now}
	o.apps = &app.Service{Store: o.store, Keys: appdb.Keys{Store: keys}, Sockets: nowhere{}, Tasks: o.tasks, Notices: nowhere{},
		Clock: now, Grace: time.Hour}
	o.accounts = &account.Service{
		Logins: &accountdb.Logins{DB: db, DevelopersTable: tables["TABLE_DEVELOPERS"], AccountsTable: tables["TABLE_ACCOUNTS"],
			Records: records.Writer, Clock: now},
		Teams: &accountdb.Teams{DB: db, DevelopersTable: tables["TABLE_DEVELOPERS"], AccountsTable: tables["TABLE_ACCOUNTS"],
			Records: records.Writer, Clock: now},

		Sessions: accountdb.NewSessions(db, tables["TABLE_ACCOUNTS"], records.Writer, now),
		Records:  records,
		Guesses:  &guess.Limiter{Store: &guessdb.Store{DB: db, Table: tables["TABLE_DEVELOPERS"]}, Clock: now},
		Sealer:   seal.NewKeyring(&sealdb.Store{DB: db, Table: tables["TABLE_DATA_KEYS"]}, wrapper, now),
		Queue:    nowhere{}, Clock: now}
	return o
}

// nowhere drops what is sent.
type nowhere struct{}

func (nowhere) Enqueue(context.Context, account.Job) error                   { return nil }
func (nowhere) CutKey(context.Context, id.App, id.Key) error                 { return nil }
func (nowhere) AppNotice(context.Context, id.Account, string, app.App) error { return nil }

// reminders adds the tasks of keys.
type reminders struct{ store *taskdb.Store }

func (r reminders) Add(ctx context.Context, kind string, due time.Time, app id.App, subject string) error {
	return r.store.Add(ctx, task.Task{Kind: task.Kind(kind), Due: due, App: app, Subject: subject})
}

// team makes ann, who owns account one and has a second factor, and bob, who owns account two and is an admin in account
// one, with sessions, an invitation, links, and account one's apps.
func (o *office) team(t *testing.T) {
	one, ann := o.signUp(t, "ann@example.com", "one")
	two, bob := o.signUp(t, "bob@example.com", "two")
	caller := o.session(t, ann, one)
	o.session(t, bob, two)
	made, err := o.accounts.BeginFactor(t.Context(), caller)
	storetest.OK(t, "begin the second factor", err)
	code, err := totp.GenerateCode(made.Secret, time.Now())
	storetest.OK(t, "code", err)
	_, err = o.accounts.TurnOnFactor(t.Context(), caller, code, account.Visit{})
	storetest.OK(t, "turn the second factor on", err)
	o.invite(t, one, ann, "cy@example.com")
	offer := o.invite(t, one, ann, "bob@example.com")
	storetest.OK(t, "join", o.accounts.Teams.Join(t.Context(), offer, account.Member{Account: one, Developer: bob, Role: authz.Admin, Since: time.Now()}, nil))
	storetest.OK(t, "sign up", o.accounts.SignUp(t.Context(),
		account.SignUp{Email: "eve@example.com", Password: "correct horse battery staple"}, account.Visit{Source: netip.MustParseAddr("192.0.2.1")}))
	o.link(t, account.Link{Action: account.ActionReset, Email: "ann@example.com", Developer: ann, Version: 1})
	o.rotated(t, one, ann)
	o.deleted(t, one, ann)
	o.erased(t, one)
	storetest.OK(t, "a task of no app", o.tasks.Add(t.Context(), task.Task{Kind: task.AppSuspend, Due: time.Now(), App: id.Source{}.App()}))
	_, err = o.tasks.Due(t.Context(), time.Now(), 1)
	storetest.OK(t, "look for tasks", err)
}

// link stores a mailed link and returns it.
func (o *office) link(t *testing.T, link account.Link) account.Link {
	link.Hash, link.ExpiresAt = sha256.Sum256([]byte(id.Source{}.Text(43))), time.Now().Add(time.Hour)
	storetest.OK(t, "link", o.accounts.Logins.PutLink(t.Context(), link))
	return link
}

func (o *office) signUp(t *testing.T, email account.Email, name string) (id.Account, id.Developer) {
	link := o.link(t, account.Link{Action: account.ActionConfirm, Email: email})
	developer := account.Developer{ID: id.Source{}.Developer(), Email: email, Password: "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", Version: 1}
	made := account.Account{ID: id.Source{}.Account(), Name: name, CreatedAt: time.Now()}
	storetest.OK(t, "activate", o.accounts.Logins.Activate(t.Context(), link.Hash, developer, made,
		record.New(record.OfAccount(made.ID), made.CreatedAt, record.Origin{}, record.AccountCreated, string(made.ID), nil, nil)))
	return made.ID, developer.ID
}

func (o *office) session(t *testing.T, developer id.Developer, in id.Account) authz.Caller {
	now := time.Now()
	session := login.Session{ID: id.Source{}.Text(login.IDLength), Developer: developer, Account: in, CreatedAt: now, SeenAt: now,
		ConfirmedAt: now, ExpiresAt: now.Add(login.Life)}
	storetest.OK(t, "session", o.accounts.Sessions.PutSession(t.Context(), session))
	return session.Caller(authz.Owner)
}

func (o *office) invite(t *testing.T, to id.Account, by id.Developer, email account.Email) account.Link {
	offer := account.Invitation{Account: to, ID: id.Source{}.Text(16), Email: email, Role: authz.Admin, InvitedBy: by,
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	storetest.OK(t, "invite", o.accounts.Teams.PutInvitation(t.Context(), offer))
	return o.link(t, account.Link{Action: account.ActionInvitation, Email: email, Account: to, Invitation: offer.ID, Role: offer.Role})
}

// withKey makes an app with a key of the developer's.
func (o *office) withKey(t *testing.T, of id.Account, by id.Developer, name string) (app.App, apikey.Key, apikey.Maker) {
	made, err := o.apps.Create(t.Context(), of, app.Settings{Name: name}, "", record.Origin{})
	storetest.OK(t, "create an app", err)
	maker := apikey.Maker{App: made.ID, By: string(by), Scopes: authz.RoleScopes(authz.Owner)}
	key, _, err := o.keys.Create(t.Context(), maker, apikey.Request{Name: "of " + name, Scopes: []string{"messages:send"}})
	storetest.OK(t, "create a key", err)
	return made, key, maker
}

func (o *office) rotated(t *testing.T, of id.Account, by id.Developer) {
	_, key, maker := o.withKey(t, of, by, "rotated")
	_, _, err := o.keys.Rotate(t.Context(), maker, key.ID, apikey.Rotation{Overlap: time.Hour})
	storetest.OK(t, "rotate", err)
}

func (o *office) deleted(t *testing.T, of id.Account, by id.Developer) {
	made, _, _ := o.withKey(t, of, by, "deleted")
	_, err := o.apps.Delete(t.Context(), of, made.ID.String(), record.Origin{})
	storetest.OK(t, "delete", err)
}

// erased makes the tombstone of an app.
func (o *office) erased(t *testing.T, of id.Account) {
	made, err := o.apps.Create(t.Context(), of, app.Settings{Name: "erased"}, "", record.Origin{})
	storetest.OK(t, "create an app", err)
	now := time.Now()
	_, err = o.store.Delete(t.Context(), made, now.Add(-time.Hour), now, apptest.Record(made, record.AppDeleted))
	storetest.OK(t, "delete", err)
	_, err = o.store.BeginErasing(t.Context(), made.ID, now)
	storetest.OK(t, "begin to erase", err)
	storetest.OK(t, "erase", o.store.FinishErasing(t.Context(), made.ID, now))
}
