package grouptest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Harness is a store with what the suite looks at besides it.
type Harness struct {
	Store Stored
	// Log has the entries.
	Log message.Log
	// Row returns the user's row of the group's conversation, as package message sees it.
	Row func(t *testing.T, app id.App, user id.User, of id.Group) message.Member
}

// Run checks that a store keeps the contracts of group.Store and message.Groups.
func Run(t *testing.T, h Harness) {
	for name, run := range map[string]func(*testing.T, Harness){
		"what is not there":                  runNothing,
		"Create makes everything at once":    runCreate,
		"of creations at once one wins":      runCreateRace,
		"Commit makes everything at once":    runCommit,
		"a join sets the marks":              runMarks,
		"a stale commit changes nothing":     runStale,
		"a taken number changes nothing":     runTaken,
		"the last place is one":              runLastPlace,
		"the reach goes for what follows":    runReach,
		"there is room for so many":          runRoom,
		"settings change apart":              runMerge,
		"what was cleared is gone":           runClear,
		"numbers":                            runTake,
		"numbers at once are apart":          runTakeRace,
		"who may speak":                      runSpeakers,
		"Members pages, filters and goes on": runMembers,
		"Of pages by group":                  runOf,
		"apps are apart":                     runApart,
	} {
		t.Run(name, func(t *testing.T) { run(t, h) })
	}
}

// New returns a group of a new app, with its owner.
func New() group.Group {
	app, owner := id.Source{}.App(), id.Source{}.User()
	return group.Group{App: app, ID: id.Source{}.Group(), Owner: owner, Members: 1, Version: 1, CreatedAt: storetest.Noon(),
		CreatedBy: string(owner), Fingerprint: "print",
		Profile: group.Profile{Profile: profile.Profile{Name: "Hiking", Avatar: "https://example.com/a.png", Custom: `{"k":1}`},
			Description: "Up and down", Join: group.Open, Speak: group.Everyone, Invite: group.Everyone}}
}

// Entry returns the entry of the sequence in the group's log.
func Entry(of group.Group, sequence int64) message.Entry {
	return message.Entry{App: of.App, Conversation: id.Conversation(of.ID), Sequence: sequence, Sender: of.Owner, Type: message.TypeEvent,
		Sealed: []byte(id.Source{}.Text(8)), SentAt: storetest.Noon()}
}

func create(t *testing.T, h Harness) group.Group {
	t.Helper()
	made := New()
	_, err := h.Store.Create(t.Context(), made, Entry(made, 1))
	storetest.OK(t, "Create", err)
	return made
}

// read returns the group and the users' rows.
func read(t *testing.T, h Harness, of group.Group, users ...id.User) (group.Group, map[id.User]group.Member) {
	t.Helper()
	found, rows, err := h.Store.Read(t.Context(), of.App, of.ID, users...)
	storetest.OK(t, "Read", err)
	return found, rows
}

// moved returns the commit by which the users' rows become what become says, at the next number of the log.
func moved(t *testing.T, h Harness, of group.Group, become func(group.Member) group.Member, users ...id.User) group.Commit {
	t.Helper()
	was, rows := read(t, h, of, users...)
	number, err := h.Store.Take(t.Context(), of.App, of.ID, message.Leaving)
	storetest.OK(t, "Take", err)
	c := group.Commit{Entry: Entry(of, number.Sequence), Was: was, Is: was}
	c.Entry.ToLower, c.Is.Version = number.Ordinal, number.Sequence
	for _, user := range users {
		is := become(rows[user])
		is.Version, is.By = number.Sequence, of.Owner
		if is.State == message.Joined && rows[user].State != message.Joined {
			is.Since = number.Sequence
		}
		c.Moves = append(c.Moves, group.Move{Was: rows[user], Is: is})
	}
	c.Is.Members += c.Gain()
	return c
}

func commit(t *testing.T, h Harness, c group.Commit) {
	t.Helper()
	storetest.OK(t, "Commit", h.Store.Commit(t.Context(), c))
}

func joining(m group.Member) group.Member {
	m.Seat = message.Seat{State: message.Joined, Role: authz.GroupMember}
	return m
}

