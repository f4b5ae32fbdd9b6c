package message_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// sealedText opens what was sealed of the entry.
func (w *world) sealedText(t *testing.T, entry message.Entry) string {
	t.Helper()
	text, err := w.keyring.Open(t.Context(), w.app, seal.Place{Conversation: entry.Conversation, Sequence: entry.Sequence, Sender: entry.Sender}, entry.Sealed)
	storetest.OK(t, "open", err)
	return string(text)
}

// reply is ann's reply to a message of the pair, in which she mentions both.
func (w *world) reply(to int64, clientID string) message.Draft {
	return message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "yes", Reply: to, Mentioned: []id.User{w.bob, w.ann, w.bob}, ClientID: clientID}
}

func TestAReplyShowsWhatItRepliesToAndWhomItMentions(t *testing.T) {
	w := newWorld(t, storetest.Staleness{Seed: 1, Lag: 6})
	asked := w.send(t, w.bob, w.ann, "shall we?", "")
	for i, draft := range []message.Draft{w.reply(1, "c1"), {App: w.app, From: w.ann, To: string(w.bob), Type: message.TypeLocation, Reply: 1, ClientID: "c2",
		Parts: message.Parts{Location: &message.Location{Name: "here"}}}} {
		sent, err := w.healthy().Send(t.Context(), draft)
		storetest.OK(t, "Send", err)
		again, err := w.healthy().Send(t.Context(), draft)
		storetest.OK(t, "Send again", err)
		want := &message.Quote{Seq: 1, MessageID: asked.MessageID, From: w.bob, Type: message.TypeText}
		if !reflect.DeepEqual(sent.Message.ReplyTo, want) || !reflect.DeepEqual(again.Message, sent.Message) {
			t.Errorf("sent %+v, then %+v", sent.Message, again.Message)
		}
		w.settle()
		page, _, err := w.healthy().History(t.Context(), w.app, w.bob, w.pair(), message.Ascending, fmt.Sprint(i+2), 1)
		if err != nil || len(page) != 1 || !reflect.DeepEqual(page[0], sent.Message) {
			t.Errorf("sent %+v, read %+v, %v", sent.Message, page, err)
		}
		draft.Reply = 2
		_, err = w.healthy().Send(t.Context(), draft)
		refused(t, "a reply to another message under the client ID", err, fault.ClientIDConflict)
	}
	entries := w.history(t)
	if got, want := w.sealedText(t, entries[0]), "shall we?"; got != want || entries[0].Rich {
		t.Errorf("a text that refers to nothing is sealed as %s", got)
	}
	page, _, err := w.healthy().History(t.Context(), w.app, w.bob, w.pair(), message.Ascending, "2", 1)
	storetest.OK(t, "History", err)
	if first := page[0]; !slices.Equal(first.Mentions, []id.User{w.bob, w.ann}) || first.MentionAll || !entries[1].Rich || entries[1].Type != message.TypeText {
		t.Errorf("the reply is %+v", first)
	}
	list, _, err := w.healthy().Conversations(t.Context(), w.app, w.bob, "", 10)
	if err != nil || len(list) != 1 || list[0].Unread != 2 { // a mention counts once, as every message
		t.Errorf("bob's list is %+v, %v", list, err)
	}
}

// An edit changes what a reply says, and nothing of what it refers to; a recall leaves nothing of it.
func TestAReplyIsEditedAndRecalled(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "shall we?", "")
	sent, err := w.healthy().Send(t.Context(), w.reply(1, "c1"))
	storetest.OK(t, "Send", err)
	_, err = w.healthy().Edit(t.Context(), w.act(w.ann, 2), edit("no"))
	storetest.OK(t, "Edit", err)
	if got := w.at(t, w.bob, 2); got.Message != "no" || !reflect.DeepEqual(got.References, sent.Message.References) {
		t.Errorf("edited: %+v", got)
	}
	again, err := w.healthy().Send(t.Context(), w.reply(1, "c1"))
	if err != nil || again.Message.Message != "no" || !reflect.DeepEqual(again.Message.References, sent.Message.References) {
		t.Errorf("the retry after the edit: %+v, %v", again, err)
	}
	_, err = w.healthy().Recall(t.Context(), w.act(w.ann, 2))
	storetest.OK(t, "Recall", err)
	if got := w.at(t, w.bob, 2); got.Message != "" || got.ReplyTo != nil || got.Mentions != nil {
		t.Errorf("recalled: %+v", got)
	}
}

