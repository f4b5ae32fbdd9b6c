package message_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func (w *world) own(user id.User) id.Conversation { return id.Pair(w.app, user, user) }

func (w *world) delete(t storetest.T, user id.User, conversation id.Conversation, sequences ...int64) message.Marks {
	t.Helper()
	marks, err := w.healthy().Delete(context.Background(), w.app, user, conversation, sequences)
	storetest.OK(t, "Delete", err)
	return marks
}

func (w *world) clear(t storetest.T, user id.User, conversation id.Conversation, sequence int64) message.Marks {
	t.Helper()
	marks, err := w.healthy().Clear(context.Background(), w.app, user, conversation, sequence)
	storetest.OK(t, "Clear", err)
	return marks
}

// told lists what the user's own log tells.
func (w *world) told(t storetest.T, user id.User) (lines []string) {
	t.Helper()
	page, _, err := w.healthy().History(context.Background(), w.app, "", w.own(user), message.Ascending, "", 100)
	if err != nil && !fault.Is(err, fault.ConversationNotFound) {
		t.Fatalf("read the own log: %v", err)
	}
	for i, m := range page {
		if m.Seq != int64(i+1) || m.From != user || m.To != string(user) || m.Type != message.TypeOperation {
			t.Fatalf("entry %d of the own log is %+v", i+1, m)
		}
		lines = append(lines, fmt.Sprintf("%s %v %d", m.Operation.Kind, m.Operation.Seqs, m.Operation.Seq))
	}
	return lines
}

// wantSeen checks what the user sees of the pair, by every way to it that pages through it.
func (w *world) wantSeen(t *testing.T, user id.User, want ...string) {
	t.Helper()
	for _, order := range []message.Order{message.Ascending, message.Descending} {
		page, _, err := w.healthy().History(t.Context(), w.app, user, w.pair(), order, "", 100)
		storetest.OK(t, "History", err)
		if order == message.Descending {
			slices.Reverse(page)
		}
		wantLines(t, "history", w.shown(page), want)
	}
	page, _, err := w.healthy().Inbox(t.Context(), w.app, user, false, "", 100)
	storetest.OK(t, "Inbox", err)
	wantLines(t, "inbox", w.shown(page), want)
	var exported []message.Message
	_, err = w.healthy().Export(t.Context(), w.app, user, "", func(m message.Message) bool { exported = append(exported, m); return true })
	storetest.OK(t, "Export", err)
	wantLines(t, "export", w.shown(exported), slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Contains(line, "void") }))
}

// resumed returns what a device at the version is posted of the conversation.
func (w *world) resumed(t *testing.T, user id.User, since int64, conversation id.Conversation) (lines []string) {
	t.Helper()
	window, _, err := w.healthy().Begin(t.Context(), w.app, user, since, noGroups)
	storetest.OK(t, "Begin", err)
	return w.shown(slices.DeleteFunc(window.Items, func(m message.Message) bool { return m.ConversationID != conversation }))
}

// synced returns the last message that sync shows of the conversation.
func (w *world) synced(t *testing.T, user id.User, conversation id.Conversation) string {
	t.Helper()
	changes, err := w.healthy().Sync(t.Context(), w.app, user, 0)
	storetest.OK(t, "Sync", err)
	for _, change := range changes.Changed {
		if change.ConversationID == conversation {
			return w.shown([]message.Message{*change.Last})[0]
		}
	}
	return ""
}