func inviting(m group.Member) group.Member {
	m.Seat = message.Seat{State: message.Invited}
	return m
}

func leaving(m group.Member) group.Member {
	m.Seat = message.Seat{State: message.Left}
	return m
}

func entries(t *testing.T, h Harness, of group.Group) []message.Entry {
	t.Helper()
	found, err := h.Log.Read(t.Context(), of.App, id.Conversation(of.ID), 1, message.PageSize, true)
	storetest.OK(t, "read the log", err)
	return found
}

// wantRoster checks that the roster says what the rows say.
func wantRoster(t *testing.T, h Harness, of group.Group, users ...id.User) {
	t.Helper()
	_, rows := read(t, h, of, users...)
	want := map[id.User]message.Seat{}
	for user, row := range rows {
		if row.State == message.Joined {
			want[user] = row.Seat
		}
	}
	roster, err := h.Store.Roster(t.Context(), of.App, of.ID)
	storetest.OK(t, "Roster", err)
	if !maps.Equal(roster.Members, want) {
		t.Fatalf("Roster = %+v\nwant %+v", roster.Members, want)
	}
}

func runNothing(t *testing.T, h Harness) {
	never := New()
	_, _, err := h.Store.Read(t.Context(), never.App, never.ID, never.Owner)
	storetest.Refused(t, "Read", err, group.ErrNotFound)
	_, err = h.Store.Roster(t.Context(), never.App, never.ID)
	storetest.Refused(t, "Roster", err, message.ErrNoGroup)
	_, err = h.Store.Take(t.Context(), never.App, never.ID, message.Nobody)
	storetest.Refused(t, "Take", err, message.ErrNoGroup)
	storetest.Refused(t, "Commit", h.Store.Commit(t.Context(), group.Commit{Entry: Entry(never, 2), Was: never, Is: never}), group.ErrChanged)
	members, next, err := h.Store.Members(t.Context(), never.App, never.ID, group.Filter{}, "", 10)
	if err != nil || len(members) != 0 || next != "" {
		t.Errorf("Members = %v, %q, %v", members, next, err)
	}
	found, err := h.Store.Profiles(t.Context(), never.App, []id.Group{never.ID})
	if err != nil || len(found) != 0 {
		t.Errorf("Profiles = %v, %v", found, err)
	}
	if left := entries(t, h, never); len(left) != 0 {
		t.Errorf("the log has %v", left)
	}
}

func runCreate(t *testing.T, h Harness) {
	made := New()
	made.Speak, made.MutedAll = group.Admins, true
	entry := Entry(made, 1)
	standing, err := h.Store.Create(t.Context(), made, entry)
	if err != nil || standing != made {
		t.Fatalf("Create = %+v, %v", standing, err)
	}
	stranger := id.Source{}.User()
	found, rows := read(t, h, made, made.Owner, stranger, made.Owner)
	if found != made {
		t.Errorf("Read = %+v\nwant %+v", found, made)
	}
	owner := group.Member{App: made.App, Group: made.ID, User: made.Owner, By: made.Owner, Version: 1,
		Seat: message.Seat{State: message.Joined, Role: authz.GroupOwner, Since: 1}}
	if len(rows) != 2 || rows[made.Owner] != owner || rows[stranger] != (group.Member{App: made.App, Group: made.ID, User: stranger}) {
		t.Errorf("rows %+v", rows)
	}
	wantRoster(t, h, made, made.Owner)
	if log := entries(t, h, made); len(log) != 1 || log[0].Sequence != 1 {
		t.Errorf("log %+v", log)
	}
	_, err = h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember)
	storetest.Refused(t, "Take", err, message.ErrHushed)
	number, err := h.Store.Take(t.Context(), made.App, made.ID, message.Nobody)
	if err != nil || number != (message.Number{Sequence: 2}) {
		t.Errorf("Take = %+v, %v", number, err)
	}
	other := made
	other.Name = "another"
	standing, err = h.Store.Create(t.Context(), other, Entry(made, 1))
	storetest.Refused(t, "Create again", err, group.ErrExists)
	if standing != made {
		t.Errorf("standing %+v", standing)
	}
}

