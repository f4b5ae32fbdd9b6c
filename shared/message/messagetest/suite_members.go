package messagetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// RunMembers checks that a store keeps the contract of message.Members. Its weak reads have to see at once what was
// written, which a memory store without staleness and the local engine do.
func RunMembers(t *testing.T, members message.Members) {
	t.Run("no row is ErrNotMember", func(t *testing.T) { runNoRow(t, members) })
	t.Run("Ensure makes one row with zero marks", func(t *testing.T) { runEnsure(t, members) })
	t.Run("Acknowledge moves forward only", func(t *testing.T) { runAcknowledge(t, members) })
	t.Run("MarkRead moves forward only", func(t *testing.T) { runMarkRead(t, members) })
	t.Run("marks at once end at the highest", func(t *testing.T) { runMarkRace(t, members) })
	t.Run("List pages by conversation", func(t *testing.T) { runMemberList(t, members) })
	t.Run("GetAll finds those of one conversation", func(t *testing.T) { runGetAll(t, members) })
	t.Run("a mark moves once", func(t *testing.T) { runMovesOnce(t, members) })
	t.Run("rows are apart", func(t *testing.T) { runMembersApart(t, members) })
}

// NewMember returns the row of a new user's new conversation, with zero marks.
func NewMember() message.Member {
	e := NewEntry()
	return message.Member{App: e.App, User: e.Sender, Conversation: e.Conversation, Peer: e.Recipient}
}

func ensure(t *testing.T, members message.Members, row message.Member) {
	t.Helper()
	storetest.OK(t, "Ensure", members.Ensure(t.Context(), row))
}

func wantMember(t *testing.T, members message.Members, want message.Member) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		got, err := members.Get(t.Context(), want.App, want.User, want.Conversation, strong)
		storetest.OK(t, "Get", err)
		if got != want {
			t.Fatalf("Get (strong %v) = %+v, want %+v", strong, got, want)
		}
	}
}

func wantNoMember(t *testing.T, members message.Members, row message.Member) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		_, err := members.Get(t.Context(), row.App, row.User, row.Conversation, strong)
		storetest.Refused(t, "Get", err, message.ErrNotMember)
		rows, err := members.List(t.Context(), row.App, row.User, "", 10, strong)
		if err != nil || len(rows) != 0 {
			t.Fatalf("List = %+v, %v; want none", rows, err)
		}
	}
	_, _, err := members.Acknowledge(t.Context(), row.App, row.User, row.Conversation, 1)
	storetest.Refused(t, "Acknowledge", err, message.ErrNotMember)
	_, _, err = members.MarkRead(t.Context(), row.App, row.User, row.Conversation, 1, 1)
	storetest.Refused(t, "MarkRead", err, message.ErrNotMember)
}

func runNoRow(t *testing.T, members message.Members) {
	row := NewMember()
	wantNoMember(t, members, row)
	wantNoMember(t, members, row) // the marks have not made one
}

func runEnsure(t *testing.T, members message.Members) {
	want := NewMember()
	marked := want
	marked.Acknowledged, marked.Read, marked.ReadOrdinal = 9, 9, 9
	for _, err := range storetest.AtOnce(storetest.Racers, func(int) error { return members.Ensure(t.Context(), marked) }) {
		storetest.OK(t, "Ensure", err)
	}
	wantMember(t, members, want)
	_, _, err := members.Acknowledge(t.Context(), want.App, want.User, want.Conversation, 5)
	storetest.OK(t, "Acknowledge", err)
	ensure(t, members, want)
	want.Acknowledged = 5
	wantMember(t, members, want)
}

func runAcknowledge(t *testing.T, members message.Members) {
	want := NewMember()
	ensure(t, members, want)
	for _, sequence := range []int64{1, 10, 9, 10, 100} {
		moves := sequence > want.Acknowledged
		want.Acknowledged = max(want.Acknowledged, sequence)
		got, moved, err := members.Acknowledge(t.Context(), want.App, want.User, want.Conversation, sequence)
		if err != nil || got != want || moved != moves {
			t.Fatalf("Acknowledge %d = %+v, moved %v, %v; want %+v", sequence, got, moved, err, want)
		}
		wantMember(t, members, want)
	}
}

