package message_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// act is what the user does with the pair's message of the sequence.
func (w *world) act(user id.User, sequence int64) message.Act {
	return message.Act{Caller: authz.Caller{App: w.app, User: user}, Conversation: w.pair(), Sequence: sequence}
}

// inGroup is what the user does with the group's message.
func (w *world) inGroup(user id.User, group id.Group, sequence int64) message.Act {
	return message.Act{Caller: authz.Caller{App: w.app, User: user, EndUser: true, UserRights: authz.Rights{Kind: authz.Users}},
		Conversation: id.Conversation(group), Sequence: sequence}
}

func edit(text string) message.Edit { return message.Edit{Text: &text} }

// wantCode fails unless the error has the code.
func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// at returns the pair's message of the sequence as the user sees it.
func (w *world) at(t *testing.T, user id.User, sequence int64) message.Message {
	t.Helper()
	found, err := w.healthy().Message(t.Context(), w.app, user, w.pair(), sequence)
	storetest.OK(t, "Message", err)
	return found
}

func TestEditing(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.ann, w.bob, "one", "c1")
	s := w.healthy()
	done, err := s.Edit(t.Context(), w.act(w.ann, 1), edit("two"))
	storetest.OK(t, "Edit", err)
	if done.Sequence != 2 || done.Message.Message != "two" || done.Message.EditedAt == nil {
		t.Errorf("edited: %+v", done)
	}
	again, err := s.Edit(t.Context(), w.act(w.ann, 1), edit("two"))
	storetest.OK(t, "the same again", err)
	if again.Sequence != 2 || len(w.history(t)) != 2 {
		t.Errorf("the same again: %+v, %d entries", again, len(w.history(t)))
	}
	_, err = s.Edit(t.Context(), w.act(w.ann, 1), edit("three"))
	storetest.OK(t, "Edit again", err)
	if got := w.at(t, w.bob, 1); got.Message != "three" || got.Seq != 1 || got.ClientID != "c1" {
		t.Errorf("bob sees %+v", got)
	}
	if first := w.at(t, w.bob, 2); first.Operation.Message != nil || first.Operation.Kind != message.Edited {
		t.Errorf("the first edit still says %+v", first.Operation)
	}
	if second := w.at(t, w.bob, 3); *second.Operation.Message != "three" || second.Operation.Seq != 1 {
		t.Errorf("the second edit says %+v", second.Operation)
	}
	w.wantUnread(t, w.bob, 1)
	w.checkLog(t)

	retried := w.send(t, w.ann, w.bob, "one", "c1") // a retry that comes late finds the message that it came to
	if retried.Seq != 1 || retried.Message != "three" {
		t.Errorf("a late retry is answered %+v", retried)
	}
}

func TestWhoMayEdit(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.ann, w.bob, "one", "")
	clock := clocktest.New(time.Now())
	s := w.healthy()
	s.Clock = clock
	for what, try := range map[string]struct {
		act  message.Act
		edit message.Edit
		code fault.Code
	}{
		"somebody else's":  {w.act(w.bob, 1), edit("two"), fault.MessageNotYours},
		"nobody's":         {w.act(w.ann, 2), edit("two"), fault.MessageNotFound},
		"nothing new":      {w.act(w.ann, 1), message.Edit{}, fault.FieldMissing},
		"no text":          {w.act(w.ann, 1), edit(""), fault.MessageEmpty},
		"too much":         {w.act(w.ann, 1), edit(strings.Repeat("x", message.MaxTextBytes+1)), fault.MessageTooLarge},
		"custom of a text": {w.act(w.ann, 1), message.Edit{Custom: &message.Object{}}, fault.FieldInvalid},
		"a stranger's":     {w.act(w.register(t, "eve"), 1), edit("two"), fault.ConversationNotFound},
	} {
		_, err := s.Edit(t.Context(), try.act, try.edit)
		wantCode(t, what, err, try.code)
	}
	clock.Advance(message.DefaultWindows.Edit + time.Minute)
	_, err := s.Edit(t.Context(), w.act(w.ann, 1), edit("two"))
	wantCode(t, "an ancient one", err, fault.EditTooLate)
	if len(w.history(t)) != 1 {
		t.Error("refused edits left entries")
	}
}