// A text that looks like what is sealed of a reply is not taken for one, nor for its retry.
func TestATextIsNoReply(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "shall we?", "")
	_, err := w.healthy().Send(t.Context(), w.reply(1, "c1"))
	storetest.OK(t, "Send", err)
	alike := w.sealedText(t, w.history(t)[1])
	if got := w.send(t, w.ann, w.bob, alike, "c2"); got.Message != alike || got.ReplyTo != nil {
		t.Errorf("the text has become %+v", got)
	}
	if got := w.texts(t); got[2] != alike {
		t.Errorf("the text is read as %q", got[2])
	}
	for _, known := range []*int64{nil, new(int64)} {
		_, err = w.healthy().Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: alike, ClientID: "c1", Known: known})
		refused(t, "the text under the reply's client ID", err, fault.ClientIDConflict)
		again := w.reply(1, "c2")
		again.Known = known
		_, err = w.healthy().Send(t.Context(), again)
		refused(t, "the reply under the text's client ID", err, fault.ClientIDConflict)
	}
}

func TestWhatCannotBeRepliedTo(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	carol := w.register(t, "carol")
	group := w.found(t, w.ann, w.bob)
	w.send(t, w.ann, carol, "one", "")
	w.send(t, w.ann, carol, "two", "")
	w.send(t, w.ann, carol, "three", "")
	_, err := w.healthy().Recall(t.Context(), message.Act{Caller: authz.Caller{App: w.app, User: w.ann}, Conversation: id.Pair(w.app, w.ann, carol), Sequence: 3})
	storetest.OK(t, "Recall", err)
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")

	_, err = w.healthy().Send(t.Context(), w.draft(w.ann, group, "before bob is back")) // 2
	storetest.OK(t, "send", err)
	_, err = w.turn(t.Context(), w.healthy(), group, w.bob, message.UserRemoved) // 3
	storetest.OK(t, "remove", err)
	storetest.OK(t, "a void", w.healthy().Settle(t.Context(), w.app, group)) // 4
	_, err = w.turn(t.Context(), w.healthy(), group, w.bob, message.UsersJoined)
	storetest.OK(t, "join", err) // 5
	_, err = w.healthy().Send(t.Context(), w.draft(w.ann, group, "bob is back"))
	storetest.OK(t, "send", err) // 6
	for what, draft := range map[string]message.Draft{
		"a message that there is not yet":       {From: w.ann, To: string(w.bob), Reply: 2},
		"a message of another conversation":     {From: w.ann, To: string(w.bob), Reply: 3},
		"a recalled message":                    {From: w.ann, To: string(carol), Reply: 3},
		"a recall":                              {From: w.ann, To: string(carol), Reply: 4},
		"what was accepted silently":            {From: w.ann, To: string(w.bob), Reply: 1},
		"a group's change":                      {From: w.ann, To: string(group), Reply: 1},
		"a void":                                {From: w.ann, To: string(group), Reply: 4},
		"a group's message that is not yet":     {From: w.ann, To: string(group), Reply: 7},
		"a message from before the sender came": {From: w.bob, To: string(group), Reply: 2},
	} {
		draft.App, draft.Text, draft.ClientID = w.app, "re", "re"
		_, err := w.healthy().Send(t.Context(), draft)
		refused(t, "a reply to "+what, err, fault.ReplyNotFound)
		if refusal := fault.Of(err); len(refusal.Fields) != 1 || refusal.Fields[0].Name != "reply_to" {
			t.Errorf("%s: %+v", what, refusal)
		}
	}
	for _, draft := range []message.Draft{{From: w.bob, To: string(group), Reply: 6}, {From: w.ann, To: string(group), Reply: 2}, {From: w.bob, To: string(w.ann), Reply: 1}} {
		draft.App, draft.Text, draft.ClientID = w.app, "re", "re" // what was refused has not spent its client ID
		sent, err := w.healthy().Send(t.Context(), draft)
		if err != nil || sent.Message.ReplyTo == nil || sent.Message.ReplyTo.Seq != draft.Reply {
			t.Errorf("a reply to %d: %+v, %v", draft.Reply, sent, err)
		}
	}
}