func TestWhatIsDeletedForOneself(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for i, from := range []id.User{w.ann, w.bob, w.bob, w.bob} {
		w.send(t, from, []id.User{w.bob, w.ann, w.ann, w.ann}[i], fmt.Sprint("m", i+1), "")
	}
	_, _, err := w.records.Attach(t.Context(), connection.Socket{App: w.app, User: w.ann, Device: "phone", Connection: "ann's", ExpiresAt: time.Now().Add(time.Hour)}, time.Now().Add(time.Hour))
	storetest.OK(t, "Attach", err)
	w.poster.Open("ann's")
	marks := w.delete(t, w.ann, w.pair(), 3, 1, 3)
	if marks.ReadSeq != 3 || *marks.Unread != 1 || marks.AckSeq != 0 {
		t.Errorf("the marks are %+v", marks)
	}
	seen := []string{"1 void  ", "2 text bob m2", "3 void  ", "4 text bob m4"}
	whole := []string{"1 text ann m1", "2 text bob m2", "3 text bob m3", "4 text bob m4"}
	w.wantSeen(t, w.ann, seen...)
	w.wantSeen(t, w.bob, whole...)
	wantLines(t, "resume", w.resumed(t, w.ann, 0, w.pair()), seen[1:]) // she was noted of what bob wrote
	wantLines(t, "own log's resume", w.resumed(t, w.ann, message.NoVersion, w.own(w.ann)), []string{"1 operation ann "})
	wantLines(t, "bob's resume", w.resumed(t, w.bob, message.NoVersion, w.pair()), whole)
	wantLines(t, "the own log", w.told(t, w.ann), []string{"deleted [1 3] 0"})
	wantLines(t, "bob's own log", w.told(t, w.bob), nil)
	if frames := w.poster.Frames("ann's"); len(frames) != 1 || !strings.Contains(string(frames[0]), `"operation":{"kind":"deleted"`) {
		t.Errorf("ann's device got %s", frames)
	}
	w.delete(t, w.ann, w.pair(), 4)
	for user, want := range map[id.User]string{w.ann: "4 void  ", w.bob: "4 text bob m4"} {
		if got := w.synced(t, user, w.pair()); got != want {
			t.Errorf("sync shows %q, want %q", got, want)
		}
	}
	if got := w.synced(t, w.ann, w.own(w.ann)); got != "2 operation ann " {
		t.Errorf("sync shows %q of the own log", got)
	}
	w.wantUnread(t, w.ann, 0)
	w.wantUnread(t, w.bob, 1)
}

// TestWhatIsRemovedIsNotThere: by whatever way a user comes to a message that it has removed, it does not find it.
func TestWhatIsRemovedIsNotThere(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for i := range 3 {
		w.send(t, w.bob, w.ann, fmt.Sprint("m", i+1), "")
	}
	for sequence := range int64(3) {
		_, err := w.healthy().Pin(t.Context(), w.act(w.bob, sequence+1))
		storetest.OK(t, "Pin", err)
	}
	w.clear(t, w.ann, w.pair(), 1)
	w.delete(t, w.ann, w.pair(), 3)
	for sequence, there := range map[int64]bool{1: false, 2: true, 3: false} {
		_, err := w.healthy().Message(t.Context(), w.app, w.ann, w.pair(), sequence)
		_, acted := w.healthy().React(t.Context(), w.act(w.ann, sequence), "👍")
		_, _, listed := w.healthy().Reactors(t.Context(), w.app, w.ann, w.pair(), sequence, "", 10)
		for what, err := range map[string]error{"Message": err, "React": acted, "Reactors": listed} {
			if there != (err == nil) || !there && !fault.Is(err, fault.MessageNotFound) {
				t.Errorf("%s of %d: %v", what, sequence, err)
			}
		}
		if got := w.at(t, w.bob, sequence); got.Type != message.TypeText {
			t.Errorf("bob sees %+v", got)
		}
	}
	for user, want := range map[id.User][]string{w.ann: {"2 text bob m2"}, w.bob: {"3 text bob m3", "2 text bob m2", "1 text bob m1"}} {
		pinned, err := w.healthy().PinnedMessages(t.Context(), w.app, user, w.pair())
		storetest.OK(t, "PinnedMessages", err)
		wantLines(t, "pins", w.shown(pinned), want)
		list, _, err := w.healthy().Conversations(t.Context(), w.app, user, "", 10)
		storetest.OK(t, "Conversations", err)
		wantLines(t, "preview", w.shown([]message.Message{*list[0].Last}), want[:1])
	}
	if pinned, err := w.healthy().PinnedMessages(t.Context(), w.app, "", w.pair()); err != nil || len(pinned) != 3 {
		t.Errorf("an application sees the pins %+v, %v", pinned, err)
	}
}

