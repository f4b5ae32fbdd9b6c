package accounttest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var loginTests = map[string]func(*testing.T, Suite){
	"no developer is ErrNotFound":         runNobody,
	"Activate makes everything":           runActivate,
	"Activate works once for a link":      runActivateOnce,
	"Activate takes an address once":      runActivateAddress,
	"Activate refused makes nothing":      runActivateRefused,
	"Developers returns those there are":  runDevelopers,
	"SetPassword counts the version":      runSetPassword,
	"SetPassword works once for a link":   runSetPasswordOnce,
	"SetPassword refused changes nothing": runSetPasswordRefused,
	"SetPassword is atomic":               runSetPasswordRace,
	"Rehash leaves the version":           runRehash,
	"SetEmail moves the address":          runSetEmail,
	"SetEmail works once for a link":      runSetEmailOnce,
	"SetEmail takes an address once":      runSetEmailAddress,
	"SetEmail refused changes nothing":    runSetEmailRefused,
}

func runNobody(t *testing.T, s Suite) {
	nobody := id.Source{}.Developer()
	_, _, err := s.Logins.Developer(t.Context(), nobody)
	storetest.Refused(t, "Developer", err, account.ErrNotFound)
	s.wantFree(t, NewEmail())
	err = s.Logins.SetPassword(t.Context(), nobody, 0, "hash", nil, "")
	storetest.Refused(t, "SetPassword", err, account.ErrChanged)
	storetest.Refused(t, "Rehash", s.Logins.Rehash(t.Context(), nobody, 0, "hash"), account.ErrChanged)
	err = s.Logins.SetEmail(t.Context(), account.Developer{ID: nobody, Email: NewEmail()}, NewEmail(), s.link(t).Hash)
	storetest.Refused(t, "SetEmail", err, account.ErrChanged)
	_, _, err = s.Logins.Developer(t.Context(), nobody)
	storetest.Refused(t, "Developer after that", err, account.ErrNotFound)
}

func runActivate(t *testing.T, s Suite) {
	ctx, now := t.Context(), s.Clock.Now()
	link, made := s.link(t), NewDeveloper(now)
	of := account.Account{ID: id.Source{}.Account(), Name: "Acme 公司", CreatedAt: now}
	pending := account.Pending{Email: made.Email, ExpiresAt: now.Add(time.Hour)}
	storetest.OK(t, "PutPending", s.Logins.PutPending(ctx, pending))
	storetest.OK(t, "Activate", s.Logins.Activate(ctx, link.Hash, made, of))
	s.wantDeveloper(t, made)
	s.wantLink(t, link.Hash, false)
	_, err := s.Logins.Pending(ctx, made.Email)
	storetest.Refused(t, "Pending after it", err, account.ErrNotFound)
	_, factor, err := s.Logins.Developer(ctx, made.ID)
	if err != nil || factor != nil {
		t.Fatalf("the second factor of a new developer is %+v, %v", factor, err)
	}
	got, err := s.Teams.Account(ctx, of.ID)
	storetest.OK(t, "Account", err)
	same(t, "Account", got, of)
	member, err := s.Teams.Member(ctx, of.ID, made.ID)
	storetest.OK(t, "Member", err)
	same(t, "Member", member, account.Member{Account: of.ID, Developer: made.ID, Role: authz.Owner, Since: now})
	accounts, err := s.Teams.Accounts(ctx, made.ID)
	storetest.OK(t, "Accounts", err)
	same(t, "Accounts", accounts, []id.Account{of.ID})
}

// activations are as many sign-ups, each of another developer and account.
func (s Suite) activations(n int) ([]account.Developer, []account.Account) {
	developers, accounts := make([]account.Developer, n), make([]account.Account, n)
	for i := range n {
		developers[i] = NewDeveloper(s.Clock.Now())
		accounts[i] = account.Account{ID: id.Source{}.Account(), Name: "Acme", CreatedAt: s.Clock.Now()}
	}
	return developers, accounts
}

