package message

import (
	"bytes"
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// OperationWindows are for how long after it was sent a user can edit, and recall, a message of its own; not at all for 0. An app sets
// them: see app.Settings.
type OperationWindows struct{ Edit, Recall time.Duration }

// DefaultWindows are those of apps that have set none.
var DefaultWindows = OperationWindows{Edit: 24 * time.Hour, Recall: 48 * time.Hour}

// inTime refuses with the code what comes later than the app's window for it allows.
func (s *Service) inTime(ctx context.Context, on scene, late fault.Code, of func(OperationWindows) time.Duration) error {
	windows, err := s.Operations.Windows(ctx, on.Caller.App)
	if err != nil {
		return err
	}
	if window := of(windows); window == 0 || s.Clock.Now().Sub(on.target.SentAt) > window {
		return fault.New(late, int(window/time.Second))
	}
	return nil
}

// maxOperationBytes bounds what an edit's entry tells, as MaxContentBytes does for messages: there is room for its members' names.
const maxOperationBytes = MaxContentBytes + 128

// Edit is what a message is to say from now on.
type Edit struct {
	// Text is the new text, or the new caption of a message that is more than a text; nil leaves it.
	Text *string
	// Custom is what a custom message is to have; nil leaves it.
	Custom *Object
}

// Edit changes what the acting user's own message says. Those who have read it see the new text at the message's place, and an
// entry that tells of it; the old text is nowhere any more.
func (s *Service) Edit(ctx context.Context, act Act, edit Edit) (Done, error) {
	if edit.Text == nil && edit.Custom == nil {
		return Done{}, fault.Invalid(fault.Field{Name: "message", Code: fault.FieldMissing, Args: []any{"message"}})
	}
	return s.do(ctx, act, func(ctx context.Context, on scene) (decision, error) {
		if err := s.editable(ctx, on); err != nil {
			return decision{}, err
		}
		hidden, err := s.hides(ctx, on)
		if err != nil {
			return decision{}, err
		}
		was, err := s.open(ctx, on.target)
		if err != nil {
			return decision{}, err
		}
		is, err := edit.of(was)
		if err != nil {
			return decision{}, err
		}
		if bytes.Equal(is.content(), was.content()) {
			return decision{done: true, after: on.target.Edit, operation: Operation{Kind: Edited, Seq: on.Sequence}}, nil
		}
		return s.edited(ctx, on, is, hidden)
	})
}

// editable refuses whoever may not edit the message, or not any more.
func (s *Service) editable(ctx context.Context, on scene) error {
	switch {
	case on.target.Sender != on.user():
		return fault.Invalid(fault.Field{Name: "seq", Code: fault.MessageNotYours})
	case on.target.recalled():
		return messageRecalled()
	}
	if err := s.inTime(ctx, on, fault.EditTooLate, func(w OperationWindows) time.Duration { return w.Edit }); err != nil {
		return err
	}
	return s.heard(on.member.Seat)
}

// heard refuses whoever is muted in the group.
func (s *Service) heard(seat Seat) error {
	if s.Clock.Now().Before(seat.MutedUntil) {
		return fault.New(fault.MemberMuted, seat.MutedUntil.Format(time.RFC3339))
	}
	return nil
}

// hides tells whether the pair's other user is not to see what is done: it blocks the one who does it, and the app accepts that
// silently, or the message itself was accepted so.
func (s *Service) hides(ctx context.Context, on scene) (bool, error) {
	if on.Conversation.Group() != "" {
		return false, nil
	}
	silently, err := s.Users.Admits(ctx, on.Caller.App, on.user(), on.target.peer(on.user()), "conversation_id")
	return silently || on.target.Hidden, err
}

// of returns the message as the edit makes it.
func (e Edit) of(was Message) (Message, error) {
	draft := Draft{Type: was.Type, Text: was.Message, Parts: was.Parts}
	if was.Media != nil {
		draft.MediaID = was.Media.MediaID
	}
	if e.Text != nil {
		draft.Text = *e.Text
	}
	if e.Custom != nil {
		draft.Custom = e.Custom
	}
	if err := draft.check(); err != nil {
		return Message{}, err
	}
	was.Message, was.Parts = draft.Text, draft.Parts
	return was, draft.checkContent()
}

// edited decides the change of an edit: the message's row has the new content, the entry tells of it, and the entry of the edit
// before loses its text. Where the other user is not to see it, the message stays as that user has seen it, and the new text is kept
// nowhere.
func (s *Service) edited(ctx context.Context, on scene, is Message, hidden bool) (decision, error) {
	// All that can be edited, not only what was: the entry of the edit before loses what it said.
	decided := decision{after: on.target.Edit, hidden: hidden,
		operation: Operation{Kind: Edited, Seq: on.Sequence, Message: &is.Message, Custom: is.Custom}}
	if !on.member.Seat.leads() {
		decided.speaker = Editing
	}
	if hidden && !on.target.Hidden {
		decided.operation.Message, decided.operation.Custom = nil, nil // no later edit or recall would find them
		return decided, nil
	}
	decided.operation.Revision = on.target.Revision + 1
	if size := len(plainjson.Must(decided.operation)); size > maxOperationBytes {
		return decision{}, fault.Invalid(fault.Field{Name: "message", Code: fault.MessageTooLarge, Args: []any{size, maxOperationBytes}})
	}
	superseded, err := s.superseded(ctx, on.target)
	if err != nil {
		return decision{}, err
	}
	content, err := s.Sealer.Seal(ctx, on.target.App, on.target.place(), is.content())
	if err != nil {
		return decision{}, err
	}
	decided.change = func(entry Entry) Alteration {
		target := on.target
		target.Sealed, target.Edit, target.EditedAt = content, entry.Sequence, entry.SentAt
		target.Revision++
		return Alteration{Message: &target, Superseded: superseded}
	}
	return decided, nil
}

// superseded returns the entry of the message's last edit without its text; nil where it was never edited.
func (s *Service) superseded(ctx context.Context, target Entry) (*Entry, error) {
	if target.Edit == 0 {
		return nil, nil
	}
	entry := Entry{App: target.App, Conversation: target.Conversation, Sequence: target.Edit, Sender: target.Sender}
	var err error
	entry.Sealed, err = s.Sealer.Seal(ctx, entry.App, entry.place(), plainjson.Must(Operation{Kind: Edited, Seq: target.Sequence}))
	return &entry, err
}

func messageRecalled() error {
	return fault.Invalid(fault.Field{Name: "seq", Code: fault.MessageRecalled})
}
