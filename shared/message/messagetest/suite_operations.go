package messagetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// RunOperations checks that a store, with the log that it changes, keeps the contract of message.Operations.
func RunOperations(t *testing.T, log message.Log, operations message.Operations) {
	t.Run("Alter changes all of it", func(t *testing.T) { runAlters(t, log, operations) })
	t.Run("Alter changes nothing where the number is taken", func(t *testing.T) { runAlterTaken(t, log, operations) })
	t.Run("Alter changes nothing where something is not as it was", func(t *testing.T) { runAlterChanged(t, log, operations) })
	t.Run("of several at once one wins", func(t *testing.T) { runAlterRace(t, log, operations) })
	t.Run("reactions are listed by user", func(t *testing.T) { runReactors(t, log, operations) })
	t.Run("pins are kept", func(t *testing.T) { runPins(t, log, operations) })
}

// told returns an entry that tells of an operation, behind the message.
func told(of message.Entry, sequence int64) message.Entry {
	entry := At(of, sequence)
	entry.Type, entry.ClientID, entry.Shown, entry.Hidden, entry.Sealed = message.TypeOperation, "", of.Sequence, false, []byte{byte(sequence), 1}
	return entry
}

// edited returns the message after one more change, told by the entry.
func edited(of, by message.Entry) *message.Entry {
	of.Revision++
	of.Edit, of.EditedAt, of.Sealed = by.Sequence, by.SentAt, []byte{byte(by.Sequence), 2}
	return &of
}

func runAlters(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	appendAll(t, log, sent)
	first, second, third := told(sent, 2), told(sent, 3), told(sent, 4)
	is := edited(sent, first)
	storetest.OK(t, "edit", operations.Alter(t.Context(), message.Alteration{Entry: first, Message: is}))
	stripped := first
	stripped.Sealed = []byte{9}
	is = edited(*is, second)
	is.Reactions = map[string]int64{"👍": 1, ":a:": 2}
	reactions := message.Reactions{User: sent.Recipient, Texts: []string{"👍"}, Sequence: 3}
	storetest.OK(t, "edit and react", operations.Alter(t.Context(), message.Alteration{Entry: second, Message: is, Superseded: &stripped, Reactions: &reactions}))
	is.Revision++
	is.Recall, is.RecalledAt, is.RecalledBy, is.Sealed, is.Reactions = 4, third.SentAt, sent.Sender, nil, nil
	if got, err := operations.Reactions(t.Context(), sent.App, sent.Conversation, 1, sent.Recipient); err != nil || !reflect.DeepEqual(got, reactions) {
		t.Errorf("reactions: %+v, %v", got, err)
	}
	storetest.OK(t, "recall", operations.Alter(t.Context(), message.Alteration{Entry: third, Message: is}))
	if got := read(t, log, sent, 1, 10); !reflect.DeepEqual(got, []message.Entry{*is, stripped, second, third}) {
		t.Errorf("the log has\n%+v, want\n%+v", got, []message.Entry{*is, stripped, second, third})
	}
}

func runAlterTaken(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	other := At(sent, 2)
	other.Sealed = []byte("another")
	appendAll(t, log, sent, other)
	by := told(sent, 2)
	pins := message.Pins{Pinned: []int64{1}, Sequence: 2}
	err := operations.Alter(t.Context(), message.Alteration{Entry: by, Message: edited(sent, by), Pins: &pins})
	storetest.Refused(t, "Alter", err, message.ErrTaken)
	wantUntouched(t, log, operations, sent, other)
}

// wantUntouched wants the log as it was, and neither reactions nor pins.
func wantUntouched(t *testing.T, log message.Log, operations message.Operations, want ...message.Entry) {
	t.Helper()
	sent := want[0]
	if got := read(t, log, sent, 1, 10); !reflect.DeepEqual(got, want) {
		t.Errorf("the log has\n%+v, want\n%+v", got, want)
	}
	if got, err := operations.Pins(t.Context(), sent.App, sent.Conversation); err != nil || len(got.Pinned) != 0 || got.Sequence != 0 {
		t.Errorf("pins: %+v, %v", got, err)
	}
	if got, err := operations.Reactions(t.Context(), sent.App, sent.Conversation, 1, sent.Sender); err != nil || len(got.Texts) != 0 || got.Sequence != 0 {
		t.Errorf("reactions: %+v, %v", got, err)
	}
}