// fanned makes the group's messages be fanned out, with the users as its members' rows and some of them unknown to its roster.
func (w *world) fanned(group id.Group, users ...id.User) {
	w.groups.Change(w.app, group, func(g *messagetestGroup) { g.Roster.Reach, g.Number.Reach = message.Fanned, message.Fanned })
	for _, user := range users {
		w.members.SetSubscriber(w.app, user, group, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1})
	}
}

func TestWhoCanBeMentioned(t *testing.T) {
	for _, lag := range []int64{0, 200} {
		w := newWorld(t, storetest.Staleness{Seed: 3, Lag: lag})
		carol, dave := w.register(t, "carol"), w.register(t, "dave")
		small, large := w.found(t, w.ann, w.bob), w.found(t, w.ann, w.bob, dave)
		_, err := w.turn(t.Context(), w.healthy(), large, dave, message.UserRemoved)
		storetest.OK(t, "remove", err)
		w.settle()
		w.fanned(large, w.ann, carol) // whom the roster does not know, and a cheap read may not see yet
		for what, test := range map[string]struct {
			to    string
			users []id.User
			wrong []string
		}{
			"the two of a pair":             {string(w.bob), []id.User{w.bob, w.ann}, nil},
			"somebody else in a pair":       {string(w.bob), []id.User{w.bob, carol}, []string{"mentions[1]"}},
			"members of a group":            {string(small), []id.User{w.bob, w.ann}, nil},
			"some who are none":             {string(small), []id.User{w.bob, w.bob, carol, w.ann, carol, dave}, []string{"mentions[2]", "mentions[5]"}},
			"members of a large group":      {string(large), []id.User{w.bob, carol, w.ann}, nil},
			"one who has left it":           {string(large), []id.User{carol, dave}, []string{"mentions[1]"}},
			"a stranger to it":              {string(large), []id.User{id.Source{}.User()}, []string{"mentions[0]"}},
			"what is no user":               {string(large), []id.User{"", "ann", id.User(strings.Repeat("u", 3000))}, []string{"mentions[0]", "mentions[1]", "mentions[2]"}},
			"a username, in a small group":  {string(small), []id.User{"bob"}, []string{"mentions[0]"}},
			"as many as there may be, once": {string(small), slices.Repeat([]id.User{w.bob}, message.MaxMentions), nil},
		} {
			sent, err := w.healthy().Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: test.to, Text: "@", Mentioned: test.users, ClientID: what})
			if test.wrong == nil {
				if storetest.OK(t, what, err); len(sent.Message.Mentions) == 0 || len(sent.Message.Mentions) > len(test.users) {
					t.Errorf("%s: %+v", what, sent.Message)
				}
				continue
			}
			refused(t, what, err, fault.MentionNotMember)
			var wrong []string
			for _, field := range fault.Of(err).Fields {
				wrong = append(wrong, field.Name)
			}
			if !slices.Equal(wrong, test.wrong) {
				t.Errorf("%s: %v", what, wrong)
			}
		}
	}
}