// A picture that was deleted has no link any more, for its user alone.
func TestDeletedMediaHasNoLink(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	service := w.healthy()
	service.Attachments = pictures{}
	_, err := service.Send(t.Context(), message.Draft{App: w.app, From: w.bob, To: string(w.ann), Type: message.TypeImage, MediaID: "media_x"})
	storetest.OK(t, "Send", err)
	w.delete(t, w.ann, w.pair(), 1)
	_, err = service.Shown(t.Context(), w.app, w.ann, w.pair(), 1)
	refused(t, "a deleted picture", err, fault.MediaNotFound)
	_, err = service.Shown(t.Context(), w.app, w.bob, w.pair(), 1)
	storetest.OK(t, "bob's picture", err)
	w.clear(t, w.bob, w.pair(), 0)
	_, err = service.Shown(t.Context(), w.app, w.bob, w.pair(), 1)
	refused(t, "a cleared picture", err, fault.MediaNotFound)
}

// pictures attaches any media as a picture.
type pictures struct{ message.Attachments }

func (pictures) Attach(_ context.Context, _ id.App, _ id.User, media id.Media, kind string) (message.Attachment, error) {
	return message.Attachment{MediaID: media, Type: kind}, nil
}

func TestWhatIsCleared(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for i := range 4 {
		w.send(t, w.bob, w.ann, fmt.Sprint("m", i+1), "")
	}
	marks := w.clear(t, w.ann, w.pair(), 2)
	if marks.ClearedSeq != 2 || marks.ReadSeq != 2 || marks.AckSeq != 2 || *marks.Unread != 2 {
		t.Errorf("the marks are %+v", marks)
	}
	w.wantSeen(t, w.ann, "3 text bob m3", "4 text bob m4")
	if marks = w.clear(t, w.ann, w.pair(), 1); marks.ClearedSeq != 2 {
		t.Errorf("after clearing less the marks are %+v", marks)
	}
	w.delete(t, w.ann, w.pair(), 1, 3) // the first is gone already
	w.wantSeen(t, w.ann, "3 void  ", "4 text bob m4")
	if marks = w.clear(t, w.ann, w.pair(), 0); marks.ClearedSeq != 4 || *marks.Unread != 0 {
		t.Errorf("after clearing all the marks are %+v", marks)
	}
	w.wantSeen(t, w.ann)
	wantLines(t, "resume", w.resumed(t, w.ann, 0, w.pair()), nil)
	wantLines(t, "the own log", w.told(t, w.ann), []string{"cleared [] 2", "deleted [3] 0", "cleared [] 4"})
	if got := w.synced(t, w.ann, w.pair()); got != "4 void  " {
		t.Errorf("sync shows %q", got)
	}
	list, _, err := w.healthy().Conversations(t.Context(), w.app, w.ann, "", 10)
	if err != nil || len(list) != 1 || list[0].Last != nil || list[0].Unread != 0 || list[0].ClearedSeq != 4 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	w.send(t, w.bob, w.ann, "m5", "")
	list, _, err = w.healthy().Conversations(t.Context(), w.app, w.ann, "", 10)
	if err != nil || len(list) != 1 || list[0].Last.Message != "m5" || list[0].Unread != 1 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	w.wantSeen(t, w.ann, "5 text bob m5")
	w.wantSeen(t, w.bob, "1 text bob m1", "2 text bob m2", "3 text bob m3", "4 text bob m4", "5 text bob m5")
}

func TestWhatCannotBeRemoved(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	carol := w.register(t, "carol")
	w.send(t, w.ann, w.bob, "m1", "")
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")
	group := id.Conversation(w.found(t, w.ann, w.bob))
	for _, c := range []struct {
		user         id.User
		conversation id.Conversation
		sequence     int64
		delete       fault.Code
		clear        fault.Code
	}{
		{w.ann, w.pair(), 3, fault.SequenceAhead, fault.SequenceAhead},
		{w.ann, w.pair(), 2, fault.MessageNotFound, ""}, // accepted silently
		{w.ann, w.pair(), -1, fault.FieldRange, fault.SequenceAhead},
		{carol, w.pair(), 1, fault.ConversationNotFound, fault.ConversationNotFound},
		{carol, group, 1, fault.ConversationNotFound, fault.ConversationNotFound},
		{w.bob, group, 1, fault.MessageNotFound, ""}, // a change of the group
		{w.bob, group, 2, fault.SequenceAhead, fault.SequenceAhead},
		{w.ann, w.own(w.ann), 1, fault.ConversationNotFound, fault.ConversationNotFound},
		{w.ann, "c_x", 1, fault.ConversationNotFound, fault.ConversationNotFound},
	} {
		_, err := w.healthy().Delete(t.Context(), w.app, c.user, c.conversation, []int64{c.sequence})
		refused(t, fmt.Sprint("delete ", c), err, c.delete)
		if _, err = w.healthy().Clear(t.Context(), w.app, c.user, c.conversation, c.sequence); c.clear != "" || err != nil {
			refused(t, fmt.Sprint("clear ", c), err, c.clear)
		}
	}
}

