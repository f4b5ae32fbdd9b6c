package messagetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// RunRemovals checks that a store keeps the contract of message.Removals, over the log and the rows that it writes to. Its weak
// reads have to see at once what was written.
func RunRemovals(t *testing.T, removals message.Removals, log message.Log, members message.Members) {
	s := removalSuite{removals, log, members}
	t.Run("a removal is rows, marks and an entry", s.whole)
	t.Run("what was overtaken does nothing", s.overtaken)
	t.Run("of removals at once one is done", s.race)
	t.Run("Deleted finds its range", s.ranges)
	t.Run("what others have deleted is apart", s.apart)
}

type removalSuite struct {
	removals message.Removals
	log      message.Log
	members  message.Members
}

// newRow ensures the row of a new user's new conversation.
func (s removalSuite) newRow(t *testing.T) message.Member {
	row := NewMember()
	ensure(t, s.members, row)
	return row
}

// removal deletes the sequences from the row's conversation, by the given entry of the user's own log.
func (s removalSuite) removal(row message.Member, entry int64, sequences ...int64) message.Removal {
	told := At(NewEntry(), entry)
	told.App, told.Sender, told.Recipient, told.Conversation = row.App, row.User, row.User, id.Pair(row.App, row.User, row.User)
	is := row
	is.Deletes = true
	return message.Removal{Was: row, Is: is, Deleted: sequences, Entry: told}
}

func (s removalSuite) remove(t *testing.T, removal message.Removal) message.Member {
	t.Helper()
	storetest.OK(t, "Remove", s.removals.Remove(t.Context(), removal))
	return removal.Is
}

func (s removalSuite) wantDeleted(t *testing.T, row message.Member, from, to int64, want ...int64) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		got, err := s.removals.Deleted(t.Context(), row.App, row.User, row.Conversation, from, to, strong)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Deleted from %d to %d (strong %v) = %v, %v; want %v", from, to, strong, got, err, want)
		}
	}
}

// wantLog checks how many entries the user's own log has.
func (s removalSuite) wantLog(t *testing.T, row message.Member, want int) {
	t.Helper()
	entries, err := s.log.Read(t.Context(), row.App, id.Pair(row.App, row.User, row.User), 1, 10, true)
	if err != nil || len(entries) != want {
		t.Fatalf("the own log has %d entries, %v; want %d", len(entries), err, want)
	}
}

func (s removalSuite) whole(t *testing.T) {
	row := s.newRow(t)
	s.wantDeleted(t, row, 1, 100)
	removal := s.removal(row, 1, 3, 10)
	removal.Is.Read, removal.Is.ReadOrdinal = 10, 4
	row = s.remove(t, removal)
	wantMember(t, s.members, row)
	s.wantDeleted(t, row, 1, 100, 3, 10)
	s.wantLog(t, row, 1)
	removal = s.removal(row, 2)
	removal.Is.Cleared, removal.Is.Acknowledged, removal.Is.Read, removal.Is.ReadOrdinal = 12, 12, 12, 5
	row = s.remove(t, removal)
	wantMember(t, s.members, row)
	s.wantDeleted(t, row, 1, 100, 3, 10)
	s.wantLog(t, row, 2)
	row.Acknowledged = 13
	got, _, err := s.members.Acknowledge(t.Context(), row.App, row.User, row.Conversation, 13)
	if err != nil || got != row {
		t.Fatalf("Acknowledge = %+v, %v; want %+v", got, err, row)
	}
}

func (s removalSuite) overtaken(t *testing.T) {
	row := s.remove(t, s.removal(s.newRow(t), 1, 3))
	moved, _, err := s.members.MarkRead(t.Context(), row.App, row.User, row.Conversation, 5, 2)
	storetest.OK(t, "MarkRead", err)
	acknowledged := moved
	acknowledged.Acknowledged = 9
	nobodys := s.removal(NewMember(), 1, 1)
	for name, removal := range map[string]message.Removal{"read mark": s.removal(row, 2, 4), "acknowledged mark": s.removal(acknowledged, 2, 4),
		"deleted before": s.removal(moved, 2, 4, 3), "entry": s.removal(moved, 1, 4), "row": nobodys} {
		storetest.Refused(t, name, s.removals.Remove(t.Context(), removal), message.ErrOvertaken)
	}
	wantMember(t, s.members, moved)
	s.wantDeleted(t, row, 1, 100, 3)
	s.wantLog(t, row, 1)
	s.wantDeleted(t, nobodys.Was, 1, 100)
	s.wantLog(t, nobodys.Was, 0)
}

func (s removalSuite) race(t *testing.T) {
	row := s.newRow(t)
	const racers = 8 // each is a transaction, which waits for the others
	winner := -1
	for i, err := range storetest.AtOnce(racers, func(i int) error {
		return s.removals.Remove(t.Context(), s.removal(row, 1, int64(i+1), 100))
	}) {
		switch {
		case err == nil && winner < 0:
			winner = i
		case !errors.Is(err, message.ErrOvertaken):
			t.Fatalf("racer %d: %v", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	s.wantDeleted(t, row, 1, 100, int64(winner+1), 100)
	s.wantLog(t, row, 1)
}

func (s removalSuite) ranges(t *testing.T) {
	row := s.remove(t, s.removal(s.newRow(t), 1, 9, 10, 99, 100, 1_000_000_000))
	var many []int64
	for i := range int64(message.MaxDeleted) {
		many = append(many, 200+i)
	}
	row = s.remove(t, s.removal(row, 2, many...))
	s.wantDeleted(t, row, 1, 8)
	s.wantDeleted(t, row, 9, 9, 9)
	s.wantDeleted(t, row, 9, 99, 9, 10, 99)
	s.wantDeleted(t, row, 11, 199, 99, 100)
	s.wantDeleted(t, row, 200, 300, many...)
	s.wantDeleted(t, row, 300, 2_000_000_000, 1_000_000_000)
}

func (s removalSuite) apart(t *testing.T) {
	row := s.remove(t, s.removal(s.newRow(t), 1, 3))
	other := row
	other.User, other.Peer = row.Peer, row.User
	s.wantDeleted(t, other, 1, 100)
	other = row
	other.Conversation = id.Pair(row.App, row.User, id.Source{}.User())
	s.wantDeleted(t, other, 1, 100)
	other = row
	other.App = id.Source{}.App()
	s.wantDeleted(t, other, 1, 100)
}