// TestAnEditTellsAll: an edit of one part leaves the other to whoever applies the log, though the edit before it is told no more.
func TestAnEditTellsAll(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	sent, err := s.Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Type: message.TypeCustom, Text: "old caption",
		Parts: message.Parts{Custom: &message.Object{"price": json.RawMessage("1")}}})
	storetest.OK(t, "Send", err)
	device := sent.Message
	for _, each := range []message.Edit{edit("new caption"), {Custom: &message.Object{"price": json.RawMessage("2")}}} {
		_, err = s.Edit(t.Context(), w.act(w.ann, 1), each)
		storetest.OK(t, "Edit", err)
	}
	page, _, err := s.History(t.Context(), w.app, w.bob, w.pair(), message.Ascending, "", 10)
	storetest.OK(t, "History", err)
	for _, entry := range page {
		if told := entry.Operation; told != nil && told.Message != nil {
			device.Message, device.Custom = *told.Message, told.Custom
		}
	}
	if is := page[0]; device.Message != "new caption" || is.Message != "new caption" || string((*device.Custom)["price"]) != "2" {
		t.Errorf("the log says %q %v, the message %q", device.Message, device.Custom, is.Message)
	}
}

func TestAnAppSetsTheWindows(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	clock := clocktest.New(time.Now())
	s := w.healthy()
	s.Clock = clock
	w.operations.Set = message.OperationWindows{Edit: time.Hour} // and no recall at all
	w.send(t, w.ann, w.bob, "one", "")
	_, err := s.Recall(t.Context(), w.act(w.ann, 1))
	wantCode(t, "a recall where there are none", err, fault.RecallTooLate)
	clock.Advance(59 * time.Minute)
	if _, err := s.Edit(t.Context(), w.act(w.ann, 1), edit("two")); err != nil {
		t.Error(err)
	}
	clock.Advance(2 * time.Minute)
	_, err = s.Edit(t.Context(), w.act(w.ann, 1), edit("three"))
	wantCode(t, "an edit after an hour", err, fault.EditTooLate)
	moderating := w.act("", 1)
	moderating.Moderating = true
	if _, err := s.Recall(t.Context(), moderating); err != nil {
		t.Error(err)
	}
}

func TestRecalling(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.ann, w.bob, "secret", "")
	for _, text := range []string{"secret two", "secret three"} {
		_, err := s.Edit(t.Context(), w.act(w.ann, 1), edit(text))
		storetest.OK(t, "Edit", err)
	}
	_, err := s.React(t.Context(), w.act(w.bob, 1), "👍")
	storetest.OK(t, "React", err)
	_, err = s.Recall(t.Context(), w.act(w.bob, 1))
	wantCode(t, "by the other user", err, fault.MessageNotYours)
	done, err := s.Recall(t.Context(), w.act(w.ann, 1))
	storetest.OK(t, "Recall", err)
	if done.Sequence != 5 || done.Message.Message != "" || done.Message.RecalledAt == nil || done.Message.RecalledBy != w.ann {
		t.Errorf("recalled: %+v", done)
	}
	again, err := s.Recall(t.Context(), w.act(w.ann, 1))
	if err != nil || again.Sequence != 5 || len(w.history(t)) != 5 {
		t.Errorf("again: %+v, %v", again, err)
	}
	page, _, err := s.History(t.Context(), w.app, "", w.pair(), message.Ascending, "", 100)
	storetest.OK(t, "History", err)
	if text := fmt.Sprintf("%+v", page); strings.Contains(text, "secret") || page[0].Reactions != nil {
		t.Errorf("after the recall the history has %s", text)
	}
	for what, do := range map[string]func() (message.Done, error){
		"edit":  func() (message.Done, error) { return s.Edit(t.Context(), w.act(w.ann, 1), edit("x")) },
		"react": func() (message.Done, error) { return s.React(t.Context(), w.act(w.bob, 1), "👎") },
		"pin":   func() (message.Done, error) { return s.Pin(t.Context(), w.act(w.bob, 1)) },
	} {
		_, err := do()
		wantCode(t, what, err, fault.MessageRecalled)
	}
	w.wantUnread(t, w.bob, 1)
	w.checkLog(t)
}

func TestWhoMayRecall(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	clock := clocktest.New(time.Now())
	s := w.healthy()
	s.Clock = clock
	w.send(t, w.ann, w.bob, "one", "")
	w.send(t, w.bob, w.ann, "two", "")
	clock.Advance(message.DefaultWindows.Recall + time.Minute)
	_, err := s.Recall(t.Context(), w.act(w.ann, 1))
	wantCode(t, "an ancient one", err, fault.RecallTooLate)
	moderating := w.act("", 1)
	moderating.Moderating = true
	done, err := s.Recall(t.Context(), moderating)
	if err != nil || done.Message.RecalledBy != "" || done.Message.RecalledAt == nil {
		t.Errorf("by a moderator: %+v, %v", done, err)
	}
	if told := w.at(t, w.bob, 3); told.Operation.Kind != message.Recalled || !told.Operation.Moderated {
		t.Errorf("told: %+v", told)
	}
	w.checkLog(t)
}