// TestRemovalsCrash kills the process at every write of a removal and repeats the call: there is one entry, and the user's other
// devices learn of it.
func TestRemovalsCrash(t *testing.T) {
	for name, remove := range map[string]func(*message.Service, *world) (message.Marks, error){
		"delete": func(s *message.Service, w *world) (message.Marks, error) {
			return s.Delete(context.Background(), w.app, w.ann, w.pair(), []int64{1, 2})
		},
		"clear": func(s *message.Service, w *world) (message.Marks, error) {
			return s.Clear(context.Background(), w.app, w.ann, w.pair(), 2)
		},
	} {
		for _, tookEffect := range []bool{false, true} {
			for at := 1; ; at++ {
				w := newWorld(t, storetest.Staleness{Seed: uint64(at), Lag: 8})
				for i := range 3 {
					w.send(t, w.bob, w.ann, fmt.Sprint("m", i+1), "")
				}
				before := w.version(t, w.ann)
				fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
				_, err := remove(w.process(fuse), w)
				if !fuse.Blown() {
					break
				}
				t.Run(fmt.Sprintf("%s, write %d, took effect %v", name, at, tookEffect), func(t *testing.T) {
					if err == nil {
						t.Fatal("a dead process has answered")
					}
					for range 2 {
						marks, err := remove(w.healthy(), w)
						storetest.OK(t, "retry", err)
						if marks.ReadSeq != 2 {
							t.Errorf("the marks are %+v", marks)
						}
					}
					w.settle()
					if told := w.told(t, w.ann); len(told) != 1 {
						t.Errorf("the own log tells %q", told)
					}
					if w.version(t, w.ann) == before || w.synced(t, w.ann, w.own(w.ann)) == "" {
						t.Error("the devices were not told")
					}
					w.wantUnread(t, w.ann, 1)
				})
			}
		}
	}
}

// TestRemovalsAtOnce has many processes delete, clear, mark and send at once: every message is told of once.
func TestRemovalsAtOnce(t *testing.T) {
	w := newWorld(t, storetest.Staleness{Seed: 5, Lag: 20})
	const messages = 12
	for i := range messages {
		w.send(t, w.bob, w.ann, fmt.Sprint("m", i+1), "")
	}
	for _, err := range storetest.AtOnce(3*messages, func(i int) (err error) {
		switch sequence := int64(i/3 + 1); i % 3 {
		case 0:
			_, err = w.healthy().Delete(context.Background(), w.app, w.ann, w.pair(), []int64{sequence, sequence%messages + 1})
		case 1:
			_, err = w.healthy().MarkRead(context.Background(), w.app, w.ann, w.pair(), sequence)
		default:
			_, err = w.healthy().Send(context.Background(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "x"})
		}
		return err
	}) {
		storetest.OK(t, "at once", err)
	}
	w.settle()
	var told []int64
	page, _, err := w.healthy().History(t.Context(), w.app, w.ann, w.own(w.ann), message.Ascending, "", 100)
	storetest.OK(t, "read the own log", err)
	for _, m := range page {
		told = append(told, m.Operation.Seqs...)
	}
	slices.Sort(told)
	if len(told) != messages || len(slices.Compact(told)) != messages {
		t.Errorf("told of %v", told)
	}
	seen, _, err := w.healthy().History(t.Context(), w.app, w.ann, w.pair(), message.Ascending, "", 100)
	storetest.OK(t, "read", err)
	for _, m := range seen {
		if (m.Type == message.TypeVoid) != (m.Seq <= messages) {
			t.Errorf("ann sees %+v", m)
		}
	}
	w.wantUnread(t, w.ann, 0)
}

