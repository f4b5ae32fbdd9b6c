package accounttest

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var sessionTests = map[string]func(*testing.T, Suite){
	"sessions keep every field":             runSession,
	"sessions expire":                       runSessionLapse,
	"List is the newest first":              runSessionList,
	"Seen writes once":                      runSeen,
	"Confirm and Switch":                    runChangeSession,
	"End ends one":                          runEnd,
	"EndAll keeps one":                      runEndAll,
	"EndAll brings nothing back":            runEndAllEnded,
	"EndAll moves the epoch once each":      runEndAllRace,
	"EndAll of each other leaves nothing":   runEndAllKeepRace,
	"what has ended is ErrNotFound":         runEnded,
	"Standing is role and app":              runStanding,
	"developers' sessions are their own":    runSessionsApart,
	"a session of an older epoch is no use": runOldEpoch,
}

func (s Suite) wantSession(t *testing.T, want login.Session, epoch int64) {
	t.Helper()
	got, now, err := s.Sessions.Session(t.Context(), want.Developer, want.ID)
	storetest.OK(t, "Session", err)
	if got == nil || now != epoch {
		t.Fatalf("Session = %v, epoch %d; want one, %d", got, now, epoch)
	}
	same(t, "Session", *got, want)
}

func (s Suite) wantNoSession(t *testing.T, developer id.Developer, session string) {
	t.Helper()
	if got, _, err := s.Sessions.Session(t.Context(), developer, session); err != nil || got != nil {
		t.Fatalf("Session = %+v, %v; want none", got, err)
	}
}

func (s Suite) wantSessions(t *testing.T, developer id.Developer, want ...login.Session) {
	t.Helper()
	got, err := s.Sessions.List(t.Context(), developer)
	storetest.OK(t, "List", err)
	if len(got) > 0 || len(want) > 0 { // none is none, whether nil or empty
		same(t, "List", got, want)
	}
}

func (s Suite) wantEpoch(t *testing.T, developer id.Developer, want int64) {
	t.Helper()
	if got, err := s.Sessions.Epoch(t.Context(), developer); err != nil || got != want {
		t.Fatalf("Epoch = %d, %v; want %d", got, err, want)
	}
}

func runSession(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	s.wantEpoch(t, ann, 0)
	if got, epoch, err := s.Sessions.Session(t.Context(), ann, "none"); got != nil || epoch != 0 || err != nil {
		t.Fatalf("Session of none = %v, %d, %v", got, epoch, err)
	}
	if got, err := s.Sessions.List(t.Context(), ann); err != nil || len(got) != 0 {
		t.Fatalf("List of none = %v, %v", got, err)
	}
	full, bare := s.session(t, ann), NewSession(ann, s.Clock.Now().Add(-time.Minute))
	bare.Source, bare.Agent, bare.Account = "", "", ""
	storetest.OK(t, "PutSession", s.Sessions.PutSession(t.Context(), bare))
	s.wantSession(t, full, 0)
	s.wantSession(t, bare, 0)
	s.wantSessions(t, ann, full, bare)
}

func runSessionLapse(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	session := s.session(t, ann)
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), ann, session.ID))
	session.Epoch = 1
	s.Clock.Advance(time.Hour - time.Millisecond)
	s.wantSession(t, session, 1)
	s.wantSessions(t, ann, session)
	s.Clock.Advance(time.Millisecond)
	s.wantNoSession(t, ann, session.ID)
	s.wantSessions(t, ann)
	s.wantEpoch(t, ann, 1)
}

func runSessionList(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	var want []login.Session
	for range 15 {
		want = append([]login.Session{s.session(t, ann)}, want...)
		s.Clock.Advance(time.Second)
	}
	s.wantSessions(t, ann, want...)
}

