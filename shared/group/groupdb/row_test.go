package groupdb

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// What is written of a seat is read again.
func TestSeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seat := message.Seat{State: message.Joined, Since: rapid.Int64Min(0).Draw(t, "since"),
			Role: rapid.SampledFrom([]authz.Role{authz.GroupOwner, authz.GroupAdmin, authz.GroupMember}).Draw(t, "role")}
		if rapid.Bool().Draw(t, "muted") {
			seat.MutedUntil = time.Unix(rapid.Int64Range(1, 253402300799).Draw(t, "until"), 0).UTC()
		}
		if got, err := parseSeat(seatText(seat)); err != nil || got != seat {
			t.Fatalf("%+v is written %q and read %+v, %v", seat, seatText(seat), got, err)
		}
	})
}

// FuzzParseSeat: what is no seat is an error and nothing worse.
func FuzzParseSeat(f *testing.F) {
	for _, text := range []string{"", "o1", "m1a|kf3", "a|", "x1", "|", "oo1", "m-1", "m1|x|y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seat, err := parseSeat(text)
		if err == nil && seat.Role == "" {
			t.Errorf("%q is a seat without a role", text)
		}
	})
}

// A full group's roster, which each message reads, fits into the 4 KB of one read unit, at a million messages; its counter,
// which each message writes, into a fifth of the 1 KB of one write unit.
func TestItemsAreSmall(t *testing.T) {
	app, g := id.Source{}.App(), id.Source{}.Group()
	size := len("pk") + len(groupKey(app, g)) + len("sk") + len(rosterItem) + len("m") + 3
	size += len("reach") + 2
	for range group.DirectMembers {
		seat := message.Seat{Role: authz.GroupMember, Since: 1_000_000}
		size += len(id.Source{}.User()) + len(seatText(seat)) + 1 // a map's entry takes a byte more than its name and value
	}
	if size > 4096 {
		t.Errorf("a full roster has %d bytes", size)
	}
	const number = 21 // the most bytes of a number
	if counter := len("pk") + len(groupKey(app, g)) + len("sk") + 1 + len("seq") + len("ord") + 2*number + len("closed") + len("admins") + len("hushed") + 3 + len("reach") + 2; counter > 200 {
		t.Errorf("a counter has %d bytes", counter)
	}
}
