package accounttest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var factorTests = map[string]func(*testing.T, Suite){
	"Setup is kept for a while":         runSetup,
	"PutFactor turns it on once":        runPutFactor,
	"PutFactor is atomic":               runPutFactorRace,
	"PutFactor ends other sessions":     runPutFactorEnds,
	"RemoveFactor turns it off":         runRemoveFactor,
	"SetRecovery replaces the codes":    runSetRecovery,
	"UseStep takes later ones only":     runUseStep,
	"UseStep works once":                runUseStepOnce,
	"UseRecovery uses up":               runUseRecovery,
	"UseRecovery works once":            runUseRecoveryOnce,
	"UseRecovery of all codes at once":  runUseRecoveryAll,
	"a second factor without its codes": runNoCodes,
}

func (s Suite) setup() account.Setup {
	return account.Setup{Secret: []byte(id.Source{}.Text(40)), ExpiresAt: s.Clock.Now().Add(time.Hour)}
}

// newCodes returns hashes of as many recovery codes, in order.
func newCodes(n int) [][]byte {
	codes := make([][]byte, n)
	for i := range codes {
		hash := newHash()
		codes[i] = hash[:]
	}
	slices.SortFunc(codes, bytes.Compare)
	return codes
}

// turnOn gives the developer a second factor with ten recovery codes, whose last step was 100.
func (s Suite) turnOn(t *testing.T, developer id.Developer) account.Factor {
	t.Helper()
	setup := s.setup()
	factor := account.Factor{Secret: setup.Secret, Step: 100, Recovery: newCodes(10), CreatedAt: s.Clock.Now()}
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(t.Context(), developer, setup))
	storetest.OK(t, "PutFactor", s.Logins.PutFactor(t.Context(), developer, setup, factor, ""))
	return factor
}

// wantFactor checks the second factor; its codes are in no order.
func (s Suite) wantFactor(t *testing.T, developer id.Developer, want account.Factor) {
	t.Helper()
	_, got, err := s.Logins.Developer(t.Context(), developer)
	if err != nil || got == nil {
		t.Fatalf("the second factor is %v, %v", got, err)
	}
	slices.SortFunc(got.Recovery, bytes.Compare)
	same(t, "the second factor", *got, want)
}

func runSetup(t *testing.T, s Suite) {
	ctx, ann := t.Context(), id.Source{}.Developer()
	_, err := s.Logins.Setup(ctx, ann)
	storetest.Refused(t, "Setup of none", err, account.ErrNotFound)
	first, second := s.setup(), s.setup()
	for _, want := range []account.Setup{first, second} {
		storetest.OK(t, "PutSetup", s.Logins.PutSetup(ctx, ann, want))
		got, err := s.Logins.Setup(ctx, ann)
		storetest.OK(t, "Setup", err)
		same(t, "Setup", got, want)
	}
	storetest.Refused(t, "PutFactor of a replaced setup", s.Logins.PutFactor(ctx, ann, first, account.Factor{}, ""), account.ErrUsed)
	s.Clock.Advance(time.Hour)
	_, err = s.Logins.Setup(ctx, ann)
	storetest.Refused(t, "Setup of a late one", err, account.ErrNotFound)
	storetest.Refused(t, "PutFactor of a late setup", s.Logins.PutFactor(ctx, ann, second, account.Factor{}, ""), account.ErrUsed)
}

func runPutFactor(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	storetest.Refused(t, "PutFactor without a setup", s.Logins.PutFactor(ctx, ann.ID, s.setup(), account.Factor{}, ""), account.ErrUsed)
	factor := s.turnOn(t, ann.ID)
	s.wantFactor(t, ann.ID, factor)
	s.wantDeveloper(t, ann)
	_, err := s.Logins.Setup(ctx, ann.ID)
	storetest.Refused(t, "Setup after it", err, account.ErrNotFound)
	setup := s.setup()
	storetest.Refused(t, "both at once", s.Logins.PutFactor(ctx, ann.ID, setup, account.Factor{}, ""), account.ErrUsed)
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(ctx, ann.ID, setup))
	storetest.Refused(t, "PutFactor again", s.Logins.PutFactor(ctx, ann.ID, setup, account.Factor{}, ""), account.ErrChanged)
	s.wantFactor(t, ann.ID, factor)
	_, err = s.Logins.Setup(ctx, ann.ID)
	storetest.OK(t, "Setup after a refusal", err)
}

func runPutFactorRace(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	setup := s.setup()
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(t.Context(), ann.ID, setup))
	codes := make([][][]byte, storetest.Racers)
	for i := range codes {
		codes[i] = newCodes(3)
	}
	winner := storetest.OneWins(t, len(codes), account.ErrUsed, func(i int) error {
		return s.Logins.PutFactor(t.Context(), ann.ID, setup, account.Factor{Secret: setup.Secret, Recovery: codes[i]}, "")
	})
	s.wantFactor(t, ann.ID, account.Factor{Secret: setup.Secret, Recovery: codes[winner]})
}

func runPutFactorEnds(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	setup, kept, other := s.setup(), s.session(t, ann.ID), s.session(t, ann.ID)
	err := s.Logins.PutFactor(t.Context(), ann.ID, setup, account.Factor{}, kept.ID)
	storetest.Refused(t, "PutFactor without a setup", err, account.ErrUsed)
	s.wantEpoch(t, ann.ID, 0)
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(t.Context(), ann.ID, setup))
	factor := account.Factor{Secret: setup.Secret, CreatedAt: s.Clock.Now()}
	storetest.OK(t, "PutFactor", s.Logins.PutFactor(t.Context(), ann.ID, setup, factor, kept.ID))
	kept.Epoch = 1
	s.wantSessions(t, ann.ID, kept)
	s.wantSession(t, other, 1) // its epoch is not the developer's any more
}