func TestReferencesAreChecked(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	for what, test := range map[string]struct {
		draft message.Draft
		code  fault.Code
		field string
	}{
		"a negative number":     {message.Draft{Text: "x", Reply: -1}, fault.FieldRange, "reply_to"},
		"a mention too many":    {message.Draft{Text: "x", Mentioned: make([]id.User, message.MaxMentions+1)}, fault.FieldTooLong, "mentions"},
		"all of a pair":         {message.Draft{Text: "x", Parts: all}, fault.FieldInvalid, "mention_all"},
		"too much for its row":  {message.Draft{Text: strings.Repeat("\x01", message.MaxTextBytes), Mentioned: []id.User{w.bob}}, fault.MessageTooLarge, "message"},
		"mentions and no text":  {message.Draft{Mentioned: []id.User{w.bob}}, fault.MessageEmpty, "message"},
		"all, by a member only": {message.Draft{From: w.bob, To: string(group), Text: "x", Parts: all, MayMentionAll: leaders}, fault.PermissionDenied, ""},
	} {
		if test.draft.App = w.app; test.draft.From == "" {
			test.draft.From, test.draft.To = w.ann, string(w.bob)
		}
		_, err := w.healthy().Send(t.Context(), test.draft)
		refused(t, what, err, test.code)
		if refusal := fault.Of(err); test.field != "" && (len(refusal.Fields) != 1 || refusal.Fields[0].Name != test.field) {
			t.Errorf("%s: %+v", what, refusal)
		}
	}
	sent, err := w.healthy().Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(group), Text: "x", Parts: all, MayMentionAll: leaders})
	if err != nil || !sent.Message.MentionAll {
		t.Errorf("all, by the owner: %+v, %v", sent, err)
	}
	w.send(t, w.ann, w.bob, strings.Repeat("\x01", message.MaxTextBytes), "") // a text that refers to nothing is no JSON
}

// all are the parts of a message that mentions all.
var all = message.Parts{References: message.References{MentionAll: true}}

// leaders lets the owner and the admins of a group mention all.
func leaders(role authz.Role) error {
	if role == authz.GroupOwner || role == authz.GroupAdmin {
		return nil
	}
	return fault.New(fault.PermissionDenied, "u_1", string(authz.GroupsMentionAll))
}

// What a reply refers to may go between a send and its retry, which is answered all the same; another send is refused.
func TestARetryIsAnsweredThoughWhatItRefersToHasGone(t *testing.T) {
	one := int64(1)
	for _, known := range []*int64{nil, &one} {
		w := newWorld(t, storetest.Staleness{Seed: 5, Lag: 6})
		w.send(t, w.bob, w.ann, "shall we?", "")
		draft := w.reply(1, "c1")
		draft.Known = known
		first, err := w.healthy().Send(t.Context(), draft)
		storetest.OK(t, "Send", err)
		_, err = w.healthy().Recall(t.Context(), w.act(w.bob, 1))
		storetest.OK(t, "Recall", err)
		w.settle()
		again, err := w.healthy().Send(t.Context(), draft)
		if err != nil || !reflect.DeepEqual(again.Message, first.Message) {
			t.Errorf("the retry: %+v, %v", again, err)
		}
		for _, other := range []string{"", "c2"} {
			draft.ClientID = other
			_, err = w.healthy().Send(t.Context(), draft)
			refused(t, "another send", err, fault.ReplyNotFound)
		}
		w.settle()
		if w.checkLog(t); len(w.history(t)) != 3 {
			t.Errorf("the log has %q", w.texts(t))
		}
	}
	w := newWorld(t, storetest.Staleness{})
	carol := w.register(t, "carol")
	group := w.found(t, w.ann, w.bob, carol)
	draft := w.draft(w.ann, group, "everybody, and carol")
	draft.Mentioned, draft.Parts, draft.MayMentionAll = []id.User{carol}, all, leaders
	first, err := w.healthy().Send(t.Context(), draft)
	storetest.OK(t, "Send", err)
	_, err = w.turn(t.Context(), w.healthy(), group, carol, message.UserLeft)
	storetest.OK(t, "leave", err)
	w.seat(group, w.ann, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1}, 0)
	again, err := w.healthy().Send(t.Context(), draft)
	if err != nil || !reflect.DeepEqual(again.Message, first.Message) {
		t.Errorf("the retry: %+v, %v", again, err)
	}
	draft.ClientID = "another"
	_, err = w.healthy().Send(t.Context(), draft)
	refused(t, "another send", err, fault.PermissionDenied)
	if log := w.groupLog(t, group); len(log) != 3 {
		t.Errorf("the group's log has %d entries, of which one is the message: a refused send takes no number", len(log))
	}
}

