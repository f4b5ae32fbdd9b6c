package message

import (
	"context"
	"fmt"
	"slices"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// MaxMentions bounds the users whom one message mentions.
const MaxMentions = 50

// References are what a message of any type refers to: another message, and users whom it means above others.
type References struct {
	ReplyTo    *Quote    `json:"reply_to,omitempty" doc:"The message that it replies to."`
	Mentions   []id.User `json:"mentions,omitempty" nullable:"false" maxItems:"50" doc:"Whom it mentions." example:"[\"u_4oKyQ1F8aXbT0mJ2cLw7Zr\"]"`
	MentionAll bool      `json:"mention_all,omitempty" doc:"It mentions everybody in the group."`
}

// Quote is the message that another replies to, as the reply shows it. It has nothing of the content: a recall or an edit would
// have to find every reply.
type Quote struct {
	Seq       int64   `json:"seq" doc:"Its number in the conversation." example:"7"`
	MessageID string  `json:"message_id" doc:"Its ID within the app." example:"m_4oKyQ1F8aXbT0mJ2cLw7Zr_7"`
	From      id.User `json:"from" doc:"Its sender's user ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Type      string  `json:"type" doc:"What it is; what it says stands in the message itself." example:"text"`
}

// refers tells whether there is anything that the message refers to.
func (r References) refers() bool {
	return r.ReplyTo != nil || len(r.Mentions) > 0 || r.MentionAll
}

// Addressing is what a send says of what the message refers to.
type Addressing struct {
	ReplyTo    int64     `json:"reply_to,omitempty" minimum:"1" doc:"The number of the message of this conversation that it replies to." example:"7"`
	Mentions   []id.User `json:"mentions,omitempty" nullable:"false" maxItems:"50" doc:"The user IDs of those whom it mentions: members of the group, or the two of the pair." example:"[\"u_4oKyQ1F8aXbT0mJ2cLw7Zr\"]"`
	MentionAll bool      `json:"mention_all,omitempty" doc:"Mention everybody in the group. The group's owner and admins may, and whoever has groups:mention_all."`
}

// apply puts it into the draft of the caller, for the group or, for "", a pair.
func (a Addressing) apply(draft *Draft, caller authz.Caller, group id.Group) {
	draft.Reply, draft.Mentioned, draft.MentionAll = a.ReplyTo, a.Mentions, a.MentionAll
	draft.MayMentionAll = func(role authz.Role) error {
		return caller.Within(group, role).RequireIn(authz.GroupsMentionAll, group)
	}
}

// checkReferences refuses what can be refused without reading anything, and takes over the rest. Who is mentioned twice is
// mentioned once.
func (d *Draft) checkReferences() error {
	switch {
	case d.Reply < 0:
		return fault.Invalid(fault.Field{Name: "reply_to", Code: fault.FieldRange, Args: []any{"reply_to", "1"}})
	case len(d.Mentioned) > MaxMentions:
		return fault.Invalid(fault.Field{Name: "mentions", Code: fault.FieldTooLong, Args: []any{"mentions", fmt.Sprint(MaxMentions)}})
	case d.MentionAll && !id.IsGroup(d.To):
		return fault.Invalid(fault.Wrong("mention_all", fault.InGroupsOnly))
	}
	if d.Reply > 0 {
		d.ReplyTo = &Quote{Seq: d.Reply}
	}
	d.Mentions = nil
	for _, user := range d.Mentioned {
		if !slices.Contains(d.Mentions, user) {
			d.Mentions = append(d.Mentions, user)
		}
	}
	return nil
}

// refuse keeps the first reason why the draft is not sent, unless it was stored before.
func (d *Draft) refuse(why error) {
	if d.refused == nil {
		d.refused = why
	}
}

// referInPair looks at what the draft for the user refers to.
func (s *Service) referInPair(ctx context.Context, draft *Draft, to id.User) error {
	draft.refuseStrangers(func(user id.User) bool { return user == draft.From || user == to })
	return s.quote(ctx, draft, id.Pair(draft.App, draft.From, to), 0)
}

// referInGroup looks at what the draft for a group refers to. A group whose messages are fanned out has no whole roster: the
// rows of those who are mentioned say whether they are members.
func (s *Service) referInGroup(ctx context.Context, draft *Draft, roster Roster, seat Seat) error {
	if draft.MentionAll {
		draft.refuse(draft.MayMentionAll(seat.Role))
	}
	in := func(user id.User) bool { return roster.Members[user].State == Joined }
	if roster.Reach == Fanned && len(draft.Mentions) > 0 {
		members, err := s.membersAmong(ctx, draft.App, draft.Mentions, id.Conversation(draft.To))
		if err != nil {
			return err
		}
		in = func(user id.User) bool { return members[user] }
	}
	draft.refuseStrangers(in)
	return s.quote(ctx, draft, id.Conversation(draft.To), seat.Since)
}

// membersAmong returns those of the users who are in the group. Who does not seem to be is looked up once more, strongly: it may
// have joined just now. One who has left just now may pass for a member, and is told nothing all the same.
func (s *Service) membersAmong(ctx context.Context, app id.App, users []id.User, group id.Conversation) (map[id.User]bool, error) {
	members := map[id.User]bool{}
	users = slices.DeleteFunc(slices.Clone(users), func(user id.User) bool { return !id.IsUser(string(user)) }) // no key of a table
	for _, strong := range []bool{false, true} {
		if len(users) == 0 {
			break
		}
		rows, err := s.Members.GetAll(ctx, app, users, group, strong)
		if err != nil {
			return nil, err
		}
		var others []id.User
		for _, user := range users {
			if row, found := rows[user]; found && row.In() {
				members[user] = true
			} else {
				others = append(others, user)
			}
		}
		users = others
	}
	return members, nil
}

// refuseStrangers refuses a draft that mentions somebody who is not in the conversation.
func (d *Draft) refuseStrangers(in func(id.User) bool) {
	var wrong []fault.Field
	for _, user := range d.Mentions {
		if !in(user) {
			wrong = append(wrong, fault.Field{Name: fmt.Sprintf("mentions[%d]", slices.Index(d.Mentioned, user)), Code: fault.MentionNotMember,
				Args: []any{slices.Index(d.Mentioned, user)}})
		}
	}
	if len(wrong) > 0 {
		d.refuse(fault.Invalid(wrong...))
	}
}

// quote fills in the message that the draft replies to, whose sender sees the conversation since the sequence. A message that
// cannot be replied to is filled in all the same: it could be when an earlier attempt stored the draft.
func (s *Service) quote(ctx context.Context, draft *Draft, conversation id.Conversation, since int64) error {
	if draft.ReplyTo == nil {
		return nil
	}
	place := Entry{App: draft.App, Conversation: conversation, Sequence: draft.Reply}
	entries, err := s.Log.Read(ctx, place.App, place.Conversation, place.Sequence, 1, false)
	if err != nil {
		return err
	}
	var entry Entry
	if len(Contiguous(entries, place.Sequence, +1)) == 1 {
		entry = entries[0]
	} else if entry, err = s.entryAt(ctx, place); err != nil { // the cheap read may be behind
		return err
	}
	if entry.Sequence < max(since, 1) || !entry.seenBy(draft.From).quotable() {
		draft.refuse(fault.Invalid(fault.Field{Name: "reply_to", Code: fault.ReplyNotFound, Args: []any{draft.Reply}}))
	}
	draft.ReplyTo.MessageID, draft.ReplyTo.From, draft.ReplyTo.Type = place.ID(), entry.Sender, entry.Type
	return draft.checkContent()
}

// quotable tells whether the entry, as somebody sees it, is a message that can be replied to: one that has a content.
func (e Entry) quotable() bool { return e.counts() && !e.recalled() }

// unlessRefused returns what was seen of a pair's log, or why the draft is refused. Before that it looks strongly for what an
// earlier attempt has stored, where it has not been seen.
func (s *Service) unlessRefused(ctx context.Context, draft Draft, entry Entry, seen look) (look, error) {
	if draft.refused == nil || seen.duplicate != nil {
		return seen, nil
	}
	from := draft.Known
	if from == nil && draft.ClientID != "" {
		standing, found, err := s.Claims.Get(ctx, entry.App, entry.Conversation, entry.Sender, entry.ClientID, true, s.Clock.Now())
		if err != nil {
			return look{}, err
		}
		if found {
			if err := s.sameBody(ctx, draft, standing); err != nil {
				return look{}, err
			}
			from = &standing.From
		}
	}
	if from != nil {
		again, err := s.lookOn(ctx, entry, max(*from, 1))
		if err != nil || again.duplicate != nil {
			return again, err
		}
	}
	return look{}, draft.refused
}
