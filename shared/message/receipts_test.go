package message_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// receipts lists the receipts of a message as the user sees them, each as name, "+" for delivered and "+" for read.
func (w *world) receipts(t *testing.T, user id.User, conversation id.Conversation, sequence int64, names map[id.User]string) string {
	t.Helper()
	var lines []string
	for position, more := "", true; more; more = position != "" {
		page, next, err := w.healthy().Receipts(t.Context(), w.app, user, conversation, sequence, position, 1)
		storetest.OK(t, "Receipts", err)
		for _, receipt := range page {
			line := names[receipt.UserID]
			for _, done := range []bool{receipt.Delivered, receipt.Read} {
				if done {
					line += "+"
				}
			}
			lines = append(lines, line)
		}
		position = next
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func TestReceiptsOfAPair(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	names := map[id.User]string{w.ann: "ann", w.bob: "bob"}
	for i := range 3 {
		w.send(t, w.ann, w.bob, fmt.Sprint("to bob ", i+1), "")
	}
	w.send(t, w.bob, w.ann, "to ann", "")
	want := func(state ...string) {
		t.Helper()
		for _, user := range []id.User{w.ann, w.bob, ""} {
			for i, want := range state {
				if got := w.receipts(t, user, w.pair(), int64(i+1), names); got != want {
					t.Errorf("message %d for %q: %s, want %s", i+1, user, got, want)
				}
			}
		}
	}
	want("bob", "bob", "bob", "ann")
	_, err := w.healthy().Acknowledge(t.Context(), w.app, w.bob, w.pair(), 2)
	storetest.OK(t, "Acknowledge", err)
	want("bob+", "bob+", "bob", "ann")
	_, err = w.healthy().MarkRead(t.Context(), w.app, w.bob, w.pair(), 1)
	storetest.OK(t, "MarkRead", err)
	want("bob++", "bob+", "bob", "ann")
	_, err = w.healthy().MarkRead(t.Context(), w.app, w.ann, w.pair(), 4) // what is read has arrived
	storetest.OK(t, "MarkRead", err)
	want("bob++", "bob+", "bob", "ann++")
}

func TestReceiptsOfWhatWasAcceptedSilently(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	names := map[id.User]string{w.ann: "ann", w.bob: "bob"}
	w.send(t, w.bob, w.ann, "one", "")
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")
	for _, sequence := range []int64{1, 2} {
		_, err := w.healthy().MarkRead(t.Context(), w.app, w.ann, w.pair(), sequence)
		storetest.OK(t, "MarkRead", err)
	}
	for _, user := range []id.User{w.bob, ""} {
		if got := w.receipts(t, user, w.pair(), 1, names); got != "ann++" {
			t.Errorf("what came before the block: %s", got)
		}
		if got := w.receipts(t, user, w.pair(), 2, names); got != "ann" {
			t.Errorf("what was accepted silently: %s", got)
		}
	}
	_, _, err := w.healthy().Receipts(t.Context(), w.app, w.ann, w.pair(), 2, "", 10)
	refused(t, "of a void", err, fault.MessageNotFound)
}

func TestReceiptsOfAGroup(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	eve, dan := w.register(t, "eve"), w.register(t, "dan")
	names := map[id.User]string{w.ann: "ann", w.bob: "bob", eve: "eve", dan: "dan"}
	group := w.found(t, w.ann, w.bob, eve)
	conversation := id.Conversation(group)
	_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "two"))
	storetest.OK(t, "Send", err)
	_, err = w.turn(t.Context(), w.healthy(), group, dan, message.UsersJoined)
	storetest.OK(t, "join", err)
	_, err = w.healthy().Send(t.Context(), w.draft(w.bob, group, "four"))
	storetest.OK(t, "Send", err)
	_, err = w.healthy().Acknowledge(t.Context(), w.app, eve, conversation, 2)
	storetest.OK(t, "Acknowledge", err)
	want := func(sequence int64, want string, users ...id.User) {
		t.Helper()
		for _, user := range append(users, "") {
			if got := w.receipts(t, user, conversation, sequence, names); got != want {
				t.Errorf("message %d for %q: %q, want %q", sequence, user, got, want)
			}
		}
	}
	want(2, "bob++ eve+", w.ann, w.bob, eve) // whoever writes has read what came before; dan was not there
	want(4, "ann dan eve", w.ann, w.bob, eve, dan)
	_, _, err = w.healthy().Receipts(t.Context(), w.app, dan, conversation, 2, "", 10)
	refused(t, "of what came before it joined", err, fault.MessageNotFound)
	_, err = w.turn(t.Context(), w.healthy(), group, eve, message.UserRemoved)
	storetest.OK(t, "remove", err)
	want(4, "ann dan", w.ann)
	_, _, err = w.healthy().Receipts(t.Context(), w.app, eve, conversation, 2, "", 10)
	refused(t, "for one who was removed", err, fault.ConversationNotFound)
}