func runAlterChanged(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	appendAll(t, log, sent)
	by := told(sent, 2)
	later := edited(sent, by)
	later.Revision++
	missing := At(sent, 7)
	for what, change := range map[string]message.Alteration{
		"a message of an earlier revision": {Message: later},
		"a message that is not there":      {Message: edited(missing, by)},
		"an edit that is not there":        {Message: edited(sent, by), Superseded: &missing},
		"reactions that there are not":     {Message: edited(sent, by), Reactions: &message.Reactions{User: sent.Sender, Texts: []string{"👍"}, Sequence: 2}, Was: 1},
		"pins that there are not":          {Pins: &message.Pins{Pinned: []int64{1}, Sequence: 2}, Was: 1},
	} {
		change.Entry = by
		storetest.Refused(t, what, operations.Alter(t.Context(), change), message.ErrChanged)
	}
	wantUntouched(t, log, operations, sent)
	storetest.OK(t, "Alter", operations.Alter(t.Context(), message.Alteration{Entry: by, Message: edited(sent, by)}))
	again := told(sent, 3)
	storetest.Refused(t, "from the same revision", operations.Alter(t.Context(), message.Alteration{Entry: again, Message: edited(sent, again)}), message.ErrChanged)
}

func runAlterRace(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	appendAll(t, log, sent)
	storetest.OneWins(t, 4, message.ErrChanged, func(i int) error {
		by := told(sent, 2+int64(i))
		return operations.Alter(t.Context(), message.Alteration{Entry: by, Message: edited(sent, by)})
	})
}

func runReactors(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	appendAll(t, log, sent)
	is := sent
	for i, user := range []struct {
		message.Reactions
		was int64
	}{{message.Reactions{User: sent.Sender, Texts: []string{"👍"}}, 0}, {message.Reactions{User: sent.Recipient, Texts: []string{"👍", "🎉"}}, 0},
		{message.Reactions{User: sent.Sender}, 2}} {
		by := told(sent, 2+int64(i))
		is.Revision++
		user.Sequence = by.Sequence
		storetest.OK(t, "Alter", operations.Alter(t.Context(), message.Alteration{Entry: by, Message: &is, Reactions: &user.Reactions, Was: user.was}))
	}
	found, err := operations.Reactors(t.Context(), sent.App, sent.Conversation, 1, "", 10)
	if err != nil || len(found) != 2 || len(found[0].Texts)+len(found[1].Texts) != 2 || found[0].User > found[1].User {
		t.Errorf("found %v, %v", found, err)
	}
	first, last := min(sent.Sender, sent.Recipient), max(sent.Sender, sent.Recipient)
	page, err := operations.Reactors(t.Context(), sent.App, sent.Conversation, 1, "", 1)
	if err != nil || len(page) != 1 || page[0].User != first {
		t.Errorf("the first page: %v, %v", page, err)
	}
	page, err = operations.Reactors(t.Context(), sent.App, sent.Conversation, 1, first, 1)
	if err != nil || len(page) != 1 || page[0].User != last {
		t.Errorf("the second page: %v, %v", page, err)
	}
	for _, other := range []int64{10, 11} { // the prefix of no other message
		if page, err := operations.Reactors(t.Context(), sent.App, sent.Conversation, other, "", 10); err != nil || len(page) != 0 {
			t.Errorf("another message's: %v, %v", page, err)
		}
	}
}

func runPins(t *testing.T, log message.Log, operations message.Operations) {
	sent := NewEntry()
	appendAll(t, log, sent)
	for i, pins := range []message.Pins{{Pinned: []int64{1}, Sequence: 2}, {Pinned: []int64{1, 7}, Sequence: 3}, {Sequence: 4}} {
		was := int64(i) + 1
		if i == 0 {
			was = 0
		}
		storetest.OK(t, "Alter", operations.Alter(t.Context(), message.Alteration{Entry: told(sent, pins.Sequence), Pins: &pins, Was: was}))
		got, err := operations.Pins(t.Context(), sent.App, sent.Conversation)
		if err != nil || !slices.Equal(got.Pinned, pins.Pinned) || got.Sequence != pins.Sequence {
			t.Errorf("pins: %+v, %v, want %+v", got, err, pins)
		}
	}
}