func runSeen(t *testing.T, s Suite) {
	ctx := t.Context()
	ann := id.Source{}.Developer()
	session := s.session(t, ann)
	before, first := session.SeenAt, session.SeenAt.Add(5*time.Minute)
	storetest.OK(t, "Seen too early", s.Sessions.Seen(ctx, ann, session.ID, first, before.Add(-time.Millisecond)))
	s.wantSession(t, session, 0)
	storetest.OK(t, "Seen", s.Sessions.Seen(ctx, ann, session.ID, first, before))
	session.SeenAt = first
	s.wantSession(t, session, 0)
	storetest.OK(t, "Seen by another at once", s.Sessions.Seen(ctx, ann, session.ID, first.Add(time.Second), before))
	s.wantSession(t, session, 0)
	storetest.OK(t, "Seen of none", s.Sessions.Seen(ctx, ann, "none", first, before))
	s.wantNoSession(t, ann, "none")
	s.wantSessions(t, ann, session)
}

func runChangeSession(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, to := id.Source{}.Developer(), id.Source{}.Account()
	session, other := s.session(t, ann), s.session(t, ann)
	session.ConfirmedAt = session.ConfirmedAt.Add(time.Minute)
	storetest.OK(t, "Confirm", s.Sessions.Confirm(ctx, ann, session.ID, session.ConfirmedAt))
	s.wantSession(t, session, 0)
	session.Account = to
	storetest.OK(t, "Switch", s.Sessions.Switch(ctx, ann, session.ID, to))
	s.wantSession(t, session, 0)
	s.wantSession(t, other, 0)
}

func runEnd(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	session, other := s.session(t, ann), s.session(t, ann)
	storetest.OneWins(t, storetest.Racers, account.ErrNotFound, func(int) error {
		return s.Sessions.End(t.Context(), ann, session.ID)
	})
	s.wantNoSession(t, ann, session.ID)
	s.wantSessions(t, ann, other)
	s.wantEpoch(t, ann, 0)
}

func runEndAll(t *testing.T, s Suite) {
	ctx := t.Context()
	ann := id.Source{}.Developer()
	kept, _ := s.session(t, ann), s.session(t, ann)
	for kept.Epoch = range int64(4) {
		s.wantSession(t, kept, kept.Epoch)
		storetest.OK(t, "EndAll", s.Sessions.EndAll(ctx, ann, kept.ID))
	}
	kept.Epoch++
	s.wantSessions(t, ann, kept)
	storetest.OK(t, "EndAll", s.Sessions.EndAll(ctx, ann, ""))
	s.wantSessions(t, ann)
	s.wantEpoch(t, ann, 5)
	storetest.OK(t, "EndAll of none", s.Sessions.EndAll(ctx, ann, "none"))
	s.wantEpoch(t, ann, 6)
	s.wantNoSession(t, ann, "none")
	after := s.session(t, ann)
	s.wantSessions(t, ann, after)
}

func runEndAllEnded(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	session := s.session(t, ann)
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), ann, ""))
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), ann, session.ID))
	s.wantEpoch(t, ann, 2)
	s.wantSessions(t, ann)
}

func runEndAllRace(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	s.session(t, ann)
	for _, err := range storetest.AtOnce(storetest.Racers, func(int) error { return s.Sessions.EndAll(t.Context(), ann, "") }) {
		storetest.OK(t, "EndAll", err)
	}
	s.wantEpoch(t, ann, storetest.Racers)
	s.wantSessions(t, ann)
}

// Two sessions end all others at once: the first ends the second, which then has none to keep and ends the first.
func runEndAllKeepRace(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	sessions := []login.Session{s.session(t, ann), s.session(t, ann)}
	for _, err := range storetest.AtOnce(len(sessions), func(i int) error {
		return s.Sessions.EndAll(t.Context(), ann, sessions[i].ID)
	}) {
		storetest.OK(t, "EndAll", err)
	}
	s.wantEpoch(t, ann, 2)
	s.wantSessions(t, ann)
}