func runCreateRace(t *testing.T, h Harness) {
	made := New()
	storetest.OneWins(t, storetest.Racers, group.ErrExists, func(i int) error {
		mine := made
		mine.Name = fmt.Sprint("group ", i)
		_, err := h.Store.Create(t.Context(), mine, Entry(made, 1))
		return err
	})
}

func runCommit(t *testing.T, h Harness) {
	made := create(t, h)
	ann, bob, eve := id.Source{}.User(), id.Source{}.User(), id.Source{}.User()
	c := moved(t, h, made, joining, ann, bob)
	c.Is.Name, c.Is.Custom, c.Is.Join, c.Is.Speak, c.Is.MutedAll = "Climbing", "", group.Approval, group.Admins, true
	_, owners := read(t, h, made, made.Owner)
	c.Stands = []group.Member{owners[made.Owner]}
	commit(t, h, c)
	commit(t, h, moved(t, h, made, inviting, eve))
	found, rows := read(t, h, made, made.Owner, ann, bob, eve)
	want := c.Is
	want.Version = 3
	if found != want || found.Members != 3 {
		t.Errorf("Read = %+v\nwant %+v", found, want)
	}
	if rows[ann] != c.Moves[0].Is || rows[bob] != c.Moves[1].Is || rows[eve].State != message.Invited || rows[eve].Version != 3 {
		t.Errorf("rows %+v", rows)
	}
	wantRoster(t, h, made, made.Owner, ann, bob, eve)
	log := entries(t, h, made)
	if len(log) != 3 || log[1].Sequence != 2 || log[2].Sequence != 3 {
		t.Errorf("log %+v", log)
	}
	_, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember)
	storetest.Refused(t, "Take", err, message.ErrHushed)
	profiles, err := h.Store.Profiles(t.Context(), made.App, []id.Group{made.ID, id.Source{}.Group()})
	if err != nil || len(profiles) != 1 || profiles[made.ID] != want {
		t.Errorf("Profiles = %+v, %v", profiles, err)
	}
}

func runMarks(t *testing.T, h Harness) {
	made, ann := create(t, h), id.Source{}.User()
	for range 3 {
		_, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember)
		storetest.OK(t, "Take", err)
	}
	want := func(state message.State, since, mark, ordinal int64) {
		t.Helper()
		row := h.Row(t, made.App, ann, made.ID)
		if row.Seat.State != state || row.Seat.Since != since || row.Acknowledged != mark || row.Read != mark || row.ReadOrdinal != ordinal {
			t.Fatalf("row %+v, want %s since %d at %d, ordinal %d", row, state, since, mark, ordinal)
		}
	}
	commit(t, h, moved(t, h, made, inviting, ann))
	want(message.Invited, 0, 0, 0)
	commit(t, h, moved(t, h, made, joining, ann))
	want(message.Joined, 6, 5, 3)
	muted := moved(t, h, made, func(m group.Member) group.Member {
		m.Role, m.MutedUntil = authz.GroupAdmin, storetest.Noon().Truncate(time.Second)
		return m
	}, ann)
	commit(t, h, muted)
	want(message.Joined, 6, 5, 3)
	if row := h.Row(t, made.App, ann, made.ID); row.Seat != muted.Moves[0].Is.Seat {
		t.Errorf("seat %+v, want %+v", row.Seat, muted.Moves[0].Is.Seat)
	}
	wantRoster(t, h, made, made.Owner, ann)
	commit(t, h, moved(t, h, made, leaving, ann))
	want(message.Left, 0, 5, 3)
	wantRoster(t, h, made, made.Owner, ann)
	_, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnAdmin)
	storetest.OK(t, "Take", err)
	commit(t, h, moved(t, h, made, joining, ann))
	want(message.Joined, 10, 9, 4)
}

