package message_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// found makes a group of the users as its creation does: its first entry, and everybody in from there.
func (w *world) found(t storetest.T, owner id.User, members ...id.User) id.Group {
	group := id.Source{}.Group()
	entry, err := w.healthy().Told(context.Background(), message.Entry{App: w.app, Conversation: id.Conversation(group), Sequence: 1,
		Sender: owner, Type: message.TypeEvent}, message.GroupChange{Kind: message.GroupCreated})
	storetest.OK(t, "tell of the creation", err)
	storetest.OK(t, "append", w.log.Append(context.Background(), entry))
	w.groups.Change(w.app, group, func(g *messagetestGroup) { g.Sequence = 1 })
	w.seat(group, owner, message.Seat{State: message.Joined, Role: authz.GroupOwner, Since: 1}, 0)
	for _, member := range members {
		w.seat(group, member, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1}, 0)
	}
	return group
}

// seat sets the user's place in the group, in the roster and in the user's row.
func (w *world) seat(group id.Group, user id.User, seat message.Seat, ordinal int64) {
	w.groups.Change(w.app, group, func(g *messagetestGroup) {
		if delete(g.Members, user); seat.State == message.Joined {
			g.Members[user] = seat
		}
		w.members.SetSeat(w.app, user, group, seat, max(0, seat.Since-1), ordinal)
	})
}

// turn changes the user's place in the group with an entry that tells of it, as package group does: entry, roster and row at
// once. It returns the entry.
func (w *world) turn(ctx context.Context, service *message.Service, group id.Group, user id.User, kind message.ChangeKind) (message.Entry, error) {
	for {
		entry, err := service.Tell(ctx, w.app, group, "", message.GroupChange{Kind: kind, Users: []id.User{user}})
		if err != nil {
			return message.Entry{}, err
		}
		var taken bool
		w.groups.Change(w.app, group, func(g *messagetestGroup) {
			if taken = w.log.Append(ctx, entry) != nil; taken {
				return
			}
			seat := message.Seat{State: message.Left}
			if delete(g.Members, user); kind == message.UsersJoined {
				seat = message.Seat{State: message.Joined, Role: authz.GroupMember, Since: entry.Sequence}
				g.Members[user] = seat
			}
			w.members.SetSeat(w.app, user, group, seat, entry.Sequence-1, entry.ToLower)
		})
		if !taken { // else somebody has waited for us too long
			return entry, service.Publish(ctx, entry, []id.User{user})
		}
	}
}

func (w *world) draft(from id.User, group id.Group, text string) message.Draft {
	return message.Draft{App: w.app, From: from, To: string(group), Text: text, ClientID: text}
}

// groupLog returns the whole log of the group.
func (w *world) groupLog(t storetest.T, group id.Group) (all []message.Entry) {
	for {
		page, err := w.log.Read(context.Background(), w.app, id.Conversation(group), int64(len(all))+1, message.PageSize, true)
		storetest.OK(t, "read the log", err)
		if all = append(all, page...); len(page) < message.PageSize {
			return all
		}
	}
}

