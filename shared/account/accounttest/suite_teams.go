package accounttest

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var teamTests = map[string]func(*testing.T, Suite){
	"no account is ErrNotFound":              runNoAccount,
	"Create makes an account once":           runCreate,
	"Rename changes the name":                runRename,
	"Members pages by ID":                    runMembers,
	"Accounts is by age of membership":       runAccounts,
	"Join makes a member":                    runJoin,
	"Join makes a login":                     runJoinMade,
	"Join works once for a link":             runJoinOnce,
	"Join works once for a developer":        runJoinMember,
	"Join refused changes nothing":           runJoinRefused,
	"Join stops at the bound":                runJoinFull,
	"SetRole changes the role":               runSetRole,
	"Leave removes the member":               runLeave,
	"the last owner stays":                   runLastOwner,
	"owners who go at once leave one":        runOwnersRace,
	"owners who demote each other leave one": runDemoteRace,
}

func runNoAccount(t *testing.T, s Suite) {
	of, developer := id.Source{}.Account(), id.Source{}.Developer()
	_, err := s.Teams.Account(t.Context(), of)
	storetest.Refused(t, "Account", err, account.ErrNotFound)
	storetest.Refused(t, "Rename", s.Teams.Rename(t.Context(), account.Account{ID: of, Name: "y"}, "x"), account.ErrChanged)
	_, err = s.Teams.Account(t.Context(), of)
	storetest.Refused(t, "Account after that", err, account.ErrNotFound)
	_, err = s.Teams.Member(t.Context(), of, developer)
	storetest.Refused(t, "Member", err, account.ErrNotFound)
	if members, err := s.Teams.Members(t.Context(), of, "", 10); err != nil || len(members) != 0 {
		t.Fatalf("Members = %v, %v", members, err)
	}
	if accounts, err := s.Teams.Accounts(t.Context(), developer); err != nil || len(accounts) != 0 {
		t.Fatalf("Accounts = %v, %v", accounts, err)
	}
	nobody := account.Member{Account: of, Developer: developer, Role: authz.Admin}
	storetest.Refused(t, "SetRole", s.Teams.SetRole(t.Context(), nobody, authz.Auditor), account.ErrChanged)
	storetest.Refused(t, "Leave", s.Teams.Leave(t.Context(), nobody), account.ErrChanged)
}

func runCreate(t *testing.T, s Suite) {
	ann, first := s.developer(t)
	made := account.Account{ID: id.Source{}.Account(), Name: "Second", CreatedAt: s.Clock.Now()}
	storetest.OneWins(t, storetest.Racers, account.ErrTaken, func(i int) error {
		standing, err := s.Teams.Create(t.Context(), made, ann.ID)
		if standing != made {
			t.Errorf("Create = %+v, want %+v", standing, made)
		}
		return err
	})
	got, err := s.Teams.Account(t.Context(), made.ID)
	storetest.OK(t, "Account", err)
	same(t, "Account", got, made)
	owner, err := s.Teams.Member(t.Context(), made.ID, ann.ID)
	storetest.OK(t, "Member", err)
	same(t, "Member", owner, account.Member{Account: made.ID, Developer: ann.ID, Role: authz.Owner, Since: made.CreatedAt})
	storetest.Refused(t, "the last owner leaves", s.Teams.Leave(t.Context(), owner), account.ErrLastOwner)
	accounts, err := s.Teams.Accounts(t.Context(), ann.ID)
	if err != nil || len(accounts) != 2 || !slices.Contains(accounts, made.ID) || !slices.Contains(accounts, first.ID) {
		t.Errorf("Accounts = %v, %v", accounts, err)
	}
}

func runRename(t *testing.T, s Suite) {
	_, of := s.developer(t)
	const name = "Renamed 改名"
	storetest.OK(t, "Rename", s.Teams.Rename(t.Context(), of, name))
	storetest.Refused(t, "Rename of another name", s.Teams.Rename(t.Context(), of, "no"), account.ErrChanged)
	of.Name = name
	got, err := s.Teams.Account(t.Context(), of.ID)
	storetest.OK(t, "Account", err)
	same(t, "Account", got, of)
	s.member(t, of.ID, authz.Owner) // the counts are still there
}

func (s Suite) wantMembers(t *testing.T, of id.Account, limit int, want []account.Member) {
	t.Helper()
	var got []account.Member
	for after := id.Developer(""); ; after = got[len(got)-1].Developer {
		page, err := s.Teams.Members(t.Context(), of, after, limit)
		storetest.OK(t, "Members", err)
		if len(page) > limit {
			t.Fatalf("Members returned %d, limit %d", len(page), limit)
		}
		got = append(got, page...)
		if len(page) < limit {
			break
		}
	}
	slices.SortFunc(want, func(a, b account.Member) int { return cmp.Compare(a.Developer, b.Developer) })
	same(t, "Members", got, want)
}

