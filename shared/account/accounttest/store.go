// Package accounttest has what tests of developers and accounts share: a store in memory and the suite that every store
// passes.
package accounttest

import (
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record/recordtest"
)

// Store implements account.Logins, login.Store and account.Teams in memory. One mutex makes every method a
// transaction. Like the tables it keeps times to the millisecond.
type Store struct {
	// Logs has the records of what was changed.
	Logs *recordtest.Logs

	clock clock.Clock

	mutex       sync.Mutex
	developers  map[id.Developer]account.Developer
	factors     map[id.Developer]account.Factor
	setups      map[id.Developer]account.Setup
	claims      map[account.Email]id.Developer
	pending     map[account.Email]account.Pending
	links       map[[32]byte]account.Link
	sessions    map[sessionPlace]login.Session
	epochs      map[id.Developer]int64
	accounts    map[id.Account]account.Account
	apps        map[appPlace]bool
	members     map[memberPlace]account.Member
	invitations map[invitationPlace]account.Invitation
}

type sessionPlace struct {
	developer id.Developer
	session   string
}

type appPlace struct {
	account id.Account
	app     id.App
}

type memberPlace struct {
	account   id.Account
	developer id.Developer
}

type invitationPlace struct {
	account    id.Account
	invitation string
}

var (
	_ account.Logins = (*Store)(nil)
	_ login.Store    = (*Store)(nil)
	_ account.Teams  = (*Store)(nil)
)

// NewStore returns an empty store, in which records expire by the clock.
func NewStore(clock clock.Clock) *Store {
	return &Store{
		Logs:        recordtest.NewLogs(),
		clock:       clock,
		developers:  map[id.Developer]account.Developer{},
		factors:     map[id.Developer]account.Factor{},
		setups:      map[id.Developer]account.Setup{},
		claims:      map[account.Email]id.Developer{},
		pending:     map[account.Email]account.Pending{},
		links:       map[[32]byte]account.Link{},
		sessions:    map[sessionPlace]login.Session{},
		epochs:      map[id.Developer]int64{},
		accounts:    map[id.Account]account.Account{},
		apps:        map[appPlace]bool{},
		members:     map[memberPlace]account.Member{},
		invitations: map[invitationPlace]account.Invitation{},
	}
}

// AddApp gives the account the app, which Standing then finds.
func (s *Store) AddApp(of id.Account, app id.App) {
	defer s.lock()()
	s.apps[appPlace{of, app}] = true
}

// lock begins a transaction and returns what ends it.
func (s *Store) lock() (unlock func()) {
	s.mutex.Lock()
	return s.mutex.Unlock
}

// live tells whether what lasts until the time still counts.
func (s *Store) live(until time.Time) bool { return s.clock.Now().Before(until) }

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

func cloneFactor(factor account.Factor) account.Factor {
	factor.Secret = slices.Clone(factor.Secret)
	codes := factor.Recovery
	factor.Recovery = nil
	for _, code := range codes {
		factor.Recovery = append(factor.Recovery, slices.Clone(code))
	}
	return factor
}