func TestReactions(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.ann, w.bob, "one", "")
	react := func(user id.User, reaction string, want ...message.ReactionCount) {
		t.Helper()
		done, err := s.React(t.Context(), w.act(user, 1), reaction)
		storetest.OK(t, "React", err)
		if !slices.Equal(done.Message.Reactions, want) {
			t.Errorf("%s: %v, want %v", reaction, done.Message.Reactions, want)
		}
	}
	react(w.ann, "👍", message.ReactionCount{Reaction: "👍", Count: 1})
	react(w.ann, "👍", message.ReactionCount{Reaction: "👍", Count: 1})
	react(w.bob, "👍", message.ReactionCount{Reaction: "👍", Count: 2})
	react(w.bob, ":ship_it:", message.ReactionCount{Reaction: "👍", Count: 2}, message.ReactionCount{Reaction: ":ship_it:", Count: 1})
	done, err := s.Unreact(t.Context(), w.act(w.bob, 1), "👍")
	if err != nil || done.Message.Reactions[0].Count != 1 || done.Sequence != 5 {
		t.Errorf("taken back: %+v, %v", done, err)
	}
	again, err := s.Unreact(t.Context(), w.act(w.bob, 1), "👍")
	if err != nil || again.Sequence != 5 {
		t.Errorf("taken back again: %+v, %v", again, err)
	}
	_, err = s.Unreact(t.Context(), w.act(w.ann, 1), "🎉")
	storetest.OK(t, "take back what is not there", err)
	page, next, err := s.Reactors(t.Context(), w.app, w.ann, w.pair(), 1, "", 10)
	if err != nil || len(page) != 2 || next != "" {
		t.Errorf("who has reacted: %v, %q, %v", page, next, err)
	}
	w.wantUnread(t, w.bob, 1)
	if len(w.history(t)) != 5 {
		t.Errorf("%d entries", len(w.history(t)))
	}
}

func TestReactionsAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.ann, w.bob, "one", "")
	for i := range message.MaxReactionKinds {
		_, err := s.React(t.Context(), w.act(w.ann, 1), fmt.Sprintf(":r%d:", i))
		storetest.OK(t, "React", err)
	}
	_, err := s.React(t.Context(), w.act(w.bob, 1), ":one_more:")
	wantCode(t, "one kind too many", err, fault.ReactionsFull)
	_, err = s.React(t.Context(), w.act(w.bob, 1), ":r0:")
	storetest.OK(t, "one that is there", err)
	for _, text := range []string{"", "hello", "👍 hello", ":Hello:", "::", ":a b:", "1", "\u200d", strings.Repeat("👍", 13), "<b>"} {
		_, err := s.React(t.Context(), w.act(w.bob, 1), text)
		wantCode(t, fmt.Sprintf("%q", text), err, fault.ReactionInvalid)
	}
	for _, text := range []string{"❤️", "👩🏽‍🚀", "🇨🇳", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "‼️", "👨‍👩‍👧‍👦"} {
		_, err := s.React(t.Context(), w.act(w.bob, 1), text)
		wantCode(t, fmt.Sprintf("%q, an emoji", text), err, fault.ReactionsFull)
	}
}

func TestPins(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	for i := range message.MaxPins + 1 {
		w.send(t, w.ann, w.bob, fmt.Sprint(i), "")
	}
	for i := range message.MaxPins {
		_, err := s.Pin(t.Context(), w.act(w.bob, int64(i)+1))
		storetest.OK(t, "Pin", err)
	}
	_, err := s.Pin(t.Context(), w.act(w.ann, message.MaxPins+1))
	wantCode(t, "one too many", err, fault.PinsFull)
	before := len(w.history(t))
	_, err = s.Pin(t.Context(), w.act(w.ann, 1))
	storetest.OK(t, "again", err)
	if len(w.history(t)) != before {
		t.Error("pinned twice")
	}
	_, err = s.Unpin(t.Context(), w.act(w.ann, 3))
	storetest.OK(t, "Unpin", err)
	done, err := s.Pin(t.Context(), w.act(w.ann, 2)) // long since done: the last operation on pins is another's
	if err != nil || done.Sequence != 0 {
		t.Errorf("pinned before: %+v, %v", done, err)
	}
	pinned, err := s.PinnedMessages(t.Context(), w.app, w.ann, w.pair())
	if err != nil || len(pinned) != message.MaxPins-1 || pinned[0].Seq != message.MaxPins {
		t.Errorf("pinned: %v, %v", pinned, err)
	}
}