// runEnded: a session that was ended, alone or with all, or has expired, cannot be changed and does not come back.
func runEnded(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	expired := s.session(t, ann)
	s.Clock.Advance(time.Hour)
	withAll := s.session(t, ann)
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), ann, ""))
	alone := s.session(t, ann)
	storetest.OK(t, "End", s.Sessions.End(t.Context(), ann, alone.ID))
	for name, session := range map[string]string{"expired": expired.ID, "ended with all": withAll.ID, "ended": alone.ID, "none": "none"} {
		err := s.Sessions.Confirm(t.Context(), ann, session, s.Clock.Now())
		storetest.Refused(t, "Confirm of one "+name, err, account.ErrNotFound)
		err = s.Sessions.Switch(t.Context(), ann, session, id.Source{}.Account())
		storetest.Refused(t, "Switch of one "+name, err, account.ErrNotFound)
		storetest.Refused(t, "End of one "+name, s.Sessions.End(t.Context(), ann, session), account.ErrNotFound)
	}
	s.wantSessions(t, ann)
	s.wantNoSession(t, ann, alone.ID)
	s.wantNoSession(t, ann, "none")
}

func runStanding(t *testing.T, s Suite) {
	owner, of := s.developer(t)
	auditor := s.member(t, of.ID, authz.Auditor)
	app, foreign, stranger := id.Source{}.App(), id.Source{}.App(), id.Source{}.Developer()
	other, _ := s.developer(t)
	s.AddApp(of.ID, app)
	s.AddApp(id.Source{}.Account(), foreign)
	for name, test := range map[string]struct {
		developer id.Developer
		app       string
		role      authz.Role
		found     id.App
	}{
		"an owner":               {owner.ID, app.String(), authz.Owner, app},
		"an auditor":             {auditor.Developer, app.String(), authz.Auditor, app},
		"nobody":                 {stranger, app.String(), "", app},
		"another's owner":        {other.ID, "", "", id.App{}},
		"no app":                 {owner.ID, "", authz.Owner, id.App{}},
		"another account's app":  {owner.ID, foreign.String(), authz.Owner, id.App{}},
		"no app's ID":            {owner.ID, "app_", authz.Owner, id.App{}},
		"another kind of row":    {owner.ID, "member#" + string(auditor.Developer), authz.Owner, id.App{}},
		"another case":           {owner.ID, "APP_" + app.String()[4:], authz.Owner, id.App{}},
		"an app's ID and more":   {owner.ID, app.String() + "0", authz.Owner, id.App{}},
		"an app's ID with space": {owner.ID, " " + app.String(), authz.Owner, id.App{}},
	} {
		role, found, err := s.Sessions.Standing(t.Context(), of.ID, test.developer, test.app)
		if err != nil || role != test.role || found != test.found {
			t.Errorf("%s: Standing = %q, %q, %v; want %q, %q", name, role, found, err, test.role, test.found)
		}
	}
}

func runSessionsApart(t *testing.T, s Suite) {
	ann, bob := id.Source{}.Developer(), id.Source{}.Developer()
	hers, his := s.session(t, ann), s.session(t, bob)
	storetest.Refused(t, "End of another's", s.Sessions.End(t.Context(), bob, hers.ID), account.ErrNotFound)
	s.wantNoSession(t, bob, hers.ID)
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), bob, hers.ID))
	s.wantSession(t, hers, 0)
	s.wantSessions(t, ann, hers)
	s.wantSessions(t, bob)
	s.wantSession(t, his, 1)
}

// A login that read the epoch before all sessions were ended comes too late.
func runOldEpoch(t *testing.T, s Suite) {
	ann := id.Source{}.Developer()
	late := NewSession(ann, s.Clock.Now())
	storetest.OK(t, "EndAll", s.Sessions.EndAll(t.Context(), ann, ""))
	storetest.OK(t, "PutSession", s.Sessions.PutSession(t.Context(), late))
	s.wantSession(t, late, 1)
	s.wantSessions(t, ann)
}
