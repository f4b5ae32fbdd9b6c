package message_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// tell takes numbers for so many changes of the group, and puts an entry only at those that are wanted.
func (w *world) tell(t *testing.T, group id.Group, wanted ...bool) {
	t.Helper()
	var told []message.Entry
	for range wanted {
		entry, err := w.healthy().Tell(t.Context(), w.app, group, "", message.GroupChange{Kind: message.GroupUpdated})
		storetest.OK(t, "tell", err)
		told = append(told, entry)
	}
	for i, put := range wanted {
		if put {
			storetest.OK(t, "append", w.log.Append(t.Context(), told[i]))
		}
	}
}

// TestABurstSlowsNobodyLater has many write at once. Whoever writes later must not read the log from there, for ever.
func TestABurstSlowsNobodyLater(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	w.tell(t, group, true, true, true, true, true, true, true, true)
	for i := range 5 {
		_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, fmt.Sprint("message ", i)))
		storetest.OK(t, "send", err)
	}
	log := w.groupLog(t, group)
	if last := log[len(log)-1]; last.Base != last.Sequence-1 {
		t.Errorf("entry %d knows the log up to %d only", last.Sequence, last.Base)
	}
}

// TestAPageBackHasNoHole reads from the end back where two numbers are empty.
func TestAPageBackHasNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, storetest.Staleness{})
		group := w.found(t, w.ann, w.bob)
		w.tell(t, group, true, false, true, false, true)
		page, _, err := w.healthy().History(t.Context(), w.app, w.bob, id.Conversation(group), message.Descending, "", 10)
		storetest.OK(t, "read back", err)
		for i, m := range page {
			if m.Seq != int64(6-i) {
				t.Fatalf("message %d of the page has the number %d", i, m.Seq)
			}
		}
		if len(page) != 6 {
			t.Errorf("the page has %d messages, want 6", len(page))
		}

		w.tell(t, group, false, true) // the next page begins where a number is empty
		page, _, err = w.healthy().History(t.Context(), w.app, w.bob, id.Conversation(group), message.Descending, "7", 2)
		storetest.OK(t, "read on", err)
		if len(page) != 2 || page[0].Seq != 7 || page[0].Type != message.TypeVoid {
			t.Errorf("the page is %+v", page)
		}
		_, _, err = w.healthy().History(t.Context(), w.app, w.bob, id.Conversation(group), message.Descending, "20", 2)
		storetest.OK(t, "read from behind the end", err)
		if log := w.groupLog(t, group); len(log) != 8 {
			t.Errorf("%d entries, want 8", len(log))
		}
	})
}

// TestAMarkPassesNoHole marks an entry before which a number is empty still.
func TestAMarkPassesNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, storetest.Staleness{})
		group := w.found(t, w.ann, w.bob)
		w.tell(t, group, true, false, true)
		_, err := w.healthy().Acknowledge(t.Context(), w.app, w.bob, id.Conversation(group), 4)
		storetest.OK(t, "acknowledge", err)
		if log := w.groupLog(t, group); len(log) != 4 {
			t.Errorf("bob has acknowledged 4, and %d entries stand there", len(log))
		}
	})
}

// TestAResumeEndsWithTheMembership removes a member between two windows and takes it in again: what was said between is none
// of its business.
func TestAResumeEndsWithTheMembership(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	say := func(text string) {
		_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, text))
		storetest.OK(t, "send", err)
	}
	for i := range message.PageSize + 5 {
		say(fmt.Sprint("message ", i))
	}
	_, progress, err := w.healthy().Begin(t.Context(), w.app, w.bob, message.NoVersion, noGroups)
	storetest.OK(t, "begin", err)
	if progress == nil {
		t.Fatal("one window was enough")
	}
	_, err = w.turn(t.Context(), w.healthy(), group, w.bob, message.UserRemoved)
	storetest.OK(t, "remove", err)
	say("a secret")
	joined, err := w.turn(t.Context(), w.healthy(), group, w.bob, message.UsersJoined)
	storetest.OK(t, "join", err)
	window, _, err := w.healthy().Next(t.Context(), w.app, w.bob, *progress)
	storetest.OK(t, "go on", err)
	for _, m := range window.Items {
		if m.Seq < joined.Sequence {
			t.Errorf("who joined with %d is told %d: %q", joined.Sequence, m.Seq, m.Message)
		}
	}
}

// TestASyncFitsAFrame has many groups and large messages.
func TestASyncFitsAFrame(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	for range 490 {
		w.found(t, w.bob)
	}
	large := strings.Repeat("\x01", 3300)
	for i := range 7 {
		from := w.register(t, fmt.Sprint("user", i))
		_, err := w.healthy().Send(t.Context(), message.Draft{App: w.app, From: from, To: string(w.bob), Text: large})
		storetest.OK(t, "send", err)
	}
	_, err := w.turn(t.Context(), w.healthy(), w.found(t, w.ann), w.bob, message.UsersJoined)
	storetest.OK(t, "join", err)
	answer, err := w.healthy().Sync(t.Context(), w.app, w.bob, 0)
	storetest.OK(t, "sync", err)
	if size := len(encoded(t, answer)); size > 128<<10 || len(answer.Groups) != 491 {
		t.Errorf("the answer to sync has %d bytes and %d groups", size, len(answer.Groups))
	}
}

