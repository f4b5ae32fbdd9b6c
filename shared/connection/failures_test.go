package connection_test

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// noted is a call of Note.
type noted struct {
	user         id.User
	conversation id.Conversation
	from, to     int64
	failed       []connection.Failure
}

// notes implements connection.Failures.
type notes struct {
	calls []noted
	err   error
	hangs bool
}

func (n *notes) Note(ctx context.Context, _ id.App, user id.User, conversation id.Conversation, from, to int64, failed []connection.Failure) error {
	slices.SortFunc(failed, func(a, b connection.Failure) int { return cmp.Compare(a.Device, b.Device) })
	n.calls = append(n.calls, noted{user, conversation, from, to, failed})
	if n.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return n.err
}

func TestFailedPushesAreNotedOncePerEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, kept := newFixture(), &notes{}
		f.Failures = kept
		for _, device := range []string{"phone", "hangs", "fails", "gone"} {
			f.open(t, device, "conn-"+device)
		}
		f.clock.Advance(time.Minute)
		f.poster.Hang("conn-hangs")
		f.poster.Fail("conn-fails", errors.New("throttled"))
		f.poster.Drop("conn-gone")
		conversation, now := id.Pair(f.phone.App, f.phone.User, id.Source{}.User()), f.clock.Now()
		_, err := f.Notify(t.Context(), f.phone.App, f.phone.User, conversation, 7, "", func(int64) []byte { return []byte("frame") })
		storetest.OK(t, "Notify", err)
		want := []noted{{f.phone.User, conversation, 7, 7, []connection.Failure{
			{Device: "fails", Connection: "conn-fails", Code: connection.Refused, At: now},
			{Device: "gone", Connection: "conn-gone", Code: connection.Gone, At: now},
			{Device: "hangs", Connection: "conn-hangs", Code: connection.TimedOut, At: now},
		}}}
		if !reflect.DeepEqual(kept.calls, want) {
			t.Fatalf("noted %+v\nwant %+v", kept.calls, want)
		}
		f.wantConnection(t, "gone", "")
		f.wantConnection(t, "fails", "conn-fails")
	})
}

func TestWhatIsNoFailureOfAnEntryIsNotNoted(t *testing.T) {
	f, kept := newFixture(), &notes{}
	f.Failures = kept
	f.open(t, "phone", "conn-phone")
	f.poster.Drop("conn-phone") // still opening: its resume comes
	conversation := id.Conversation(id.Source{}.Group())
	broadcast := func(sequence int64) {
		t.Helper()
		storetest.OK(t, "Broadcast", f.Broadcast(t.Context(), f.phone.App, []id.User{f.phone.User}, conversation, sequence, "", []byte("frame")))
	}
	broadcast(7)
	f.clock.Advance(time.Minute)
	f.poster.Fail("conn-phone", errors.New("throttled"))
	broadcast(0) // not an entry's
	f.push(t, "")
	f.poster.Fail("conn-phone", nil)
	f.poster.Open("conn-phone")
	broadcast(8)
	if len(kept.calls) != 0 {
		t.Fatalf("noted %+v", kept.calls)
	}
	f.poster.Fail("conn-phone", errors.New("throttled"))
	broadcast(9)
	if len(kept.calls) != 1 || kept.calls[0].from != 9 || kept.calls[0].conversation != conversation {
		t.Fatalf("noted %+v", kept.calls)
	}
}

func TestFailingNotesHurtNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, kept := newFixture(), &notes{err: errors.New("no table")}
		f.Failures = kept
		f.open(t, "phone", "conn-phone")
		f.poster.Fail("conn-phone", errors.New("throttled"))
		for _, kept.hangs = range []bool{false, true} {
			before := time.Now()
			storetest.OK(t, "Broadcast", f.Broadcast(t.Context(), f.phone.App, []id.User{f.phone.User}, "c", 1, "", []byte("frame")))
			if took := time.Since(before); took > time.Second {
				t.Errorf("a note held the push for %v", took)
			}
		}
		if len(kept.calls) != 2 {
			t.Errorf("noted %d times", len(kept.calls))
		}
	})
}