func runMembers(t *testing.T, s Suite) {
	owner, of := s.developer(t)
	want := []account.Member{{Account: of.ID, Developer: owner.ID, Role: authz.Owner, Since: s.Clock.Now()}}
	for i := range 7 {
		s.Clock.Advance(time.Second)
		want = append(want, s.member(t, of.ID, authz.AccountRoles[i%3]))
	}
	s.offer(t, of.ID, authz.Admin) // other rows of an account do not show
	s.AddApp(of.ID, id.Source{}.App())
	for limit := 1; limit <= 9; limit++ {
		s.wantMembers(t, of.ID, limit, want)
	}
}

func runAccounts(t *testing.T, s Suite) {
	ann, of := s.developer(t)
	want := []id.Account{of.ID}
	for range 5 {
		_, other := s.developer(t)
		s.Clock.Advance(time.Millisecond)
		member := account.Member{Account: other.ID, Developer: ann.ID, Role: authz.Admin, Since: s.Clock.Now()}
		storetest.OK(t, "Join", s.Teams.Join(t.Context(), s.offer(t, other.ID, authz.Admin), member, nil))
		want = append(want, other.ID)
	}
	s.session(t, ann.ID) // other rows of a developer do not show
	got, err := s.Teams.Accounts(t.Context(), ann.ID)
	storetest.OK(t, "Accounts", err)
	same(t, "Accounts", got, want)
}

func (s Suite) wantMember(t *testing.T, want account.Member) {
	t.Helper()
	got, err := s.Teams.Member(t.Context(), want.Account, want.Developer)
	storetest.OK(t, "Member", err)
	same(t, "Member", got, want)
	accounts, err := s.Teams.Accounts(t.Context(), want.Developer)
	if err != nil || !slices.Contains(accounts, want.Account) {
		t.Fatalf("Accounts = %v, %v; want %s among them", accounts, err, want.Account)
	}
}

func (s Suite) wantNoMember(t *testing.T, of id.Account, developer id.Developer) {
	t.Helper()
	_, err := s.Teams.Member(t.Context(), of, developer)
	storetest.Refused(t, "Member", err, account.ErrNotFound)
	accounts, err := s.Teams.Accounts(t.Context(), developer)
	if err != nil || slices.Contains(accounts, of) {
		t.Fatalf("Accounts = %v, %v; want %s not among them", accounts, err, of)
	}
}

// wantOffer checks whether an invitation and its link still stand.
func (s Suite) wantOffer(t *testing.T, link account.Link, stands bool) {
	t.Helper()
	s.wantLink(t, link.Hash, stands)
	if _, err := s.Teams.Invitation(t.Context(), link.Account, link.Invitation); (err == nil) != stands {
		t.Fatalf("Invitation = %v; stands: want %v", err, stands)
	}
}

func runJoin(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	_, of := s.developer(t)
	link := s.offer(t, of.ID, authz.Auditor)
	member := account.Member{Account: of.ID, Developer: ann.ID, Role: authz.Auditor, Since: s.Clock.Now()}
	storetest.OK(t, "Join", s.Teams.Join(t.Context(), link, member, nil))
	s.wantMember(t, member)
	s.wantOffer(t, link, false)
	s.wantDeveloper(t, ann)
}

func runJoinMade(t *testing.T, s Suite) {
	_, of := s.developer(t)
	link, made := s.offer(t, of.ID, authz.Admin), NewDeveloper(s.Clock.Now())
	member := account.Member{Account: of.ID, Developer: made.ID, Role: authz.Admin, Since: s.Clock.Now()}
	storetest.OK(t, "Join", s.Teams.Join(t.Context(), link, member, &made))
	s.wantMember(t, member)
	s.wantOffer(t, link, false)
	s.wantDeveloper(t, made)
}