func runStale(t *testing.T, h Harness) {
	made, ann, bob := create(t, h), id.Source{}.User(), id.Source{}.User()
	late := moved(t, h, made, joining, ann) // has number 2
	_, rows := read(t, h, made, made.Owner)
	commit(t, h, moved(t, h, made, joining, bob)) // has number 3
	storetest.Refused(t, "a commit of an earlier number", h.Store.Commit(t.Context(), late), group.ErrChanged)
	for name, change := range map[string]func(c *group.Commit){
		"join":    func(c *group.Commit) { c.Holds.Join, c.Was.Join, c.Is.Join = true, group.Approval, group.Approval },
		"invite":  func(c *group.Commit) { c.Holds.Invite, c.Was.Invite, c.Is.Invite = true, group.Admins, group.Admins },
		"owner":   func(c *group.Commit) { c.Holds.Owner, c.Was.Owner, c.Is.Owner = true, ann, ann },
		"version": func(c *group.Commit) { c.Holds.Version, c.Was.Version = true, 2 },
		"a row":   func(c *group.Commit) { c.Moves[0].Was.Version = 1 },
		"no row":  func(c *group.Commit) { c.Moves[0].Was.Version = 0; c.Moves[0].Was.User, c.Moves[0].Is.User = bob, bob },
		"the asker": func(c *group.Commit) {
			owner := rows[made.Owner]
			owner.Version = 7
			c.Stands = []group.Member{owner}
		},
	} {
		before, _ := read(t, h, made)
		c := moved(t, h, made, joining, ann)
		change(&c)
		storetest.Refused(t, name, h.Store.Commit(t.Context(), c), group.ErrChanged)
		after, rows := read(t, h, made, ann)
		if after != before || rows[ann].Version != 0 {
			t.Errorf("%s: the refused commit left %+v and %+v", name, after, rows[ann])
		}
	}
	wantRoster(t, h, made, made.Owner, ann, bob)
	closed := moved(t, h, made, joining)
	closed.Is.DismissedAt = storetest.Noon()
	next := moved(t, h, made, joining, ann)
	commit(t, h, closed)
	storetest.Refused(t, "a commit of a dismissed group", h.Store.Commit(t.Context(), next), group.ErrChanged)
	_, err := h.Store.Take(t.Context(), made.App, made.ID, message.Nobody)
	storetest.Refused(t, "Take of a dismissed group", err, message.ErrDismissed)
	commit(t, h, moved(t, h, made, leaving, bob))
	after, rows := read(t, h, made, bob)
	if rows[bob].State != message.Left || after.Members != 1 || !after.Dismissed() {
		t.Errorf("left a dismissed group: %+v, %+v", rows[bob], after)
	}
	wantRoster(t, h, made, made.Owner)
}

func runTaken(t *testing.T, h Harness) {
	made, ann := create(t, h), id.Source{}.User()
	c := moved(t, h, made, joining, ann)
	storetest.OK(t, "Append", h.Log.Append(t.Context(), Entry(made, c.Entry.Sequence)))
	storetest.Refused(t, "Commit", h.Store.Commit(t.Context(), c), message.ErrTaken)
	after, rows := read(t, h, made, ann)
	if after != made || rows[ann].Version != 0 {
		t.Errorf("the refused commit left %+v and %+v", after, rows[ann])
	}
}

func runLastPlace(t *testing.T, h Harness) {
	made := create(t, h)
	for made.Members < group.DirectMembers-1 {
		users := make([]id.User, min(20, group.DirectMembers-1-made.Members))
		for i := range users {
			users[i] = id.Source{}.User()
		}
		c := moved(t, h, made, joining, users...)
		commit(t, h, c)
		made.Members = c.Is.Members
	}
	first, second := moved(t, h, made, joining, id.Source{}.User()), moved(t, h, made, joining, id.Source{}.User())
	commit(t, h, first)
	storetest.Refused(t, "one too many", h.Store.Commit(t.Context(), second), group.ErrChanged)
	commit(t, h, moved(t, h, made, leaving, first.Moves[0].Is.User))
	commit(t, h, moved(t, h, made, joining, second.Moves[0].Is.User))
	if now, _ := read(t, h, made); now.Members != group.DirectMembers {
		t.Errorf("%d members", now.Members)
	}
	roster, err := h.Store.Roster(t.Context(), made.App, made.ID)
	if err != nil || len(roster.Members) != group.DirectMembers {
		t.Errorf("%d in the roster, %v", len(roster.Members), err)
	}
}