func TestReceiptsOfNothing(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.ann, w.bob, "one", "")
	eve := w.register(t, "eve")
	group := id.Conversation(w.found(t, w.ann, w.bob))
	for _, c := range []struct {
		user         id.User
		conversation id.Conversation
		sequence     int64
		want         fault.Code
	}{
		{w.ann, w.pair(), 2, fault.MessageNotFound}, {"", w.pair(), 2, fault.MessageNotFound},
		{eve, w.pair(), 1, fault.ConversationNotFound}, {eve, w.pair(), 2, fault.ConversationNotFound},
		{w.ann, group, 1, fault.MessageNotFound}, {"", group, 1, fault.MessageNotFound}, // the entry of its creation
		{w.ann, group, 9, fault.MessageNotFound}, {eve, group, 1, fault.ConversationNotFound},
		{"", id.Pair(w.app, w.ann, eve), 1, fault.ConversationNotFound}, {w.ann, "nonsense", 1, fault.ConversationNotFound},
		{"", id.Conversation(id.Source{}.Group()), 1, fault.ConversationNotFound},
	} {
		_, _, err := w.healthy().Receipts(t.Context(), w.app, c.user, c.conversation, c.sequence, "", 10)
		refused(t, fmt.Sprintf("%+v", c), err, c.want)
	}
}

// online gives the user an open device of the connection's name.
func (w *world) online(t *testing.T, user id.User, connectionID string) {
	t.Helper()
	_, _, err := w.records.Attach(t.Context(), connection.Socket{App: w.app, User: user, Device: connectionID, Connection: connectionID,
		ExpiresAt: time.Now().Add(time.Hour)}, time.Now().Add(connection.Lease))
	storetest.OK(t, "Attach", err)
	w.poster.Open(connectionID)
}

// progress lists the receipts that were posted to the connection.
func (w *world) progress(t *testing.T, connectionID string) (all []message.Marked) {
	t.Helper()
	for _, frame := range w.poster.Frames(connectionID) {
		var event message.Marked
		storetest.OK(t, "decode", json.Unmarshal(frame, &event))
		if event.Event == "receipt" {
			all = append(all, event)
		}
	}
	return all
}

func TestThePeerIsToldOfMarksThatMove(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for i := range 3 {
		w.send(t, w.ann, w.bob, fmt.Sprint(i), "")
	}
	w.online(t, w.ann, "ann-phone")
	w.online(t, w.ann, "ann-laptop")
	w.online(t, w.bob, "bob-phone")
	service, ctx := w.healthy(), t.Context()
	for _, mark := range []func() (message.Marks, error){
		func() (message.Marks, error) { return service.Acknowledge(ctx, w.app, w.bob, w.pair(), 2) },
		func() (message.Marks, error) { return service.Acknowledge(ctx, w.app, w.bob, w.pair(), 2) }, // stands there already
		func() (message.Marks, error) { return service.MarkRead(ctx, w.app, w.bob, w.pair(), 1) },
		func() (message.Marks, error) { return service.MarkRead(ctx, w.app, w.bob, w.pair(), 3) },
		func() (message.Marks, error) { return service.MarkRead(ctx, w.app, w.bob, w.pair(), 2) },
		func() (message.Marks, error) { return service.Acknowledge(ctx, w.app, w.bob, w.pair(), 3) }, // was read already
	} {
		_, err := mark()
		storetest.OK(t, "mark", err)
	}
	event := message.Marked{Event: "receipt", ConversationID: w.pair(), From: w.bob}
	want := []message.Marked{event, event, event}
	want[0].AckSeq = 2
	want[1].AckSeq, want[1].ReadSeq = 2, 1
	want[2].AckSeq, want[2].ReadSeq = 3, 3
	for _, device := range []string{"ann-phone", "ann-laptop"} {
		if got := w.progress(t, device); !slices.Equal(got, want) {
			t.Errorf("%s got %+v\nwant %+v", device, got, want)
		}
	}
	if got := w.progress(t, "bob-phone"); len(got) != 0 {
		t.Errorf("the reader got %+v", got)
	}
}

func TestNobodyIsToldOfVoidsAndInGroups(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "one", "")
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")
	group := w.found(t, w.ann, w.bob)
	_, err := w.healthy().Send(t.Context(), w.draft(w.bob, group, "two"))
	storetest.OK(t, "Send", err)
	w.online(t, w.bob, "bob-phone")
	for _, conversation := range []id.Conversation{w.pair(), id.Conversation(group)} {
		_, err := w.healthy().Acknowledge(t.Context(), w.app, w.ann, conversation, 2)
		storetest.OK(t, "Acknowledge", err)
		_, err = w.healthy().MarkRead(t.Context(), w.app, w.ann, conversation, 2)
		storetest.OK(t, "MarkRead", err)
	}
	if got := w.progress(t, "bob-phone"); len(got) != 0 {
		t.Errorf("bob was told %+v", got)
	}
}