// TestRemovedFromGroups: what a member removes is its own business, and is forgotten where it joins again.
func TestRemovedFromGroups(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	conversation := id.Conversation(group)
	for i := range 4 {
		_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, fmt.Sprint("m", i+2)))
		storetest.OK(t, "Send", err)
	}
	seen := func(user id.User) []string {
		page, _, err := w.healthy().History(t.Context(), w.app, user, conversation, message.Ascending, "", 100)
		storetest.OK(t, "History", err)
		return w.shown(page)
	}
	w.clear(t, w.bob, conversation, 2)
	if marks := w.delete(t, w.bob, conversation, 4); marks.ReadSeq != 4 || *marks.Unread != 1 {
		t.Errorf("the marks are %+v", marks)
	}
	wantLines(t, "bob", seen(w.bob), []string{"3 text ann m3m3", "4 void  ", "5 text ann m5m5"})
	wantLines(t, "resume", w.resumed(t, w.bob, message.NoVersion, conversation), []string{"5 text ann m5m5"})
	if lines := seen(w.ann); len(lines) != 5 || lines[3] != "4 text ann m4m4" {
		t.Errorf("ann sees %q", lines)
	}
	for _, kind := range []message.ChangeKind{message.UserLeft, message.UsersJoined} {
		_, err := w.turn(t.Context(), w.healthy(), group, w.bob, kind)
		storetest.OK(t, "turn", err)
	}
	wantLines(t, "bob", seen(w.bob), []string{"7 event  "})
}

func TestExportGoesOnWhereItStopped(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	var want []string
	for i := range 30 {
		text := fmt.Sprint("m", i+1)
		w.send(t, w.bob, w.ann, text, "")
		if i%7 != 0 {
			want = append(want, text)
		}
	}
	w.delete(t, w.ann, w.pair(), 1, 8, 15, 22, 29)
	for _, size := range []int{1, 2, 5, 25, 26} {
		var got []string
		for position, first := "", true; first || position != ""; first = false {
			taken := 0
			var err error
			position, err = w.healthy().Export(t.Context(), w.app, w.ann, position, func(m message.Message) bool {
				got = append(got, m.Message)
				taken++
				return taken < size
			})
			storetest.OK(t, "Export", err)
			if taken > size {
				t.Fatalf("%d taken, not %d", taken, size)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in parts of %d: %q", size, got)
		}
	}
}

// counted counts the sequences of which it is asked what was deleted.
type counted struct {
	message.Removals
	asked atomic.Int64
}

func (c *counted) Deleted(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, strong bool) ([]int64, error) {
	c.asked.Add(to - from + 1)
	return c.Removals.Deleted(ctx, app, user, conversation, from, to, strong)
}

// TestWhatWasDeletedBetweenIsNotRead: pins, and messages that are deleted together, can lie as far apart as the conversation is long.
func TestWhatWasDeletedBetweenIsNotRead(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for i := range 400 {
		w.send(t, w.bob, w.ann, fmt.Sprint(i), "")
	}
	for _, sequence := range []int64{2, 398} {
		_, err := w.healthy().Pin(t.Context(), message.Act{Caller: authz.Caller{App: w.app, User: w.ann}, Conversation: w.pair(), Sequence: sequence})
		storetest.OK(t, "Pin", err)
	}
	w.delete(t, w.ann, w.pair(), 2, 200)
	service := w.healthy()
	store := &counted{Removals: w.removals}
	service.Removals = store
	pinned, err := service.PinnedMessages(t.Context(), w.app, w.ann, w.pair())
	storetest.OK(t, "PinnedMessages", err)
	if len(pinned) != 1 || pinned[0].Seq != 398 {
		t.Errorf("pinned are %+v", pinned)
	}
	_, err = service.Delete(t.Context(), w.app, w.ann, w.pair(), []int64{1, 2, 399})
	storetest.OK(t, "Delete", err)
	wantLines(t, "the own log", w.told(t, w.ann), []string{"deleted [2 200] 0", "deleted [1 399] 0"})
	if asked := store.asked.Load(); asked > 10 {
		t.Errorf("of %d sequences it was asked what was deleted, want those of the five messages", asked)
	}
}
