package message

import (
	"cmp"
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// Act is that somebody does something with a message.
type Act struct {
	// Caller is who does it: a user of the conversation, or somebody acting for one.
	Caller authz.Caller
	// Moderating tells that it is done from outside the conversation, by whoever looks after the app.
	Moderating bool
	// Connection is the socket that it came over; "" over HTTP.
	Connection string
	// Conversation and Sequence name the message.
	Conversation id.Conversation
	Sequence     int64
}

// user is the member of the conversation who acts; "" where nobody of it does.
func (a Act) user() id.User {
	if a.Moderating {
		return ""
	}
	return a.Caller.User
}

// Done is what came of an act.
type Done struct {
	// Message is the message as it is after it.
	Message Message
	// Sequence is that of the entry that tells of it, by this attempt or an earlier one; 0 where there was nothing to do.
	Sequence int64
	// Version is the acting user's own where the user has other devices and the conversation is a pair's, else 0.
	Version int64
}

// scene is what an act found.
type scene struct {
	Act
	// target is the message, read strongly.
	target Entry
	// member is the acting user's row of the conversation; zero for somebody from outside.
	member Member
}

// decision is what an act comes to.
type decision struct {
	// done tells that it has been done before: there is nothing to change, and the entry of the sequence after tells of it.
	done bool
	// after is the last operation that this one has to come after in the log: whoever applies them in order has what the
	// tables have.
	after int64
	// operation is what the entry tells, hidden that the other user of the pair is not to see it.
	operation Operation
	hidden    bool
	// speaker is for what a number of a group is taken.
	speaker Speaker
	// change returns what is changed besides, for the entry that tells of it; nil for nothing.
	change func(entry Entry) Alteration
}

// tells tells whether the entry, opened, tells of what was decided.
func (d decision) tells(told Message) bool {
	is := told.Operation
	return is != nil && is.Kind == d.operation.Kind && is.Seq == d.operation.Seq && is.Reaction == d.operation.Reaction
}

// rule decides what is to be done with a message, or refuses it. It is asked again where the message was changed meanwhile.
type rule func(ctx context.Context, on scene) (decision, error)

// do does what the rule decides: it puts an entry that tells of it at the end of the log together with the change, all or
// nothing, and tells the devices. A repeated call finds that there is nothing to do, and completes the telling.
func (s *Service) do(ctx context.Context, act Act, rule rule) (Done, error) {
	on, err := s.look(ctx, act)
	if err != nil {
		return Done{}, err
	}
	decided, err := rule(ctx, on)
	if err != nil {
		return Done{}, err
	}
	entry, target, err := s.carryOut(ctx, on, decided, rule)
	if err != nil {
		return Done{}, err
	}
	done := Done{Sequence: entry.Sequence}
	if done.Message, err = s.open(ctx, target.seenBy(act.user())); err != nil || entry.Sequence == 0 {
		return done, err
	}
	version, err := s.tell(ctx, entry, act.Connection)
	if entry.Sender == act.user() { // else it is that of whoever did it
		done.Version = version
	}
	return done, err
}

// look finds the message for whoever acts: strangers are told that there is no such conversation.
func (s *Service) look(ctx context.Context, act Act) (scene, error) {
	on := scene{Act: act}
	if !id.IsConversation(string(act.Conversation)) {
		return on, notFound()
	}
	if user := act.user(); user != "" {
		member, err := s.member(ctx, act.Caller.App, user, act.Conversation)
		if err != nil {
			return on, err
		}
		on.member = member
	}
	var err error
	on.target, err = s.target(ctx, on)
	return on, err
}

// target reads the message that is acted on, strongly. What the user cannot see is not there.
func (s *Service) target(ctx context.Context, on scene) (Entry, error) {
	target, err := s.entryAt(ctx, Entry{App: on.Caller.App, Conversation: on.Conversation, Sequence: on.Sequence})
	if err != nil {
		return target, err
	}
	if seen, err := s.shownOne(ctx, on.member, target, true); err != nil || seen.counts() {
		return target, err
	}
	if on.Moderating { // is told whether there is such a conversation; members are told before
		if _, err := s.reader(ctx, on.Caller.App, "", on.Conversation, target.Sequence != 0); err != nil {
			return Entry{}, err
		}
	}
	return Entry{}, messageNotFound()
}

func messageNotFound() error {
	return fault.Invalid(fault.Field{Name: "seq", Code: fault.MessageNotFound})
}

// draft is the entry that will tell of the operation, without a number. In a pair somebody from outside is told of in the
// name of the message's sender: an entry of a pair has two users.
func (on scene) draft(decided decision) Entry {
	draft := Entry{App: on.Caller.App, Conversation: on.Conversation, Sender: on.user(), Type: TypeOperation, Hidden: decided.hidden}
	if on.Conversation.Group() != "" {
		return draft
	}
	draft.Sender = cmp.Or(on.user(), on.target.Sender)
	draft.Recipient = on.target.peer(draft.Sender)
	return draft
}

// carryOut makes the change and returns the entry that tells of it and the message after it. Where others are faster the rule
// decides again on what they left.
func (s *Service) carryOut(ctx context.Context, on scene, decided decision, rule rule) (entry, target Entry, err error) {
	numbers := numbering{service: s, draft: on.draft(decided), speaker: decided.speaker}
	defer func() { numbers.close(ctx) }()
	deadline := s.Clock.Now().Add(busyAfter)
	for attempt := 0; ; attempt++ {
		if decided.done {
			entry, err = s.toldAt(ctx, on, decided)
			return entry, on.target, err
		}
		place, err := numbers.after(ctx, decided.after)
		if err != nil {
			return Entry{}, Entry{}, err
		}
		change, err := s.prepare(ctx, place, decided)
		if err == nil {
			err = s.Operations.Alter(ctx, change)
		}
		switch {
		case err == nil:
			numbers.spent()
			if change.Message != nil {
				on.target = *change.Message
			}
			return change.Entry, on.target, nil
		case errors.Is(err, ErrTaken):
			numbers.spent()
		case errors.Is(err, ErrChanged):
			if on.target, err = s.target(ctx, on); err == nil {
				decided, err = rule(ctx, on)
			}
			if err != nil {
				return Entry{}, Entry{}, err
			}
			numbers.draft.Hidden, numbers.place.Hidden = decided.hidden, decided.hidden
		default:
			return Entry{}, Entry{}, err
		}
		if !s.Clock.Now().Before(deadline) {
			return Entry{}, Entry{}, busy()
		}
		if err := s.pause(ctx, attempt); err != nil {
			return Entry{}, Entry{}, fault.Wrap(err, fault.Unavailable)
		}
	}
}

// toldAt returns the entry that tells of what was done before; zero where the last operation of its kind is not it: then others
// have come after it, and it was told.
func (s *Service) toldAt(ctx context.Context, on scene, decided decision) (Entry, error) {
	if decided.after == 0 {
		return Entry{}, nil
	}
	entry, err := s.entryAt(ctx, Entry{App: on.Caller.App, Conversation: on.Conversation, Sequence: decided.after})
	if err != nil || entry.Type != TypeOperation { // tables were restored to other moments
		return Entry{}, err
	}
	told, err := s.open(ctx, entry)
	if err != nil || !decided.tells(told) {
		return Entry{}, err
	}
	return entry, nil
}

// prepare returns the whole change with its entry at the place.
func (s *Service) prepare(ctx context.Context, place Entry, decided decision) (Alteration, error) {
	entry, err := s.sealed(ctx, place, plainjson.Must(decided.operation))
	if err != nil {
		return Alteration{}, err
	}
	change := Alteration{}
	if decided.change != nil {
		change = decided.change(entry)
	}
	change.Entry = entry
	return change, nil
}

// numbering finds the place of an entry at the end of its log: in a pair behind the last entry, in a group by the counter. A
// number of a group that was not used is given up.
type numbering struct {
	service *Service
	draft   Entry
	speaker Speaker
	place   Entry // zero for none
	last    Entry // a pair's last entry that was seen
}

// after returns the draft at a place behind the sequence, the same one until it is lost.
func (n *numbering) after(ctx context.Context, sequence int64) (Entry, error) {
	if n.place.Sequence > sequence {
		return n.place, nil
	}
	if n.draft.Conversation.Group() != "" {
		return n.take(ctx, sequence)
	}
	looked := n.last.Sequence != 0
	if !looked {
		last, err := n.service.tail(ctx, n.draft.App, n.draft.Conversation, false)
		if err != nil {
			return Entry{}, err
		}
		n.last = last
	}
	if looked || n.last.Sequence < max(sequence, 1) {
		seen, err := n.service.lookOn(ctx, n.draft, n.last.Sequence+1)
		if err != nil {
			return Entry{}, err
		}
		if seen.last.Sequence != 0 {
			n.last = seen.last
		}
	}
	n.place = n.last.follow(n.draft)
	return n.place, nil
}

// take takes numbers of a group until one lies behind the sequence: hardly ever is the first not, and only where tables were
// restored to other moments are all of them not.
func (n *numbering) take(ctx context.Context, sequence int64) (Entry, error) {
	for attempt := 1; ; attempt++ {
		n.close(ctx)
		seen, err := n.service.lookAtEnd(ctx, n.draft.App, n.draft.Conversation)
		if err != nil {
			return Entry{}, err
		}
		if n.place, err = n.service.take(ctx, n.draft, n.speaker, seen); err != nil {
			n.place = Entry{}
			return Entry{}, groupFault(err)
		}
		n.place.Shown = seen.shown
		if n.place.Sequence > sequence || attempt == numbersTried {
			return n.place, nil
		}
	}
}

// numbersTried is how many numbers of a group an operation takes to come after the one before it.
const numbersTried = 3

// spent says that an entry stands at the place, this one or another.
func (n *numbering) spent() { n.place = Entry{} }

// close gives up a number that nothing has come of.
func (n *numbering) close(ctx context.Context) {
	if n.draft.Conversation.Group() != "" && n.place.Sequence > 0 {
		n.service.giveUp(ctx, n.place)
	}
	n.place = Entry{}
}

// tell posts the entry to the devices that are to see it, once everything before it can be read.
func (s *Service) tell(ctx context.Context, entry Entry, connection string) (version int64, err error) {
	if entry.Conversation.Group() == "" {
		message, err := s.open(ctx, entry)
		if err != nil {
			return 0, err
		}
		return s.announce(ctx, entry, message, connection)
	}
	message, err := s.readable(ctx, entry)
	if err != nil || entry.Reach == Fanned {
		return 0, err
	}
	return 0, s.tellRoster(ctx, entry, message, nil, connection)
}