func runJoinOnce(t *testing.T, s Suite) {
	_, of := s.developer(t)
	link := s.offer(t, of.ID, authz.Admin)
	made, members := make([]account.Developer, s.redemptions()), make([]account.Member, s.redemptions())
	for i := range made {
		made[i] = NewDeveloper(s.Clock.Now())
		members[i] = account.Member{Account: of.ID, Developer: made[i].ID, Role: authz.Admin, Since: s.Clock.Now()}
	}
	winner := storetest.OneWins(t, s.redemptions(), account.ErrUsed, func(i int) error {
		return s.Teams.Join(t.Context(), link, members[i], &made[i])
	})
	s.wantMember(t, members[winner])
	s.wantDeveloper(t, made[winner])
	team, err := s.Teams.Members(t.Context(), of.ID, "", s.redemptions())
	if err != nil || len(team) != 2 {
		t.Fatalf("%d members, %v; want the owner and the winner", len(team), err)
	}
}

func runJoinMember(t *testing.T, s Suite) {
	ann, _ := s.developer(t)
	_, of := s.developer(t)
	links := make([]account.Link, storetest.Racers)
	for i := range links {
		links[i] = s.offer(t, of.ID, authz.AccountRoles[i%3])
	}
	winner := storetest.OneWins(t, len(links), account.ErrMember, func(i int) error {
		return s.Teams.Join(t.Context(), links[i], account.Member{Account: of.ID, Developer: ann.ID, Role: links[i].Role}, nil)
	})
	s.wantMember(t, account.Member{Account: of.ID, Developer: ann.ID, Role: links[winner].Role})
	for i, link := range links {
		s.wantOffer(t, link, i != winner)
	}
}

func runJoinRefused(t *testing.T, s Suite) {
	ctx := t.Context()
	owner, of := s.developer(t)
	link, made := s.offer(t, of.ID, authz.Admin), NewDeveloper(s.Clock.Now())
	member := account.Member{Account: of.ID, Developer: made.ID, Role: authz.Admin}
	again, taken := account.Member{Account: of.ID, Developer: owner.ID, Role: authz.Admin}, made
	taken.Email = owner.Email
	unknown, withdrawn := link, s.offer(t, of.ID, authz.Admin)
	unknown.Hash = newHash()
	storetest.OK(t, "RemoveInvitation", s.Teams.RemoveInvitation(ctx, of.ID, withdrawn.Invitation))
	storetest.Refused(t, "Join with an unknown link", s.Teams.Join(ctx, unknown, member, &taken), account.ErrUsed)
	storetest.Refused(t, "Join after a withdrawal", s.Teams.Join(ctx, withdrawn, member, &taken), account.ErrUsed)
	storetest.Refused(t, "Join with a taken address", s.Teams.Join(ctx, link, member, &taken), account.ErrTaken)
	storetest.Refused(t, "Join of a member, taken", s.Teams.Join(ctx, link, again, &taken), account.ErrTaken)
	storetest.Refused(t, "Join of a member", s.Teams.Join(ctx, link, again, nil), account.ErrMember)
	s.wantOffer(t, link, true)
	s.Clock.Advance(time.Hour)
	storetest.Refused(t, "Join too late", s.Teams.Join(ctx, link, member, &made), account.ErrUsed)
	s.wantNoMember(t, of.ID, made.ID)
	s.wantFree(t, made.Email)
	s.wantDeveloper(t, owner)
	s.wantMember(t, account.Member{Account: of.ID, Developer: owner.ID, Role: authz.Owner, Since: of.CreatedAt})
}

func runJoinFull(t *testing.T, s Suite) {
	if s.Brief {
		t.Skip("brief")
	}
	owner, of := s.developer(t)
	member := account.Member{}
	for range account.MaxMembers - 2 {
		member = s.member(t, of.ID, authz.Auditor)
	}
	links := []account.Link{s.offer(t, of.ID, authz.Admin), s.offer(t, of.ID, authz.Owner)}
	made := []account.Developer{NewDeveloper(s.Clock.Now()), NewDeveloper(s.Clock.Now())}
	join := func(i int) error {
		return s.Teams.Join(t.Context(), links[i], account.Member{Account: of.ID, Developer: made[i].ID, Role: links[i].Role}, &made[i])
	}
	loser := 1 - storetest.OneWins(t, len(links), account.ErrFull, join)
	s.wantOffer(t, links[loser], true)
	s.wantFree(t, made[loser].Email)
	again := account.Member{Account: of.ID, Developer: owner.ID, Role: authz.Admin}
	storetest.Refused(t, "Join of a member", s.Teams.Join(t.Context(), links[loser], again, nil), account.ErrMember)
	storetest.OK(t, "Leave", s.Teams.Leave(t.Context(), member))
	storetest.OK(t, "Join where one has left", join(loser))
}

