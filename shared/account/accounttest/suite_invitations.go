package accounttest

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var invitationTests = map[string]func(*testing.T, Suite){
	"invitations keep every field":      runInvitations,
	"invitations expire":                runInvitationLapse,
	"RemoveInvitation withdraws":        runRemoveInvitation,
	"accounts' invitations are its own": runInvitationsApart,
}

func (s Suite) invitation(t *testing.T, of id.Account) account.Invitation {
	t.Helper()
	now := s.Clock.Now()
	made := account.Invitation{Account: of, ID: id.Source{}.Text(16), Email: NewEmail(), Role: authz.Admin,
		InvitedBy: id.Source{}.Developer(), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	storetest.OK(t, "PutInvitation", s.Teams.PutInvitation(t.Context(), made))
	return made
}

func (s Suite) wantInvitations(t *testing.T, of id.Account, want ...account.Invitation) {
	t.Helper()
	got, err := s.Teams.Invitations(t.Context(), of)
	storetest.OK(t, "Invitations", err)
	if len(got) > 0 || len(want) > 0 { // none is none, whether nil or empty
		same(t, "Invitations", got, want)
	}
}

func runInvitations(t *testing.T, s Suite) {
	of := id.Source{}.Account()
	_, err := s.Teams.Invitation(t.Context(), of, "none")
	storetest.Refused(t, "Invitation of none", err, account.ErrNotFound)
	s.wantInvitations(t, of)
	var want []account.Invitation
	for range 7 {
		s.Clock.Advance(time.Second)
		want = append(want, s.invitation(t, of))
	}
	s.wantInvitations(t, of, want...)
	for _, invitation := range want {
		got, err := s.Teams.Invitation(t.Context(), of, invitation.ID)
		storetest.OK(t, "Invitation", err)
		same(t, "Invitation", got, invitation)
	}
}

func runInvitationLapse(t *testing.T, s Suite) {
	of := id.Source{}.Account()
	early := s.invitation(t, of)
	s.Clock.Advance(time.Hour - time.Millisecond)
	late := s.invitation(t, of)
	s.wantInvitations(t, of, early, late)
	s.Clock.Advance(time.Millisecond)
	s.wantInvitations(t, of, late)
	_, err := s.Teams.Invitation(t.Context(), of, early.ID)
	storetest.Refused(t, "Invitation of a late one", err, account.ErrNotFound)
	err = s.Teams.RemoveInvitation(t.Context(), of, early.ID)
	storetest.Refused(t, "RemoveInvitation of a late one", err, account.ErrNotFound)
}

func runRemoveInvitation(t *testing.T, s Suite) {
	of := id.Source{}.Account()
	made, other := s.invitation(t, of), s.invitation(t, of)
	storetest.OneWins(t, storetest.Racers, account.ErrNotFound, func(int) error {
		return s.Teams.RemoveInvitation(t.Context(), of, made.ID)
	})
	s.wantInvitations(t, of, other)
}

func runInvitationsApart(t *testing.T, s Suite) {
	mine, theirs := id.Source{}.Account(), id.Source{}.Account()
	made := s.invitation(t, mine)
	_, err := s.Teams.Invitation(t.Context(), theirs, made.ID)
	storetest.Refused(t, "Invitation of another account", err, account.ErrNotFound)
	err = s.Teams.RemoveInvitation(t.Context(), theirs, made.ID)
	storetest.Refused(t, "RemoveInvitation by another account", err, account.ErrNotFound)
	s.wantInvitations(t, theirs)
	s.wantInvitations(t, mine, made)
}