func runActivateOnce(t *testing.T, s Suite) {
	link := s.link(t)
	developers, accounts := s.activations(s.redemptions())
	winner := storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(i int) error {
		return s.Logins.Activate(t.Context(), link.Hash, developers[i], accounts[i])
	})
	s.wantDeveloper(t, developers[winner])
	for i := range 10 {
		if i != winner {
			s.wantNothing(t, developers[i], accounts[i].ID)
		}
	}
}

// wantNothing checks that nothing of a sign-up came into being.
func (s Suite) wantNothing(t *testing.T, developer account.Developer, of id.Account) {
	t.Helper()
	_, _, err := s.Logins.Developer(t.Context(), developer.ID)
	storetest.Refused(t, "Developer of a refused one", err, account.ErrNotFound)
	_, err = s.Teams.Account(t.Context(), of)
	storetest.Refused(t, "Account of a refused one", err, account.ErrNotFound)
	_, err = s.Teams.Member(t.Context(), of, developer.ID)
	storetest.Refused(t, "Member of a refused one", err, account.ErrNotFound)
	accounts, err := s.Teams.Accounts(t.Context(), developer.ID)
	if err != nil || len(accounts) != 0 {
		t.Fatalf("Accounts of a refused one = %v, %v", accounts, err)
	}
}

func runActivateAddress(t *testing.T, s Suite) {
	developers, accounts := s.activations(storetest.Racers)
	links, email := make([]account.Link, storetest.Racers), NewEmail()
	for i := range links {
		links[i], developers[i].Email = s.link(t), email
	}
	winner := storetest.OneWins(t, len(links), account.ErrTaken, func(i int) error {
		return s.Logins.Activate(t.Context(), links[i].Hash, developers[i], accounts[i])
	})
	s.wantDeveloper(t, developers[winner])
	for i, link := range links {
		s.wantLink(t, link.Hash, i != winner)
	}
}

func runActivateRefused(t *testing.T, s Suite) {
	ctx := t.Context()
	standing, _ := s.developer(t)
	developers, accounts := s.activations(1)
	made, of := developers[0], accounts[0]
	unknown, late, link := newHash(), s.link(t), s.link(t)
	storetest.Refused(t, "Activate with an unknown link", s.Logins.Activate(ctx, unknown, made, of), account.ErrUsed)
	s.Clock.Advance(time.Hour)
	storetest.Refused(t, "Activate with a late link", s.Logins.Activate(ctx, late.Hash, made, of), account.ErrUsed)
	s.wantFree(t, made.Email)
	taken := made
	taken.Email = standing.Email
	storetest.Refused(t, "both at once", s.Logins.Activate(ctx, unknown, taken, of), account.ErrUsed)
	link = s.link(t)
	pending := account.Pending{Email: taken.Email, ExpiresAt: s.Clock.Now().Add(time.Hour)}
	storetest.OK(t, "PutPending", s.Logins.PutPending(ctx, pending))
	storetest.Refused(t, "Activate with a taken address", s.Logins.Activate(ctx, link.Hash, taken, of), account.ErrTaken)
	s.wantLink(t, link.Hash, true)
	s.wantNothing(t, made, of.ID)
	s.wantDeveloper(t, standing)
	_, err := s.Logins.Pending(ctx, taken.Email)
	storetest.OK(t, "Pending after a refusal", err)
}

func runDevelopers(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	bob, _ := s.developer(t)
	s.turnOn(t, ann.ID) // other rows of a developer do not show
	nobody := id.Source{}.Developer()
	got, err := s.Logins.Developers(t.Context(), []id.Developer{ann.ID, nobody, bob.ID, ann.ID})
	storetest.OK(t, "Developers", err)
	want, byID := []account.Developer{ann, bob}, func(a, b account.Developer) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	same(t, "Developers", got, want)
	for _, none := range [][]id.Developer{nil, {nobody}} {
		if got, err := s.Logins.Developers(t.Context(), none); err != nil || len(got) != 0 {
			t.Fatalf("Developers of %v = %v, %v", none, got, err)
		}
	}
	many := make([]id.Developer, 100)
	for i := range many {
		many[i] = id.Source{}.Developer()
	}
	many[57] = bob.ID
	got, err = s.Logins.Developers(t.Context(), many)
	storetest.OK(t, "Developers", err)
	same(t, "Developers of a hundred", got, []account.Developer{bob})
}

