package accounttest

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var linkTests = map[string]func(*testing.T, Suite){
	"Pending keeps every field":       runPending,
	"PutPending replaces":             runPendingAgain,
	"links keep every field":          runLinks,
	"TakeLink works once":             runTakeLink,
	"links and sign-ups expire":       runLapse,
	"times are kept to a millisecond": runMilliseconds,
}

func (s Suite) pending() account.Pending {
	now := s.Clock.Now()
	return account.Pending{Email: NewEmail(), Password: "hash", Account: "Acme 公司", Language: fault.Chinese,
		Nonce: id.Source{}.Text(22), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
}

func (s Suite) wantPending(t *testing.T, want account.Pending) {
	t.Helper()
	got, err := s.Logins.Pending(t.Context(), want.Email)
	storetest.OK(t, "Pending", err)
	same(t, "Pending", got, want)
}

func runPending(t *testing.T, s Suite) {
	want := s.pending()
	_, err := s.Logins.Pending(t.Context(), want.Email)
	storetest.Refused(t, "Pending of nobody", err, account.ErrNotFound)
	storetest.OK(t, "PutPending", s.Logins.PutPending(t.Context(), want))
	s.wantPending(t, want)
	s.wantFree(t, want.Email) // a sign-up claims nothing
}

func runPendingAgain(t *testing.T, s Suite) {
	first := s.pending()
	second := first
	second.Nonce, second.Password = "another", "other hash"
	storetest.OK(t, "PutPending", s.Logins.PutPending(t.Context(), first))
	storetest.OK(t, "PutPending", s.Logins.PutPending(t.Context(), second))
	s.wantPending(t, second)
}

func runLinks(t *testing.T, s Suite) {
	until, ids := s.Clock.Now().Add(time.Hour), id.Source{}
	confirm := account.Link{Action: account.ActionConfirm, Email: NewEmail(), Pending: s.pending()}
	reset := account.Link{Action: account.ActionReset, Email: NewEmail(), Developer: ids.Developer(), Version: 4}
	invitation := account.Link{Action: account.ActionInvitation, Email: NewEmail(), Account: ids.Account(),
		Invitation: ids.Text(16), Role: authz.Auditor}
	for _, want := range []account.Link{confirm, reset, invitation} {
		want.Hash, want.ExpiresAt = newHash(), until
		_, err := s.Logins.Link(t.Context(), want.Hash)
		storetest.Refused(t, "Link before it", err, account.ErrNotFound)
		storetest.OK(t, "PutLink", s.Logins.PutLink(t.Context(), want))
		for range 2 { // looking uses nothing up
			got, err := s.Logins.Link(t.Context(), want.Hash)
			storetest.OK(t, "Link", err)
			same(t, "Link", got, want)
		}
	}
}

func runTakeLink(t *testing.T, s Suite) {
	storetest.Refused(t, "TakeLink of none", s.Logins.TakeLink(t.Context(), newHash()), account.ErrUsed)
	link, other := s.link(t), s.link(t)
	storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(int) error { return s.Logins.TakeLink(t.Context(), link.Hash) })
	s.wantLink(t, link.Hash, false)
	s.wantLink(t, other.Hash, true)
}

// What lasts an hour counts a millisecond before, and no longer at the end.
func runLapse(t *testing.T, s Suite) {
	link, pending := s.link(t), s.pending()
	storetest.OK(t, "PutPending", s.Logins.PutPending(t.Context(), pending))
	s.Clock.Advance(time.Hour - time.Millisecond)
	s.wantLink(t, link.Hash, true)
	s.wantPending(t, pending)
	s.Clock.Advance(time.Millisecond)
	s.wantLink(t, link.Hash, false)
	storetest.Refused(t, "TakeLink of a late one", s.Logins.TakeLink(t.Context(), link.Hash), account.ErrUsed)
	_, err := s.Logins.Pending(t.Context(), pending.Email)
	storetest.Refused(t, "Pending of a late one", err, account.ErrNotFound)
}

func runMilliseconds(t *testing.T, s Suite) {
	fine := s.pending()
	fine.CreatedAt = fine.CreatedAt.Add(999 * time.Microsecond)
	storetest.OK(t, "PutPending", s.Logins.PutPending(t.Context(), fine))
	fine.CreatedAt = fine.CreatedAt.Truncate(time.Millisecond)
	s.wantPending(t, fine)
}