// A reply whose sender dies anywhere, to a pair or to a group, is completed by its retry.
func TestAReplyIsCompletedByItsRetry(t *testing.T) {
	for _, toGroup := range []bool{false, true} {
		for _, tookEffect := range []bool{false, true} {
			for at, more := 1, true; more; at++ {
				synctest.Test(t, func(t *testing.T) { // whoever retries in a group waits for the dead writer's number
					more = dyingReply(t, toGroup, &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true})
				})
			}
		}
	}
}

// dyingReply sends a reply until the fuse blows, and retries it; more tells that it did blow.
func dyingReply(t *testing.T, toGroup bool, fuse *storetest.Fuse) (more bool) {
	t.Helper()
	w := newWorld(t, storetest.Staleness{Seed: uint64(fuse.At), Lag: 8})
	draft, before := w.reply(1, "c1"), 1
	w.send(t, w.bob, w.ann, "shall we?", "")
	if toGroup {
		group := w.found(t, w.ann, w.bob)
		_, err := w.healthy().Send(t.Context(), w.draft(w.bob, group, "shall we?"))
		storetest.OK(t, "Send", err)
		draft.To, draft.Reply, before = string(group), 2, 2
	}
	_, err := w.process(fuse).Send(t.Context(), draft)
	if fuse.Blown() && err == nil {
		t.Fatal("the send was acknowledged by a dead process")
	}
	wantOneReply(t, w, draft, before)
	return fuse.Blown()
}

// wantOneReply retries the draft twice and looks for one reply behind so many entries.
func wantOneReply(t *testing.T, w *world, draft message.Draft, before int) {
	t.Helper()
	first, err := w.healthy().Send(t.Context(), draft)
	storetest.OK(t, "retry", err)
	second, err := w.healthy().Send(t.Context(), draft)
	storetest.OK(t, "retry again", err)
	if !reflect.DeepEqual(first.Message, second.Message) || first.Message.ReplyTo == nil || len(first.Message.Mentions) != 2 {
		t.Fatalf("answered %+v, then %+v", first.Message, second.Message)
	}
	w.settle()
	entries, err := w.log.Read(t.Context(), w.app, first.Message.ConversationID, int64(before)+1, 10, true)
	storetest.OK(t, "read", err)
	replies := 0
	for _, entry := range entries {
		if entry.Type != message.TypeVoid {
			replies++
		}
	}
	if replies != 1 {
		t.Fatalf("%d replies stand in the log", replies)
	}
}

// failing is a store of rows of which several cannot be read at once.
type failing struct{ message.Members }

var errFailing = errors.New("failing")

func (failing) GetAll(context.Context, id.App, []id.User, id.Conversation, bool) (map[id.User]message.Member, error) {
	return nil, errFailing
}

// Whether somebody is a member is not guessed where it cannot be read.
func TestMentionsAreNotGuessed(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	w.fanned(group, w.ann, w.bob)
	service := w.healthy()
	service.Members = failing{w.members}
	_, err := service.Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(group), Text: "x", Mentioned: []id.User{w.bob}})
	if !errors.Is(err, errFailing) {
		t.Errorf("Send: %v", err)
	}
}