func runSetRole(t *testing.T, s Suite) {
	ctx := t.Context()
	_, of := s.developer(t)
	member := s.member(t, of.ID, authz.Auditor)
	for _, to := range []authz.Role{authz.Admin, authz.Owner, authz.Owner, authz.Auditor, authz.Auditor} {
		storetest.OK(t, "SetRole", s.Teams.SetRole(ctx, member, to))
		member.Role = to
		s.wantMember(t, member)
	}
	stale := member
	stale.Role = authz.Owner
	storetest.Refused(t, "SetRole of another role", s.Teams.SetRole(ctx, stale, authz.Admin), account.ErrChanged)
	s.wantMember(t, member)
}

func runLeave(t *testing.T, s Suite) {
	ctx := t.Context()
	_, of := s.developer(t)
	member, owner := s.member(t, of.ID, authz.Admin), s.member(t, of.ID, authz.Owner)
	stale := member
	stale.Role = authz.Auditor
	storetest.Refused(t, "Leave of another role", s.Teams.Leave(ctx, stale), account.ErrChanged)
	s.wantMember(t, member)
	for _, leaver := range []account.Member{member, owner} {
		storetest.OneWins(t, storetest.Racers, account.ErrChanged, func(int) error { return s.Teams.Leave(ctx, leaver) })
		s.wantNoMember(t, of.ID, leaver.Developer)
	}
	storetest.OK(t, "Join again", s.Teams.Join(ctx, s.offer(t, of.ID, authz.Admin), member, nil))
	s.wantMember(t, member)
}

func runLastOwner(t *testing.T, s Suite) {
	ctx := t.Context()
	ann, of := s.developer(t)
	admin := s.member(t, of.ID, authz.Admin)
	last := account.Member{Account: of.ID, Developer: ann.ID, Role: authz.Owner, Since: of.CreatedAt}
	stale := last
	stale.Role = authz.Admin
	storetest.Refused(t, "SetRole of the last owner", s.Teams.SetRole(ctx, last, authz.Admin), account.ErrLastOwner)
	storetest.Refused(t, "Leave of the last owner", s.Teams.Leave(ctx, last), account.ErrLastOwner)
	storetest.Refused(t, "Leave of the last owner as another", s.Teams.Leave(ctx, stale), account.ErrChanged)
	wrong := admin
	wrong.Role = authz.Owner
	storetest.Refused(t, "SetRole of no owner", s.Teams.SetRole(ctx, wrong, authz.Admin), account.ErrChanged)
	s.wantMember(t, last)
	storetest.OK(t, "SetRole of the last owner to owner", s.Teams.SetRole(ctx, last, authz.Owner))
	storetest.OK(t, "SetRole", s.Teams.SetRole(ctx, admin, authz.Owner))
	storetest.OK(t, "Leave of one of two", s.Teams.Leave(ctx, last))
	admin.Role = authz.Owner
	storetest.Refused(t, "Leave of the other", s.Teams.Leave(ctx, admin), account.ErrLastOwner)
	s.wantMember(t, admin)
}

// owners makes an account of as many owners.
func (s Suite) owners(t *testing.T, n int) []account.Member {
	t.Helper()
	ann, of := s.developer(t)
	owners := []account.Member{{Account: of.ID, Developer: ann.ID, Role: authz.Owner, Since: of.CreatedAt}}
	for len(owners) < n {
		owners = append(owners, s.member(t, of.ID, authz.Owner))
	}
	return owners
}

// wantOneLeft checks that all but one got their way, and that this one is the owner.
func (s Suite) wantOneLeft(t *testing.T, owners []account.Member, errs []error) {
	t.Helper()
	refused := 0
	for i, err := range errs {
		if errors.Is(err, account.ErrLastOwner) {
			refused++
			s.wantMember(t, owners[i])
		} else {
			storetest.OK(t, "one of several owners", err)
		}
	}
	if refused != 1 {
		t.Fatalf("%d of %d owners were refused, want 1", refused, len(owners))
	}
}

func runOwnersRace(t *testing.T, s Suite) {
	owners := s.owners(t, 8)
	s.wantOneLeft(t, owners, storetest.AtOnce(len(owners), func(i int) error {
		if i%2 == 0 {
			return s.Teams.Leave(t.Context(), owners[i])
		}
		return s.Teams.SetRole(t.Context(), owners[i], authz.Admin)
	}))
}

func runDemoteRace(t *testing.T, s Suite) {
	for range 5 {
		owners := s.owners(t, 2)
		s.wantOneLeft(t, owners, storetest.AtOnce(len(owners), func(i int) error {
			return s.Teams.SetRole(t.Context(), owners[i], authz.Auditor)
		}))
	}
}
