package accounttest

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// attempt is one of many to make a change, with a record of it.
type attempt func(i int, made record.Record) error

// recordTests let many make a change at once: each that was made has left its record, and what was refused none.
var recordTests = map[string]func(*testing.T, Suite){
	"a record of TakeLink":         once(takeLink),
	"a record of Activate":         once(activate),
	"a record of SetPassword":      once(setPassword),
	"a record of SetEmail":         once(setEmail),
	"a record of PutFactor":        once(putFactor),
	"a record of RemoveFactor":     once(removeFactor),
	"a record of UseRecovery":      once(useRecovery),
	"a record of Switch":           once(switchSession),
	"a record of End":              once(endSession),
	"a record of Create":           once(create),
	"a record of Rename":           once(rename),
	"a record of Join":             once(join),
	"a record of SetRole":          once(setRole),
	"a record of Leave":            once(leave),
	"a record of RemoveInvitation": once(removeInvitation),
	"a record of SetRecovery":      always(setRecovery),
	"a record of PutSession":       always(putSession),
	"a record of EndAll":           always(endAll),
	"a record of PutInvitation":    always(putInvitation),
}

// few is how many make a change at once that nobody is refused.
const few = 6

func once(prepare func(*testing.T, Suite) attempt) func(*testing.T, Suite) {
	return func(t *testing.T, s Suite) {
		if made := s.race(t, storetest.Racers, prepare(t, s)); len(made) != 1 {
			t.Fatalf("records of %v, want one", made)
		}
	}
}

func always(prepare func(*testing.T, Suite) attempt) func(*testing.T, Suite) {
	return func(t *testing.T, s Suite) {
		if made := s.race(t, few, prepare(t, s)); len(made) != few {
			t.Fatalf("records of %v, want %d", made, few)
		}
	}
}

// race lets n attempts run at once, and returns whose records there are: each is of one that was not refused.
func (s Suite) race(t *testing.T, n int, try attempt) (made []int) {
	t.Helper()
	log := record.OfAccount(id.Source{}.Account())
	errs := storetest.AtOnce(n, func(i int) error {
		return try(i, record.New(log, s.Clock.Now(), record.Origin{}, record.DataRead, strconv.Itoa(i), nil, nil))
	})
	for _, each := range recordtest.All(t, s.Logs, log) {
		i, err := strconv.Atoi(each.Subject)
		if err != nil || errs[i] != nil || slices.Contains(made, i) {
			t.Fatalf("a record of %q, which is there already or was refused: %v", each.Subject, errs)
		}
		made = append(made, i)
	}
	return made
}

func takeLink(t *testing.T, s Suite) attempt {
	link := s.link(t)
	return func(_ int, made record.Record) error { return s.Logins.TakeLink(t.Context(), link.Hash, made) }
}

func activate(t *testing.T, s Suite) attempt {
	link := s.link(t)
	developers, accounts := s.activations(storetest.Racers)
	return func(i int, made record.Record) error {
		return s.Logins.Activate(t.Context(), link.Hash, developers[i], accounts[i], made)
	}
}

func setPassword(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	session := s.session(t, ann.ID)
	return func(_ int, made record.Record) error {
		return s.Logins.SetPassword(t.Context(), ann.ID, 1, "second", nil, session.ID, made)
	}
}

func setEmail(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	link, to := s.link(t), NewEmail()
	return func(_ int, made record.Record) error { return s.Logins.SetEmail(t.Context(), ann, to, link.Hash, made) }
}

func putFactor(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	setup := s.setup()
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(t.Context(), ann.ID, setup))
	return func(_ int, made record.Record) error {
		return s.Logins.PutFactor(t.Context(), ann.ID, setup, account.Factor{Secret: setup.Secret}, "", made)
	}
}

func removeFactor(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	s.turnOn(t, ann.ID)
	return func(_ int, made record.Record) error {
		return s.Logins.RemoveFactor(t.Context(), ann.ID, ann.Version, made)
	}
}

func useRecovery(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	factor := s.turnOn(t, ann.ID)
	return func(_ int, made record.Record) error {
		_, err := s.Logins.UseRecovery(t.Context(), ann.ID, factor.Recovery[3], made)
		return err
	}
}

// switchSession succeeds for all: the session stands where each wants it. One has made it so.
func switchSession(t *testing.T, s Suite) attempt {
	session, to := s.session(t, id.Source{}.Developer()), id.Source{}.Account()
	return func(_ int, made record.Record) error {
		err := s.Sessions.Switch(t.Context(), session.Developer, session.ID, to, made)
		if err != nil {
			t.Errorf("Switch: %v", err)
		}
		return err
	}
}

func endSession(t *testing.T, s Suite) attempt {
	session := s.session(t, id.Source{}.Developer())
	return func(_ int, made record.Record) error {
		return s.Sessions.End(t.Context(), session.Developer, session.ID, made)
	}
}

func create(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	of := account.Account{ID: id.Source{}.Account(), Name: "Second", CreatedAt: s.Clock.Now()}
	return func(_ int, made record.Record) error {
		_, err := s.Teams.Create(t.Context(), of, ann.ID, made)
		return err
	}
}

func rename(t *testing.T, s Suite) attempt {
	_, of := s.developer(t)
	return func(_ int, made record.Record) error { return s.Teams.Rename(t.Context(), of, "Renamed", made) }
}

func join(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	_, of := s.developer(t)
	link := s.offer(t, of.ID, authz.Admin)
	member := account.Member{Account: of.ID, Developer: ann.ID, Role: authz.Admin, Since: s.Clock.Now()}
	return func(_ int, made record.Record) error { return s.Teams.Join(t.Context(), link, member, nil, made) }
}

func setRole(t *testing.T, s Suite) attempt {
	_, of := s.developer(t)
	member := s.member(t, of.ID, authz.Admin)
	return func(_ int, made record.Record) error {
		return s.Teams.SetRole(t.Context(), member, authz.Auditor, made)
	}
}

func leave(t *testing.T, s Suite) attempt {
	_, of := s.developer(t)
	member := s.member(t, of.ID, authz.Admin)
	return func(_ int, made record.Record) error { return s.Teams.Leave(t.Context(), member, made) }
}

func removeInvitation(t *testing.T, s Suite) attempt {
	of := id.Source{}.Account()
	invitation := s.invitation(t, of)
	return func(_ int, made record.Record) error {
		return s.Teams.RemoveInvitation(t.Context(), of, invitation.ID, made)
	}
}

func setRecovery(t *testing.T, s Suite) attempt {
	ann, _ := s.developer(t)
	s.turnOn(t, ann.ID)
	return func(_ int, made record.Record) error {
		return s.Logins.SetRecovery(t.Context(), ann.ID, newCodes(2), made)
	}
}

func putSession(t *testing.T, s Suite) attempt {
	ann := id.Source{}.Developer()
	return func(_ int, made record.Record) error {
		return s.Sessions.PutSession(t.Context(), NewSession(ann, s.Clock.Now()), made)
	}
}

func endAll(t *testing.T, s Suite) attempt {
	session := s.session(t, id.Source{}.Developer())
	return func(_ int, made record.Record) error {
		return s.Sessions.EndAll(t.Context(), session.Developer, session.ID, made)
	}
}

func putInvitation(t *testing.T, s Suite) attempt {
	of := id.Source{}.Account()
	return func(_ int, made record.Record) error {
		now := s.Clock.Now()
		return s.Teams.PutInvitation(t.Context(), account.Invitation{Account: of, ID: id.Source{}.Text(16), Email: NewEmail(),
			Role: authz.Admin, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, made)
	}
}