func runRemoveFactor(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	storetest.OK(t, "RemoveFactor of none", s.Logins.RemoveFactor(t.Context(), ann.ID, ann.Version))
	for range 2 {
		ann.Version++
		factor := s.turnOn(t, ann.ID)
		storetest.Refused(t, "RemoveFactor of a login that has changed", s.Logins.RemoveFactor(t.Context(), ann.ID, ann.Version-1), account.ErrChanged)
		s.wantFactor(t, ann.ID, factor)
		storetest.OK(t, "RemoveFactor", s.Logins.RemoveFactor(t.Context(), ann.ID, ann.Version))
		_, left, err := s.Logins.Developer(t.Context(), ann.ID)
		if err != nil || left != nil {
			t.Fatalf("after RemoveFactor it is %+v, %v", left, err)
		}
	}
	ann.Version++
	s.wantDeveloper(t, ann)
}

func runSetRecovery(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	storetest.Refused(t, "SetRecovery without a factor", s.Logins.SetRecovery(ctx, ann.ID, newCodes(1)), account.ErrNotFound)
	factor := s.turnOn(t, ann.ID)
	old := factor.Recovery[0]
	for _, codes := range [][][]byte{newCodes(10), nil, newCodes(2)} {
		storetest.OK(t, "SetRecovery", s.Logins.SetRecovery(ctx, ann.ID, codes))
		factor.Recovery = codes
		s.wantFactor(t, ann.ID, factor)
	}
	_, err := s.Logins.UseRecovery(ctx, ann.ID, old)
	storetest.Refused(t, "UseRecovery of a replaced code", err, account.ErrUsed)
}

func runUseStep(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	storetest.Refused(t, "UseStep without a factor", s.Logins.UseStep(ctx, ann.ID, 1), account.ErrNotFound)
	factor := s.turnOn(t, ann.ID)
	for _, step := range []int64{-1, 99, 100} {
		storetest.Refused(t, "UseStep of an old one", s.Logins.UseStep(ctx, ann.ID, step), account.ErrUsed)
	}
	for _, step := range []int64{101, 103} {
		storetest.OK(t, "UseStep", s.Logins.UseStep(ctx, ann.ID, step))
		storetest.Refused(t, "UseStep again", s.Logins.UseStep(ctx, ann.ID, step), account.ErrUsed)
	}
	storetest.Refused(t, "UseStep of one passed over", s.Logins.UseStep(ctx, ann.ID, 102), account.ErrUsed)
	factor.Step = 103
	s.wantFactor(t, ann.ID, factor)
}

func runUseStepOnce(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	s.turnOn(t, ann.ID)
	storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(int) error { return s.Logins.UseStep(t.Context(), ann.ID, 101) })
}

func runUseRecovery(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, _ := s.developer(t)
	_, err := s.Logins.UseRecovery(ctx, ann.ID, newCodes(1)[0])
	storetest.Refused(t, "UseRecovery without a factor", err, account.ErrUsed)
	factor := s.turnOn(t, ann.ID)
	_, err = s.Logins.UseRecovery(ctx, ann.ID, newCodes(1)[0])
	storetest.Refused(t, "UseRecovery of another code", err, account.ErrUsed)
	for len(factor.Recovery) > 0 {
		code := factor.Recovery[0]
		factor.Recovery = factor.Recovery[1:]
		left, err := s.Logins.UseRecovery(ctx, ann.ID, code)
		if err != nil || left != len(factor.Recovery) {
			t.Fatalf("UseRecovery = %d, %v; want %d", left, err, len(factor.Recovery))
		}
		_, err = s.Logins.UseRecovery(ctx, ann.ID, code)
		storetest.Refused(t, "UseRecovery again", err, account.ErrUsed)
	}
	factor.Recovery = nil
	s.wantFactor(t, ann.ID, factor)
}

func runUseRecoveryOnce(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	factor := s.turnOn(t, ann.ID)
	storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(int) error {
		_, err := s.Logins.UseRecovery(t.Context(), ann.ID, factor.Recovery[3])
		return err
	})
	factor.Recovery = slices.Delete(factor.Recovery, 3, 4)
	s.wantFactor(t, ann.ID, factor)
}

// Codes that are used at the same time do not bring each other back.
func runUseRecoveryAll(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	factor := s.turnOn(t, ann.ID)
	left := make([]int, len(factor.Recovery))
	for _, err := range storetest.AtOnce(len(left), func(i int) (err error) {
		left[i], err = s.Logins.UseRecovery(t.Context(), ann.ID, factor.Recovery[i])
		return err
	}) {
		storetest.OK(t, "UseRecovery", err)
	}
	if slices.Min(left) != 0 || slices.Max(left) >= len(left) {
		t.Fatalf("what was left: %v; want 0 for the last", left)
	}
	factor.Recovery = nil
	s.wantFactor(t, ann.ID, factor)
}

func runNoCodes(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	setup := s.setup()
	bare := account.Factor{Secret: setup.Secret, Step: 1, CreatedAt: s.Clock.Now()}
	storetest.OK(t, "PutSetup", s.Logins.PutSetup(t.Context(), ann.ID, setup))
	storetest.OK(t, "PutFactor", s.Logins.PutFactor(t.Context(), ann.ID, setup, bare, ""))
	s.wantFactor(t, ann.ID, bare)
	_, err := s.Logins.UseRecovery(t.Context(), ann.ID, newCodes(1)[0])
	storetest.Refused(t, "UseRecovery", err, account.ErrUsed)
}