func runMerge(t *testing.T, h Harness) {
	made := create(t, h)
	name, speak := moved(t, h, made, joining), moved(t, h, made, joining)
	name.Is.Name, speak.Is.Speak = "Climbing", group.Admins
	commit(t, h, name)
	commit(t, h, speak) // has not seen the other, and does not touch what that changed
	now, _ := read(t, h, made)
	if now.Name != "Climbing" || now.Speak != group.Admins || now.Version != 3 {
		t.Errorf("now %+v", now)
	}
}

func runClear(t *testing.T, h Harness) {
	made := create(t, h)
	c := moved(t, h, made, joining)
	c.Is.Description, c.Is.Avatar, c.Is.Custom, c.Is.Speak, c.Is.MutedAll = "", "", "", group.Admins, true
	commit(t, h, c)
	back := moved(t, h, made, joining)
	back.Is.Speak, back.Is.MutedAll = group.Everyone, false
	commit(t, h, back)
	now, _ := read(t, h, made)
	if now != back.Is || now.Description != "" || now.Custom != "" {
		t.Errorf("now %+v\nwant %+v", now, back.Is)
	}
	_, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember)
	storetest.OK(t, "Take", err)
}

func runTake(t *testing.T, h Harness) {
	made := create(t, h)
	for i, step := range []struct {
		speaker message.Speaker
		ordinal int64
	}{{message.AnyMember, 1}, {message.Nobody, 1}, {message.AnAdmin, 2}} {
		number, err := h.Store.Take(t.Context(), made.App, made.ID, step.speaker)
		if err != nil || number != (message.Number{Sequence: int64(i) + 2, Ordinal: step.ordinal}) {
			t.Fatalf("Take %d = %+v, %v", i, number, err)
		}
	}
}

func runTakeRace(t *testing.T, h Harness) {
	made := create(t, h)
	numbers := make([]message.Number, storetest.Racers)
	for _, err := range storetest.AtOnce(storetest.Racers, func(i int) (err error) {
		numbers[i], err = h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember)
		return err
	}) {
		storetest.OK(t, "Take", err)
	}
	slices.SortFunc(numbers, func(a, b message.Number) int { return int(a.Sequence - b.Sequence) })
	for i, number := range numbers {
		if number != (message.Number{Sequence: int64(i) + 2, Ordinal: int64(i) + 1}) {
			t.Fatalf("numbers %v", numbers)
		}
	}
}

func runSpeakers(t *testing.T, h Harness) {
	made := create(t, h)
	for _, step := range []struct {
		speak group.Who
		muted bool
		want  error
	}{{group.Admins, false, message.ErrAdminsOnly}, {group.Admins, true, message.ErrHushed}, {group.Everyone, true, message.ErrHushed},
		{group.Everyone, false, nil}} {
		c := moved(t, h, made, joining)
		c.Is.Speak, c.Is.MutedAll = step.speak, step.muted
		commit(t, h, c)
		if _, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnyMember); !errors.Is(err, step.want) {
			t.Errorf("%+v: a member is told %v", step, err)
		}
		if _, err := h.Store.Take(t.Context(), made.App, made.ID, message.Editing); !errors.Is(err, step.want) {
			t.Errorf("%+v: a member who edits is told %v", step, err)
		}
		if _, err := h.Store.Take(t.Context(), made.App, made.ID, message.Reacting); step.muted != errors.Is(err, message.ErrHushed) || !step.muted && err != nil {
			t.Errorf("%+v: a member who reacts is told %v", step, err)
		}
		before, err := h.Store.Take(t.Context(), made.App, made.ID, message.Nobody)
		storetest.OK(t, "Take", err)
		number, err := h.Store.Take(t.Context(), made.App, made.ID, message.AnAdmin)
		if storetest.OK(t, "Take", err); number.Ordinal != before.Ordinal+1 {
			t.Errorf("an admin's number after %+v is %+v", before, number)
		}
	}
}