// dead is the fuse of a process that has died.
func dead() *storetest.Fuse {
	fuse := &storetest.Fuse{At: 1, Dies: true}
	_ = fuse.Write(func() error { return nil })
	return fuse
}

// TestAMarkStandsWhateverBecomesOfTheReceipt has the mark made although nobody can be found, refuses to be posted to, or never
// answers.
func TestAMarkStandsWhateverBecomesOfTheReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, storetest.Staleness{})
		for i := range 4 {
			w.send(t, w.ann, w.bob, fmt.Sprint(i), "")
		}
		w.online(t, w.ann, "ann-phone")
		for sequence, broken := range []func() message.Devices{
			func() message.Devices {
				w.poster.Fail("ann-phone", errors.New("throttled"))
				return w.healthy().Devices
			},
			func() message.Devices { w.poster.Hang("ann-phone"); return w.healthy().Devices },
			func() message.Devices { return w.process(dead()).Devices },
		} {
			service, before := w.healthy(), time.Now()
			service.Devices = broken()
			marks, err := service.MarkRead(t.Context(), w.app, w.bob, w.pair(), int64(sequence+1))
			storetest.OK(t, "MarkRead", err)
			if marks.ReadSeq != int64(sequence+1) || time.Since(before) > 3*time.Second {
				t.Errorf("marked %+v after %v", marks, time.Since(before))
			}
		}
	})
}

func TestMessageIDsNameTheirEntries(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	mine := w.send(t, w.ann, w.bob, "one", "")
	sent, err := w.healthy().Send(t.Context(), w.draft(w.ann, w.found(t, w.ann, w.bob), "two"))
	storetest.OK(t, "Send", err)
	for _, of := range []message.Message{mine, sent.Message} {
		for _, user := range []id.User{w.ann, ""} {
			entry, err := w.healthy().SentBy(t.Context(), w.app, user, of.MessageID)
			storetest.OK(t, "SentBy", err)
			if entry.Conversation != of.ConversationID || entry.Sequence != of.Seq {
				t.Errorf("%s is %s %d", of.MessageID, entry.Conversation, entry.Sequence)
			}
		}
		for _, user := range []id.User{w.bob, w.register(t, id.Source{}.Text(8))} {
			_, err := w.healthy().SentBy(t.Context(), w.app, user, of.MessageID)
			refused(t, "another's message", err, fault.MessageNotFound)
		}
	}
	for _, wrong := range []string{"", "m_", "m_1", "x" + mine.MessageID, mine.MessageID + "0", mine.MessageID + "x", strings.TrimSuffix(mine.MessageID, "1") + "01",
		strings.TrimSuffix(mine.MessageID, "1") + "+1", strings.TrimSuffix(mine.MessageID, "1") + "-1", strings.Replace(mine.MessageID, "m_", "m_c_", 1)} {
		_, err := w.healthy().SentBy(t.Context(), w.app, "", wrong)
		refused(t, wrong, err, fault.MessageNotFound)
	}
}

// FuzzMessageID finds a message by its own ID only, whatever is asked for.
func FuzzMessageID(f *testing.F) {
	w := newWorld(f, storetest.Staleness{})
	sent, err := w.healthy().Send(f.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "one"})
	storetest.OK(f, "Send", err)
	for _, seed := range []string{sent.Message.MessageID, sent.Message.MessageID + "0", "m_", "m__1", "m_g_1", "m_" + string(id.Source{}.Group()) + "_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entry, err := w.healthy().SentBy(t.Context(), w.app, "", text)
		if err == nil && (entry.ID() != text || text != sent.Message.MessageID) || err != nil && !fault.Is(err, fault.MessageNotFound) {
			t.Errorf("%q is %+v, %v", text, entry, err)
		}
	})
}

// TestNobodyIsToldOfMarksInTheOwnLog: nobody but the user is in it, and the user's devices are not told of its own marks.
func TestNobodyIsToldOfMarksInTheOwnLog(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "one", "")
	w.online(t, w.ann, "ann-phone")
	service := w.healthy()
	_, err := service.Delete(t.Context(), w.app, w.ann, w.pair(), []int64{1})
	storetest.OK(t, "Delete", err)
	_, err = service.Acknowledge(t.Context(), w.app, w.ann, w.own(w.ann), 1)
	storetest.OK(t, "Acknowledge", err)
	_, err = service.MarkRead(t.Context(), w.app, w.ann, w.own(w.ann), 1)
	storetest.OK(t, "MarkRead", err)
	if got := w.progress(t, "ann-phone"); len(got) > 0 {
		t.Errorf("ann got receipts of her own: %+v", got)
	}
}
