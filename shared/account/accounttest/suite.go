package accounttest

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// redemptions is how many calls try to use one thing up at once, briefRedemptions how many in brief.
const (
	redemptions      = 1000
	briefRedemptions = 100
)

// Suite is what the suite runs on.
type Suite struct {
	Logins   account.Logins
	Sessions login.Store
	Teams    account.Teams
	// Logs has the records of what the stores change.
	Logs record.Store
	// Clock is the one that the stores ask.
	Clock *clocktest.Clock
	// AddApp gives the account the app.
	AddApp func(of id.Account, app id.App)
	// Brief lets fewer calls race, and fills no account to its bound.
	Brief bool
}

// Run checks that stores keep the contracts of account.Logins, login.Store and account.Teams.
func Run(t *testing.T, s Suite) {
	for _, tests := range []map[string]func(*testing.T, Suite){loginTests, linkTests, factorTests, sessionTests, teamTests,
		invitationTests, recordTests} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, s) })
		}
	}
}

// redemptions is how many calls try to use one thing up at once.
func (s Suite) redemptions() int {
	if s.Brief {
		return briefRedemptions
	}
	return redemptions
}

// NewEmail returns an address that nobody has.
func NewEmail() account.Email {
	return account.Email("dev." + id.Hash(id.Source{}.Text(22)) + "@example.com")
}

// NewDeveloper returns a developer of version 1 with every field set, made at the time.
func NewDeveloper(at time.Time) account.Developer {
	return account.Developer{ID: id.Source{}.Developer(), Email: NewEmail(), Password: "$argon2id$first",
		Language: fault.Chinese, CreatedAt: at, Version: 1}
}

// NewSession returns a session of the developer with every field set, of epoch 0, that begins at the time and lasts an hour.
func NewSession(developer id.Developer, at time.Time) login.Session {
	ids := id.Source{}
	return login.Session{ID: ids.Text(16), Developer: developer, Account: ids.Account(), Hash: newHash(),
		CreatedAt: at, SeenAt: at.Add(time.Second), ConfirmedAt: at.Add(2 * time.Second), ExpiresAt: at.Add(time.Hour),
		Source: "192.0.2.1", Agent: "curl/8"}
}

func newHash() [32]byte { return sha256.Sum256([]byte(id.Source{}.Text(43))) }

// link stores a link to a reset that lasts an hour.
func (s Suite) link(t *testing.T) account.Link {
	t.Helper()
	link := account.Link{Hash: newHash(), Action: account.ActionReset, Email: NewEmail(), Developer: id.Source{}.Developer(),
		Version: 3, ExpiresAt: s.Clock.Now().Add(time.Hour)}
	storetest.OK(t, "PutLink", s.Logins.PutLink(t.Context(), link))
	return link
}

// developer signs a new developer up and returns the login and its account.
func (s Suite) developer(t *testing.T) (account.Developer, account.Account) {
	t.Helper()
	made := NewDeveloper(s.Clock.Now())
	of := account.Account{ID: id.Source{}.Account(), Name: "Acme 公司", CreatedAt: s.Clock.Now()}
	storetest.OK(t, "Activate", s.Logins.Activate(t.Context(), s.link(t).Hash, made, of))
	return made, of
}

// offer stores an invitation to the account and its link.
func (s Suite) offer(t *testing.T, to id.Account, role authz.Role) account.Link {
	t.Helper()
	now := s.Clock.Now()
	invitation := account.Invitation{Account: to, ID: id.Source{}.Text(16), Email: NewEmail(), Role: role,
		InvitedBy: id.Source{}.Developer(), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	storetest.OK(t, "PutInvitation", s.Teams.PutInvitation(t.Context(), invitation))
	link := account.Link{Hash: newHash(), Action: account.ActionInvitation, Email: invitation.Email, Account: to,
		Invitation: invitation.ID, Role: role, ExpiresAt: invitation.ExpiresAt}
	storetest.OK(t, "PutLink", s.Logins.PutLink(t.Context(), link))
	return link
}

// member makes a new member of the account.
func (s Suite) member(t *testing.T, of id.Account, role authz.Role) account.Member {
	t.Helper()
	made := NewDeveloper(s.Clock.Now())
	member := account.Member{Account: of, Developer: made.ID, Role: role, Since: s.Clock.Now()}
	storetest.OK(t, "Join", s.Teams.Join(t.Context(), s.offer(t, of, role), member, &made))
	return member
}

// session stores a new session of the developer's epoch of now.
func (s Suite) session(t *testing.T, developer id.Developer) login.Session {
	t.Helper()
	session := NewSession(developer, s.Clock.Now())
	epoch, err := s.Sessions.Epoch(t.Context(), developer)
	storetest.OK(t, "Epoch", err)
	session.Epoch = epoch
	storetest.OK(t, "PutSession", s.Sessions.PutSession(t.Context(), session))
	return session
}

func same(t *testing.T, doing string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s = %+v\nwant %+v", doing, got, want)
	}
}

// wantDeveloper checks that the login stands so, and has its address.
func (s Suite) wantDeveloper(t *testing.T, want account.Developer) {
	t.Helper()
	got, _, err := s.Logins.Developer(t.Context(), want.ID)
	storetest.OK(t, "Developer", err)
	same(t, "Developer", got, want)
	holder, err := s.Logins.ByEmail(t.Context(), want.Email)
	if err != nil || holder != want.ID {
		t.Fatalf("ByEmail = %s, %v; want %s", holder, err, want.ID)
	}
}

// wantLink checks whether the link still works.
func (s Suite) wantLink(t *testing.T, hash [32]byte, works bool) {
	t.Helper()
	if _, err := s.Logins.Link(t.Context(), hash); (err == nil) != works {
		t.Fatalf("Link = %v; works: want %v", err, works)
	}
}

// wantFree checks that nobody has the address.
func (s Suite) wantFree(t *testing.T, email account.Email) {
	t.Helper()
	_, err := s.Logins.ByEmail(t.Context(), email)
	storetest.Refused(t, "ByEmail of a free address", err, account.ErrNotFound)
}