func TestSendToAGroup(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	carol := w.register(t, "carol")
	group := w.found(t, w.ann, w.bob)
	sent, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "hello"))
	storetest.OK(t, "send", err)
	if m := sent.Message; m.Seq != 2 || m.To != string(group) || m.ConversationID != id.Conversation(group) || m.Message != "hello" {
		t.Errorf("sent %+v", m)
	}
	for _, retry := range []message.Draft{w.draft(w.ann, group, "hello"), w.draft(w.ann, group, "hello")} {
		again, err := w.healthy().Send(t.Context(), retry)
		storetest.OK(t, "retry", err)
		if !reflect.DeepEqual(again.Message, sent.Message) {
			t.Errorf("the retry is %+v", again.Message)
		}
	}
	other := w.draft(w.ann, group, "hello")
	other.Text = "something else"
	_, err = w.healthy().Send(t.Context(), other)
	refused(t, "another text under the client ID", err, fault.ClientIDConflict)
	_, err = w.healthy().Send(t.Context(), w.draft(carol, group, "let me in"))
	refused(t, "a stranger's message", err, fault.NotAMember)
	_, err = w.healthy().Send(t.Context(), w.draft(carol, id.Source{}.Group(), "anybody?"))
	refused(t, "a message to nowhere", err, fault.GroupNotFound)

	list, _, err := w.healthy().Conversations(t.Context(), w.app, w.bob, "", 10)
	storetest.OK(t, "list", err)
	if len(list) != 1 || list[0].Unread != 1 || list[0].With != string(group) {
		t.Errorf("bob's list is %+v", list)
	}
	mine, _, err := w.healthy().Conversations(t.Context(), w.app, w.ann, "", 10)
	storetest.OK(t, "list", err)
	if len(mine) != 1 || mine[0].Unread != 0 {
		t.Errorf("ann's list is %+v", mine)
	}
	strangers, _, err := w.healthy().Conversations(t.Context(), w.app, carol, "", 10)
	if err != nil || len(strangers) != 0 {
		t.Errorf("carol's list is %+v, %v", strangers, err)
	}
	_, _, err = w.healthy().History(t.Context(), w.app, carol, id.Conversation(group), message.Ascending, "", 10)
	refused(t, "a stranger's look", err, fault.ConversationNotFound)
}

func TestWhoMaySpeak(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	send := func(from id.User, text string, want fault.Code) {
		t.Helper()
		_, err := w.healthy().Send(t.Context(), w.draft(from, group, text))
		if want == "" {
			storetest.OK(t, text, err)
		} else if !fault.Is(err, want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	set := func(change func(*messagetestGroup)) { w.groups.Change(w.app, group, change) }
	set(func(g *messagetestGroup) { g.AdminsOnly = true })
	send(w.bob, "admins only", fault.GroupAdminsOnly)
	send(w.ann, "I am the owner", "")
	set(func(g *messagetestGroup) { g.AdminsOnly, g.Hushed = false, true })
	send(w.bob, "all muted", fault.GroupMuted)
	send(w.ann, "I still am", "")
	set(func(g *messagetestGroup) { g.Hushed = false })
	w.seat(group, w.bob, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1, MutedUntil: time.Now().Add(time.Hour)}, 0)
	send(w.bob, "muted", fault.MemberMuted)
	w.seat(group, w.bob, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1, MutedUntil: time.Now().Add(-time.Second)}, 0)
	send(w.bob, "not any more", "")
	set(func(g *messagetestGroup) { g.Dismissed = true })
	send(w.ann, "dismissed", fault.GroupDismissed)
}