func runSetPassword(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	kept, other := s.session(t, ann.ID), s.session(t, ann.ID)
	storetest.OK(t, "SetPassword", s.Logins.SetPassword(t.Context(), ann.ID, 1, "second", nil, kept.ID))
	ann.Password, ann.Version = "second", 2
	s.wantDeveloper(t, ann)
	kept.Epoch = 1
	s.wantSession(t, kept, 1)
	s.wantSession(t, other, 1) // its epoch is not the developer's any more
	s.wantSessions(t, ann.ID, kept)
	link := s.link(t)
	storetest.OK(t, "SetPassword", s.Logins.SetPassword(t.Context(), ann.ID, 2, "third", &link.Hash, ""))
	ann.Password, ann.Version = "third", 3
	s.wantDeveloper(t, ann)
	s.wantLink(t, link.Hash, false)
	s.wantSessions(t, ann.ID)
	storetest.OK(t, "SetPassword", s.Logins.SetPassword(t.Context(), ann.ID, 3, "fourth", nil, kept.ID))
	s.wantSessions(t, ann.ID) // a session that was ended is not brought back
}

func runSetPasswordOnce(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	link, kept := s.link(t), s.session(t, ann.ID)
	passwords := make([]string, s.redemptions())
	winner := storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(i int) error {
		passwords[i] = id.Source{}.Text(10)
		return s.Logins.SetPassword(t.Context(), ann.ID, 1, passwords[i], &link.Hash, kept.ID)
	})
	ann.Password, ann.Version = passwords[winner], 2
	s.wantDeveloper(t, ann)
	kept.Epoch = 1
	s.wantSessions(t, ann.ID, kept)
}

func runSetPasswordRace(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	storetest.OneWins(t, storetest.Racers, account.ErrChanged, func(int) error {
		return s.Logins.SetPassword(t.Context(), ann.ID, 1, "second", nil, "")
	})
	s.wantEpoch(t, ann.ID, 1)
}

func runSetPasswordRefused(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	session, unknown, late := s.session(t, ann.ID), newHash(), s.link(t)
	err := s.Logins.SetPassword(ctx, ann.ID, 7, "no", nil, "")
	storetest.Refused(t, "SetPassword at another version", err, account.ErrChanged)
	err = s.Logins.SetPassword(ctx, ann.ID, 7, "no", &unknown, session.ID)
	storetest.Refused(t, "SetPassword with an unknown link", err, account.ErrUsed)
	link := s.link(t)
	err = s.Logins.SetPassword(ctx, ann.ID, 7, "no", &link.Hash, session.ID)
	storetest.Refused(t, "SetPassword with a link at another version", err, account.ErrChanged)
	s.wantLink(t, link.Hash, true)
	s.wantDeveloper(t, ann)
	s.wantSessions(t, ann.ID, session)
	s.wantEpoch(t, ann.ID, 0)
	s.Clock.Advance(time.Hour)
	err = s.Logins.SetPassword(ctx, ann.ID, 1, "no", &late.Hash, "")
	storetest.Refused(t, "SetPassword with a late link", err, account.ErrUsed)
	storetest.OK(t, "SetPassword keeping what expired", s.Logins.SetPassword(ctx, ann.ID, 1, "yes", nil, session.ID))
	s.wantEpoch(t, ann.ID, 1)
}