func runMarkRead(t *testing.T, members message.Members) {
	want := NewMember()
	ensure(t, members, want)
	for _, mark := range []struct{ sequence, ordinal int64 }{{1, 0}, {10, 6}, {9, 5}, {10, 99}, {100, 7}} {
		moves := mark.sequence > want.Read
		if moves {
			want.Read, want.ReadOrdinal = mark.sequence, mark.ordinal
		}
		got, moved, err := members.MarkRead(t.Context(), want.App, want.User, want.Conversation, mark.sequence, mark.ordinal)
		if err != nil || got != want || moved != moves {
			t.Fatalf("MarkRead %+v = %+v, moved %v, %v; want %+v", mark, got, moved, err, want)
		}
		wantMember(t, members, want)
	}
}

func runMarkRace(t *testing.T, members message.Members) {
	want := NewMember()
	ensure(t, members, want)
	want.Acknowledged, want.Read, want.ReadOrdinal = storetest.Racers, storetest.Racers, 2*storetest.Racers
	for _, err := range storetest.AtOnce(2*storetest.Racers, func(i int) (err error) {
		sequence := int64(i/2 + 1)
		if i%2 == 0 {
			_, _, err = members.Acknowledge(t.Context(), want.App, want.User, want.Conversation, sequence)
		} else {
			_, _, err = members.MarkRead(t.Context(), want.App, want.User, want.Conversation, sequence, 2*sequence)
		}
		return err
	}) {
		storetest.OK(t, "mark", err)
	}
	wantMember(t, members, want)
}

func runMovesOnce(t *testing.T, members message.Members) {
	row, standing := NewMember(), errors.New("stood there")
	ensure(t, members, row)
	storetest.OneWins(t, storetest.Racers, standing, func(int) error {
		_, moved, err := members.Acknowledge(t.Context(), row.App, row.User, row.Conversation, 7)
		if err == nil && !moved {
			return standing
		}
		return err
	})
}

func runMemberList(t *testing.T, members message.Members) {
	base := NewMember()
	var want []message.Member
	for range 7 {
		row := base
		row.Peer = id.Source{}.User()
		row.Conversation = id.Pair(row.App, row.User, row.Peer)
		ensure(t, members, row)
		want = append(want, row)
	}
	slices.SortFunc(want, func(a, b message.Member) int { return cmp.Compare(a.Conversation, b.Conversation) })
	for _, strong := range []bool{false, true} {
		for limit := 1; limit <= 8; limit++ {
			if got := listMembers(t, members, base, limit, strong); !slices.Equal(got, want) {
				t.Fatalf("pages of %d = %+v\nwant %+v", limit, got, want)
			}
		}
	}
}

func listMembers(t *testing.T, members message.Members, of message.Member, limit int, strong bool) (all []message.Member) {
	for after := id.Conversation(""); ; {
		page, err := members.List(t.Context(), of.App, of.User, after, limit, strong)
		storetest.OK(t, "List", err)
		if len(page) > limit {
			t.Fatalf("List returned %d rows, limit %d", len(page), limit)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1].Conversation
	}
}

func runGetAll(t *testing.T, members message.Members) {
	base := NewMember()
	var users []id.User
	want := map[id.User]message.Member{}
	for i := range 100 {
		row := base
		row.User = id.Source{}.User()
		if users = append(users, row.User); i%2 == 0 {
			ensure(t, members, row)
			want[row.User] = row
		}
	}
	elsewhere := base
	elsewhere.User, elsewhere.Conversation = users[1], NewEntry().Conversation
	ensure(t, members, elsewhere)
	for _, strong := range []bool{false, true} {
		got, err := members.GetAll(t.Context(), base.App, users, base.Conversation, strong)
		storetest.OK(t, "GetAll", err)
		if !maps.Equal(got, want) {
			t.Fatalf("GetAll (strong %v) = %+v\nwant %+v", strong, got, want)
		}
	}
}

func runMembersApart(t *testing.T, members message.Members) {
	mine := NewMember()
	ensure(t, members, mine)
	theirs, otherApp := mine, mine
	theirs.User, theirs.Peer = mine.Peer, mine.User
	otherApp.App = id.Source{}.App()
	wantNoMember(t, members, theirs)
	wantNoMember(t, members, otherApp)
	wantMember(t, members, mine)
}