// A member sees what came while it was one: from the entry by which it joined on, and nothing once it has left.
func TestWhatAMemberSees(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann)
	send := func(text string) {
		_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, text))
		storetest.OK(t, "send", err)
	}
	send("before")
	_, err := w.turn(t.Context(), w.healthy(), group, w.bob, message.UsersJoined)
	storetest.OK(t, "join", err)
	send("one")
	send("two")
	for _, order := range []message.Order{message.Ascending, message.Descending} {
		var texts []string
		for position := ""; ; {
			page, next, err := w.healthy().History(t.Context(), w.app, w.bob, id.Conversation(group), order, position, 2)
			storetest.OK(t, "history", err)
			for _, m := range page {
				texts = append(texts, m.Type+m.Message)
			}
			if position = next; next == "" {
				break
			}
		}
		want := []string{"event", "textone", "texttwo"}
		if order == message.Descending {
			slices.Reverse(want)
		}
		if !slices.Equal(texts, want) {
			t.Errorf("%s: bob sees %q", order, texts)
		}
	}
	unread, _, err := w.healthy().Inbox(t.Context(), w.app, w.bob, true, "", 10)
	storetest.OK(t, "inbox", err)
	list, _, err := w.healthy().Conversations(t.Context(), w.app, w.bob, "", 10)
	storetest.OK(t, "list", err)
	if len(unread) != 2 || list[0].Unread != 2 {
		t.Errorf("bob has %d unread, and the list says %d", len(unread), list[0].Unread)
	}
	window, progress, err := w.healthy().Begin(t.Context(), w.app, w.bob, message.NoVersion, noGroups)
	if err != nil || progress != nil || len(window.Items) != 3 {
		t.Errorf("bob's resume is %+v, %+v, %v", window, progress, err)
	}
	changes, err := w.healthy().Sync(t.Context(), w.app, w.bob, 0)
	storetest.OK(t, "sync", err)
	if len(changes.Changed) != 1 || changes.Changed[0].State != message.Joined || len(changes.Groups) != 1 || changes.Groups[0].Seq != 5 {
		t.Errorf("bob's sync is %+v", changes)
	}
	marks, err := w.healthy().MarkRead(t.Context(), w.app, w.bob, id.Conversation(group), 4)
	if err != nil || *marks.Unread != 1 {
		t.Errorf("bob's marks are %+v, %v", marks, err)
	}

	_, err = w.turn(t.Context(), w.healthy(), group, w.bob, message.UserRemoved)
	storetest.OK(t, "remove", err)
	send("after")
	_, _, err = w.healthy().History(t.Context(), w.app, w.bob, id.Conversation(group), message.Ascending, "", 10)
	refused(t, "history", err, fault.ConversationNotFound)
	_, err = w.healthy().Acknowledge(t.Context(), w.app, w.bob, id.Conversation(group), 6)
	refused(t, "acknowledge", err, fault.ConversationNotFound)
	if window, _, err = w.healthy().Begin(t.Context(), w.app, w.bob, message.NoVersion, noGroups); err != nil || len(window.Items) != 0 {
		t.Errorf("bob's resume is %+v, %v", window, err)
	}
	changes, err = w.healthy().Sync(t.Context(), w.app, w.bob, 1)
	storetest.OK(t, "sync", err)
	if len(changes.Changed) != 1 || changes.Changed[0].State != message.Left || changes.Changed[0].Last != nil || len(changes.Groups) != 0 {
		t.Errorf("bob's sync is %+v", changes)
	}
}

// A writer that dies between taking its number and putting its entry leaves a void, and keeps nobody waiting for long.
func TestAnAbandonedNumberBecomesAVoid(t *testing.T) {
	for _, reader := range []string{"the next writer", "history", "history back", "resume"} {
		t.Run(reader, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, storetest.Staleness{})
				group := w.found(t, w.ann, w.bob)
				_, err := w.process(&storetest.Fuse{At: 1, TookEffect: true, Dies: true}).Send(t.Context(), w.draft(w.ann, group, "lost"))
				storetest.Refused(t, "send", err, storetest.ErrFuse)
				begun := time.Now()
				if reader == "the next writer" {
					_, err := w.healthy().Send(t.Context(), w.draft(w.bob, group, "next"))
					storetest.OK(t, "send", err)
				} else { // the next writer dies too, after its entry stands
					_, err := w.process(&storetest.Fuse{At: 3, TookEffect: true, Dies: true}).Send(t.Context(), w.draft(w.bob, group, "next"))
					storetest.Refused(t, "send", err, storetest.ErrFuse)
					time.Sleep(2 * time.Second)
				}
				order := message.Ascending
				switch reader {
				case "resume":
					window, _, err := w.healthy().Begin(t.Context(), w.app, w.ann, message.NoVersion, noGroups)
					if err != nil || len(window.Items) != 3 {
						t.Errorf("the window is %+v, %v", window, err)
					}
				case "history back":
					order = message.Descending
					fallthrough
				default:
					page, _, err := w.healthy().History(t.Context(), w.app, w.ann, id.Conversation(group), order, "", 10)
					if err != nil || len(page) != 3 || page[1].Type != message.TypeVoid || page[1].Message != "" || page[1].From != "" {
						t.Errorf("the history is %+v, %v", page, err)
					}
				}
				if waited := time.Since(begun); waited > 3*time.Second {
					t.Errorf("it took %v", waited)
				}
				again, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "lost"))
				storetest.OK(t, "retry", err)
				if again.Message.Seq != 4 {
					t.Errorf("the retry stands at %d", again.Message.Seq)
				}
			})
		})
	}
}