// What a blocked user does is accepted silently as its messages are: who has blocked it sees the message as it was.
func TestOperationsOfBlockedUsers(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.bob, w.ann, "before", "")
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")
	for _, sequence := range []int64{1, 2} {
		_, err := s.Edit(t.Context(), w.act(w.bob, sequence), edit("rude"))
		storetest.OK(t, "Edit", err)
		_, err = s.React(t.Context(), w.act(w.bob, sequence), "👎")
		storetest.OK(t, "React", err)
	}
	page, _, err := s.History(t.Context(), w.app, w.ann, w.pair(), message.Ascending, "", 100)
	storetest.OK(t, "History", err)
	for i, each := range page {
		if i == 0 && (each.Message != "before" || each.Reactions != nil) || i > 0 && each.Type != message.TypeVoid {
			t.Errorf("the blocker sees %+v", each)
		}
	}
	_, err = s.React(t.Context(), w.act(w.ann, 2), "👍")
	wantCode(t, "the blocker reacts to what it does not see", err, fault.MessageNotFound)
	_, err = s.Recall(t.Context(), w.act(w.bob, 1))
	storetest.OK(t, "Recall", err)
	if got := w.at(t, w.ann, 1); got.RecalledAt == nil {
		t.Error("what a blocked user takes back is still there")
	}
	w.wantUnread(t, w.ann, 1)
}

// Two processes do things with one message at once, on tables that are stale, and die at any write; repeated until they succeed
// they come to the same as one after the other: every reaction counts once, and one text is the last.
func TestOperationsAtOnce(t *testing.T) {
	for seed := range 40 {
		w := newWorld(t, storetest.Staleness{Seed: uint64(seed), Lag: 8})
		w.send(t, w.ann, w.bob, "one", "")
		w.settle()
		clock := clocktest.New(time.Now())
		var group sync.WaitGroup
		for _, user := range []id.User{w.ann, w.bob} {
			group.Go(func() {
				for i := range 4 {
					w.persist(t, clock, seed+i, func(ctx context.Context, s *message.Service) error {
						_, err := s.React(ctx, w.act(user, 1), fmt.Sprintf(":r%d:", i))
						return err
					})
				}
				w.persist(t, clock, seed, func(ctx context.Context, s *message.Service) error {
					_, err := s.Unreact(ctx, w.act(user, 1), ":r3:")
					return err
				})
				if user == w.ann {
					for i := range 3 {
						w.persist(t, clock, seed+i, func(ctx context.Context, s *message.Service) error {
							_, err := s.Edit(ctx, w.act(user, 1), edit(fmt.Sprint("edit ", i)))
							return err
						})
					}
				}
			})
		}
		group.Wait()
		w.settle()
		w.checkLog(t)
		w.checkReplay(t, seed)
	}
}

// persist does it again until it succeeds, with processes that die at a write, each later than the one before. Whoever waits
// moves the clock.
func (w *world) persist(t *testing.T, clock *clocktest.Clock, luck int, do func(context.Context, *message.Service) error) {
	for attempt := range 50 {
		fuse := &storetest.Fuse{At: (luck + attempt) % 5, TookEffect: attempt%2 == 0, Dies: true}
		s := w.process(fuse)
		s.Clock, s.Pause = clock, func(context.Context, int) error { clock.Advance(100 * time.Millisecond); return nil }
		err := do(context.Background(), s)
		if err == nil {
			return
		}
		if !errors.Is(err, storetest.ErrFuse) && !fault.Is(err, fault.ConversationBusy) {
			t.Errorf("attempt %d: %v", attempt, err)
			return
		}
	}
	t.Error("never succeeded")
}

// checkReplay applies the log's operations in order, as a client does, and wants what the tables have.
func (w *world) checkReplay(t *testing.T, seed int) {
	t.Helper()
	page, _, err := w.healthy().History(t.Context(), w.app, "", w.pair(), message.Ascending, "", 100)
	storetest.OK(t, "History", err)
	counts, text, revisions := map[string]int64{}, "", map[int64]bool{}
	for _, each := range page {
		if of := each.Operation; of != nil {
			if of.Revision != 0 && revisions[of.Revision] || of.Revision > page[0].Revision {
				t.Errorf("seed %d: two operations made revision %d, or none; the message has %d", seed, of.Revision, page[0].Revision)
			}
			revisions[of.Revision] = true
			switch of.Kind {
			case message.Reacted:
				counts[of.Reaction]++
			case message.Unreacted:
				counts[of.Reaction]--
			case message.Edited:
				if of.Message != nil {
					text = *of.Message
				}
			}
		}
	}
	if page[0].Message != text || text != "edit 2" {
		t.Errorf("seed %d: the message says %q, its edits %q", seed, page[0].Message, text)
	}
	for _, each := range page[0].Reactions {
		if counts[each.Reaction] != each.Count || each.Count != 2 {
			t.Errorf("seed %d: %s counts %d, the log says %d", seed, each.Reaction, each.Count, counts[each.Reaction])
		}
	}
	if len(page[0].Reactions) != 3 || counts[":r3:"] != 0 {
		t.Errorf("seed %d: reactions %v", seed, page[0].Reactions)
	}
}