// stalest is a log whose cheap reads have not seen the entries from one on.
type stalest struct {
	message.Log
	unseen int64
}

func (l stalest) ReadBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]message.Entry, error) {
	if !strong {
		to = l.unseen - 1
	}
	return l.Log.ReadBack(ctx, app, conversation, to, limit, strong)
}

// TestAListShowsNothingBeforeTheMembership lists the conversations of one who has just joined, by a read that has not seen that.
func TestAListShowsNothingBeforeTheMembership(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann)
	_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "a secret"))
	storetest.OK(t, "send", err)
	joined, err := w.turn(t.Context(), w.healthy(), group, w.bob, message.UsersJoined)
	storetest.OK(t, "join", err)
	service := w.healthy()
	service.Log = stalest{w.log, joined.Sequence}
	list, _, err := service.Conversations(t.Context(), w.app, w.bob, "", 10)
	storetest.OK(t, "list", err)
	if len(list) != 1 || list[0].Last.Seq != joined.Sequence {
		t.Errorf("the list is %+v", list)
	}
}

// interrupted is a log before whose reads something happens, once.
type interrupted struct {
	message.Log
	happens *func()
	// atEnd says that it happens before a look at the end alone, too.
	atEnd bool
}

func (l interrupted) Read(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int, strong bool) ([]message.Entry, error) {
	l.happen()
	return l.Log.Read(ctx, app, conversation, from, limit, strong)
}

func (l interrupted) ReadBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]message.Entry, error) {
	if l.atEnd || limit > 1 {
		l.happen()
	}
	return l.Log.ReadBack(ctx, app, conversation, to, limit, strong)
}

func (l interrupted) happen() {
	if do := *l.happens; do != nil {
		*l.happens = nil
		do()
	}
}

func encoded(t *testing.T, value any) []byte {
	text, err := json.Marshal(value)
	storetest.OK(t, "encode", err)
	return text
}

// TestWhatComesAfterARemoval removes a member while it reads: between the look at its row and that at the log.
func TestWhatComesAfterARemoval(t *testing.T) {
	type service = message.Service
	for name, read := range map[string]func(t *testing.T, w *world, s *service, group id.Group) []message.Message{
		"the history": func(t *testing.T, w *world, s *service, group id.Group) []message.Message {
			page, _, err := s.History(t.Context(), w.app, w.bob, id.Conversation(group), message.Ascending, "", 50)
			storetest.OK(t, "read", err)
			return page
		},
		"the history from its end": func(t *testing.T, w *world, s *service, group id.Group) []message.Message {
			page, _, err := s.History(t.Context(), w.app, w.bob, id.Conversation(group), message.Descending, "", 50)
			storetest.OK(t, "read", err)
			return page
		},
		"a resume": func(t *testing.T, w *world, s *service, _ id.Group) []message.Message {
			window, _, err := s.Begin(t.Context(), w.app, w.bob, message.NoVersion, noGroups)
			storetest.OK(t, "begin", err)
			return window.Items
		},
		"the inbox": func(t *testing.T, w *world, s *service, _ id.Group) []message.Message {
			page, _, err := s.Inbox(t.Context(), w.app, w.bob, false, "", 50)
			storetest.OK(t, "poll", err)
			return page
		},
		"the unread": func(t *testing.T, w *world, s *service, _ id.Group) []message.Message {
			page, _, err := s.Inbox(t.Context(), w.app, w.bob, true, "", 50)
			storetest.OK(t, "poll", err)
			return page
		},
		"the list": func(t *testing.T, w *world, s *service, _ id.Group) (last []message.Message) {
			page, _, err := s.Conversations(t.Context(), w.app, w.bob, "", 50)
			storetest.OK(t, "list", err)
			for _, conversation := range page {
				last = append(last, *conversation.Last)
			}
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.Staleness{})
			group := w.found(t, w.ann, w.bob)
			say := func(text string) {
				_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, text))
				storetest.OK(t, "send", err)
			}
			say("hello")
			say("there")
			remove := func() {
				_, err := w.turn(t.Context(), w.healthy(), group, w.bob, message.UserRemoved)
				storetest.OK(t, "remove", err)
				say("a secret")
			}
			service := w.healthy()
			service.Log = interrupted{w.log, &remove, name == "the list"}
			page := read(t, w, service, group)
			told := 0
			for _, m := range page {
				if m.Message == "a secret" {
					t.Errorf("%d comes after the removal", m.Seq)
				}
				if m.Type == message.TypeText {
					told++
				}
			}
			if told != 2 && name != "the list" {
				t.Errorf("%d messages from before the removal, want 2", told)
			}
		})
	}
}

// TestNobodyIsRemindedOfNothing has rows that tell of a change which the log has not: tables that were restored to other moments.
func TestNobodyIsRemindedOfNothing(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann)
	_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "a secret"))
	storetest.OK(t, "send", err)
	for _, sequence := range []int64{2, 3, 1} {
		storetest.OK(t, "remind", w.healthy().Remind(t.Context(), w.app, group, sequence, []id.User{w.bob}))
		record, err := w.records.Record(t.Context(), w.app, w.bob, true)
		storetest.OK(t, "read the record", err)
		if told := len(record.Ring) > 0; told != (sequence == 1) {
			t.Errorf("bob was told of %d: %v", sequence, told)
		}
	}
}