// crowd has many users write to one group, join and leave it at once, on stale tables, with processes that die anywhere.
type crowd struct {
	*simulation
	group id.Group
	users []id.User
}

// watched has every broadcast of the service looked at.
type watched struct {
	message.Devices
	seen func(users []id.User, frame []byte)
}

func (w watched) Broadcast(_ context.Context, _ id.App, users []id.User, _ id.Conversation, _ int64, _ string, frame []byte) error {
	w.seen(users, frame)
	return nil
}

func TestGroupSimulation(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { simulateCrowd(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func simulateCrowd(t *testing.T, seed uint64) {
	lag := []int64{1, 4, storetest.AnyAge}[seed%3]
	s := &simulation{world: newWorld(t, storetest.Staleness{Seed: seed, Lag: lag}), t: t,
		random: rand.New(rand.NewPCG(seed, 1)), acked: map[string]message.Message{}}
	c := &crowd{simulation: s, users: []id.User{s.ann, s.bob, s.register(t, "carol")}}
	c.group = s.found(t, s.ann, s.bob, c.users[2])
	for number := range 2 + s.random.IntN(6) {
		draft := s.draft(c.users[s.random.IntN(len(c.users))], c.group, fmt.Sprintf("m%d", number))
		if s.random.IntN(4) == 0 {
			draft.ClientID = ""
		}
		for attempt := range 1 + s.random.IntN(3) {
			if draft.ClientID == "" && attempt > 0 {
				break
			}
			own := rand.New(rand.NewPCG(seed<<8+uint64(number), uint64(attempt)+3))
			s.all.Go(func() { c.write(draft, fmt.Sprintf("%s.%d", draft.Text, attempt), own) })
		}
	}
	if s.random.IntN(2) == 0 {
		s.all.Go(c.move)
	}
	s.schedule()
	c.verify()
}

// service returns a Lambda's services whose calls are scheduled, and whose broadcasts are checked.
func (c *crowd) service(who string, fuse *storetest.Fuse) *message.Service {
	fuse.Before = c.gate(who)
	service := c.process(fuse)
	service.Devices = watched{service.Devices, c.told}
	return service
}

func (c *crowd) write(draft message.Draft, who string, random *rand.Rand) {
	for try := 0; ; try++ {
		fuse := &storetest.Fuse{}
		if try < 3 && random.IntN(2) == 0 {
			fuse.At, fuse.TookEffect, fuse.Dies = 1+random.IntN(5), random.IntN(2) == 0, random.IntN(4) > 0
		}
		sent, err := c.service(who, fuse).Send(context.Background(), draft)
		switch {
		case err == nil:
			c.readable(draft, sent.Message)
			return
		case fault.Is(err, fault.NotAMember):
			return // moved out
		case !errors.Is(err, storetest.ErrFuse) && !fault.Is(err, fault.ConversationBusy):
			c.t.Errorf("%s: %v", who, err)
			return
		case draft.ClientID == "":
			return // nobody may repeat it
		}
	}
}

// move has carol leave and come back.
func (c *crowd) move() {
	for _, kind := range []message.ChangeKind{message.UserLeft, message.UsersJoined} {
		if _, err := c.turn(context.Background(), c.service("mover", &storetest.Fuse{}), c.group, c.users[2], kind); err != nil {
			c.t.Errorf("%s: %v", kind, err)
		}
	}
}

// readable checks what an answer promises: the message stands in the log, and so does everything before it.
func (c *crowd) readable(draft message.Draft, answer message.Message) {
	log := c.groupLog(c.t, c.group)
	for i, entry := range log[:min(len(log), int(answer.Seq))] {
		if entry.Sequence != int64(i)+1 {
			c.t.Errorf("%s was acknowledged as %d while %d was missing", draft.Text, answer.Seq, i+1)
			return
		}
	}
	if int64(len(log)) < answer.Seq || log[answer.Seq-1].Sender != draft.From || log[answer.Seq-1].ClientID != draft.ClientID {
		c.t.Errorf("%s was acknowledged as %d, which cannot be read", draft.Text, answer.Seq)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if earlier, ok := c.acked[draft.Text]; ok && !reflect.DeepEqual(earlier, answer) {
		c.t.Errorf("%s was answered with %+v and with %+v", draft.Text, earlier, answer)
	}
	c.acked[draft.Text] = answer
}

// told checks that an entry is shown to exactly those who are members at its place in the log.
func (c *crowd) told(users []id.User, frame []byte) {
	shown := decode[message.Arrival](c.t, frame).Message
	var concerned []id.User
	inside := map[id.User]bool{c.users[0]: true, c.users[1]: true, c.users[2]: true}
	for _, entry := range c.groupLog(c.t, c.group) {
		if entry.Sequence > shown.Seq {
			break
		}
		if entry.Type != message.TypeEvent || entry.Sequence == 1 {
			continue
		}
		text, err := c.keyring.Open(context.Background(), c.app, seat(entry), entry.Sealed)
		storetest.OK(c.t, "open", err)
		change := decode[message.GroupChange](c.t, text)
		concerned = nil
		if entry.Sequence == shown.Seq {
			concerned = change.Users
		}
		inside[change.Users[0]] = change.Kind == message.UsersJoined
	}
	for _, user := range c.users {
		want := inside[user] && !slices.Contains(concerned, user) // whom it concerns is told by a note
		now, err := c.groups.Roster(context.Background(), c.app, c.group)
		storetest.OK(c.t, "roster", err)
		seat, still := now.Members[user]
		moved := !still || seat.Since > shown.Seq // who has left since need not be told any more
		if got := slices.Contains(users, user); got != want && (got || !moved) {
			c.t.Errorf("entry %d was shown to %v: %v; want %v", shown.Seq, user, got, want)
		}
	}
}

// verify looks at the tables when everything has come to rest.
func (c *crowd) verify() {
	c.settle()
	time.Sleep(3 * time.Second) // of the bubble: what was abandoned is old enough to be filled
	page, _, err := c.healthy().History(context.Background(), c.app, c.ann, id.Conversation(c.group), message.Ascending, "", 100)
	storetest.OK(c.t, "history", err)
	texts, ordinal := map[string]int{}, int64(0)
	log := c.groupLog(c.t, c.group)
	for i, entry := range page {
		if entry.Seq != int64(i)+1 {
			c.t.Fatalf("entry %d has sequence %d", i+1, entry.Seq)
		}
		if entry.Type == message.TypeText {
			texts[entry.Message]++
		}
		if now := log[i].ToLower; now < ordinal || entry.Type == message.TypeText && now == ordinal {
			c.t.Errorf("entry %d has ordinal %d after %d", entry.Seq, now, ordinal)
		}
		ordinal = log[i].ToLower
	}
	for text, times := range texts {
		if _, acknowledged := c.acked[text]; times != 1 && acknowledged {
			c.t.Errorf("%s stands %d times", text, times)
		}
	}
	for text, answer := range c.acked {
		if texts[text] != 1 || page[answer.Seq-1].Message != text {
			c.t.Errorf("%s was acknowledged as %d and stands %d times", text, answer.Seq, texts[text])
		}
	}
	if last := strconv.FormatInt(int64(len(page)), 10); len(page) < len(log) {
		c.t.Errorf("the history ends at %s of %d", last, len(log))
	}
}

func refused(t *testing.T, doing string, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("%s: %v, want %s", doing, err, code)
	}
}

type messagetestGroup = messagetest.Group

func decode[T any](t storetest.T, text []byte) (value T) {
	storetest.OK(t, "decode", json.Unmarshal(text, &value))
	return value
}

// seat is the place that an entry's text is sealed for.
func seat(e message.Entry) seal.Place {
	return seal.Place{Conversation: e.Conversation, Sequence: e.Sequence, Sender: e.Sender}
}