func runRehash(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	session := s.session(t, ann.ID)
	storetest.OK(t, "Rehash", s.Logins.Rehash(t.Context(), ann.ID, 1, "stronger"))
	ann.Password = "stronger"
	s.wantDeveloper(t, ann)
	s.wantSessions(t, ann.ID, session)
	storetest.Refused(t, "Rehash", s.Logins.Rehash(t.Context(), ann.ID, 2, "no"), account.ErrChanged)
	s.wantDeveloper(t, ann)
}

func runSetEmail(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	link, to := s.link(t), NewEmail()
	storetest.OK(t, "SetEmail", s.Logins.SetEmail(t.Context(), ann, to, link.Hash))
	s.wantFree(t, ann.Email)
	s.wantLink(t, link.Hash, false)
	ann.Email, ann.Version = to, 2
	s.wantDeveloper(t, ann)
	link = s.link(t)
	storetest.OK(t, "SetEmail to the same", s.Logins.SetEmail(t.Context(), ann, to, link.Hash))
	ann.Version = 3
	s.wantDeveloper(t, ann)
	s.wantLink(t, link.Hash, false)
	if ann.Language != fault.Chinese {
		t.Error("the suite's developer lost its language")
	}
}

func runSetEmailOnce(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	link, emails := s.link(t), make([]account.Email, s.redemptions())
	winner := storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(i int) error {
		emails[i] = NewEmail()
		return s.Logins.SetEmail(t.Context(), ann, emails[i], link.Hash)
	})
	s.wantFree(t, ann.Email)
	ann.Email, ann.Version = emails[winner], 2
	s.wantDeveloper(t, ann)
	s.wantFree(t, emails[(winner+1)%s.redemptions()])
}

// Two developers, and a sign-up, want one address at once.
func runSetEmailAddress(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	bob, _ := s.developer(t)
	developers, accounts := s.activations(1)
	eve, to := developers[0], NewEmail()
	links := []account.Link{s.link(t), s.link(t), s.link(t)}
	eve.Email = to
	winner := storetest.OneWins(t, len(links), account.ErrTaken, func(i int) error {
		switch i {
		case 0:
			return s.Logins.SetEmail(t.Context(), ann, to, links[i].Hash)
		case 1:
			return s.Logins.SetEmail(t.Context(), bob, to, links[i].Hash)
		}
		return s.Logins.Activate(t.Context(), links[i].Hash, eve, accounts[0])
	})
	holder, err := s.Logins.ByEmail(t.Context(), to)
	if want := []id.Developer{ann.ID, bob.ID, eve.ID}[winner]; err != nil || holder != want {
		t.Fatalf("ByEmail = %s, %v; want %s", holder, err, want)
	}
	for i, loser := range []account.Developer{ann, bob} {
		if i != winner {
			s.wantDeveloper(t, loser)
		}
		s.wantLink(t, links[i].Hash, i != winner)
	}
}

func runSetEmailRefused(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	bob, _ := s.developer(t)
	link, unknown, stale, to := s.link(t), newHash(), ann, NewEmail()
	stale.Version = 7
	storetest.Refused(t, "all at once", s.Logins.SetEmail(ctx, stale, bob.Email, unknown), account.ErrUsed)
	storetest.Refused(t, "taken and stale", s.Logins.SetEmail(ctx, stale, bob.Email, link.Hash), account.ErrTaken)
	storetest.Refused(t, "stale", s.Logins.SetEmail(ctx, stale, to, link.Hash), account.ErrChanged)
	storetest.Refused(t, "stale, to the same", s.Logins.SetEmail(ctx, stale, ann.Email, link.Hash), account.ErrChanged)
	moved := ann
	moved.Email = bob.Email
	storetest.Refused(t, "another's old address", s.Logins.SetEmail(ctx, moved, to, link.Hash), account.ErrChanged)
	s.wantFree(t, to)
	s.wantLink(t, link.Hash, true)
	s.wantDeveloper(t, ann)
	s.wantDeveloper(t, bob)
}
