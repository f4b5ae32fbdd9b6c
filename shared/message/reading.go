package message

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// tailReaders bounds how many tails are read at once for a page of conversations.
const tailReaders = 16

// Order is the direction of a page.
type Order string

// The orders: Ascending begins with the oldest message, Descending with the newest.
const (
	Ascending  Order = "asc"
	Descending Order = "desc"
)

// History returns up to limit messages of the conversation in the order, from the position on ("" begins), and the
// position to go on from ("" at the end). Where user is not "", it has to be one of the two: otherwise, and where there
// is no such conversation, it is fault.ConversationNotFound.
func (s *Service) History(ctx context.Context, app id.App, user id.User, conversation id.Conversation, order Order, position string, limit int) (page []Message, next string, err error) {
	if !id.IsConversation(string(conversation)) {
		return nil, "", notFound()
	}
	if user != "" {
		if _, err := s.member(ctx, app, user, conversation); err != nil {
			return nil, "", err
		}
	}
	at, err := sequence(position)
	if err != nil {
		return nil, "", err
	}
	entries, err := s.page(ctx, app, conversation, order, at, limit)
	if err != nil {
		return nil, "", err
	}
	if len(entries) == 0 && position == "" && user == "" {
		return nil, "", notFound()
	}
	page, err = s.openAll(ctx, entries)
	return page, following(entries, order, limit), err
}

func (s *Service) page(ctx context.Context, app id.App, conversation id.Conversation, order Order, at int64, limit int) ([]Entry, error) {
	if order == Descending {
		return s.readBack(ctx, app, conversation, at, limit)
	}
	return s.read(ctx, app, conversation, max(at, 1), limit)
}

// following returns the position behind a page, "" where the page reached the end.
func following(entries []Entry, order Order, limit int) string {
	if len(entries) < limit {
		return ""
	}
	last := entries[len(entries)-1].Sequence
	switch {
	case order == Ascending:
		return strconv.FormatInt(last+1, 10)
	case last > 1:
		return strconv.FormatInt(last-1, 10)
	}
	return ""
}

// sequence reads a position; positions come out of cursors, so a bad one is an old cursor's.
func sequence(position string) (int64, error) {
	if position == "" {
		return 0, nil
	}
	at, err := strconv.ParseInt(position, 10, 64)
	if err != nil {
		return 0, fault.New(fault.CursorInvalid)
	}
	return at, nil
}

// Conversation is a conversation as its user sees it in the list.
type Conversation struct {
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation's ID."`
	With           id.User         `json:"with" doc:"The other user."`
	Unread         int64           `json:"unread" doc:"Messages from the other user beyond the read mark."`
	AckSeq         int64           `json:"ack_seq" doc:"The acknowledged mark."`
	ReadSeq        int64           `json:"read_seq" doc:"The read mark."`
	Last           *Message        `json:"last" doc:"The last message."`
}

// Conversations returns up to limit conversations of the user by ID, those after the position ("" begins), and the next
// position ("" at the end).
func (s *Service) Conversations(ctx context.Context, app id.App, user id.User, position string, limit int) (page []Conversation, next string, err error) {
	members, err := s.Members.List(ctx, app, user, id.Conversation(position), limit, false)
	if err != nil {
		return nil, "", err
	}
	rows := make([]*Conversation, len(members))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, member := range members {
		group.Go(func() (err error) { rows[i], err = s.overview(ctx, member); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, "", err
	}
	page = make([]Conversation, 0, len(rows))
	for _, row := range rows {
		if row != nil {
			page = append(page, *row)
		}
	}
	if len(members) == limit {
		next = string(members[limit-1].Conversation)
	}
	return page, next, nil
}

// overview returns the list's row of a conversation; nil where its first message never came to be.
func (s *Service) overview(ctx context.Context, member Member) (*Conversation, error) {
	tail, err := s.tail(ctx, member.App, member.Conversation)
	if err != nil || tail.Sequence == 0 {
		return nil, err
	}
	last, err := s.open(ctx, tail)
	return &Conversation{ConversationID: member.Conversation, With: member.Peer, Unread: max(0, member.Unread(tail)),
		AckSeq: member.Acknowledged, ReadSeq: member.Read, Last: &last}, err
}

// visitsPerPage bounds the conversations that one page of Inbox looks into, so that a user with thousands of quiet ones
// is answered in time; the page is then short and has a next position.
const visitsPerPage = 100

// Inbox returns up to limit messages of all the user's conversations: conversation by conversation, each in order.
// Where unread is set, only what others sent beyond the read mark. Positions as in History.
func (s *Service) Inbox(ctx context.Context, app id.App, user id.User, unread bool, position string, limit int) (page []Message, next string, err error) {
	walk, err := parseWalk(position)
	if err != nil {
		return nil, "", err
	}
	members, err := s.Members.List(ctx, app, user, walk.after, visitsPerPage, false)
	if err != nil {
		return nil, "", err
	}
	if walk.within != "" {
		current, err := s.member(ctx, app, user, walk.within)
		if err != nil {
			return nil, "", err
		}
		members = append([]Member{current}, members...)
	}
	page = []Message{}
	for _, member := range members {
		from := int64(1)
		if unread {
			from = member.Read + 1
		}
		if member.Conversation == walk.within {
			from = max(from, walk.from)
		}
		found, end, err := s.collect(ctx, member, unread, from, limit-len(page))
		if err != nil {
			return nil, "", err
		}
		page = append(page, found...)
		if len(page) == limit {
			return page, walkPosition{after: member.Conversation, within: member.Conversation, from: end}.String(), nil
		}
		walk.after = member.Conversation
	}
	if len(members) >= visitsPerPage {
		next = walkPosition{after: walk.after}.String()
	}
	return page, next, nil
}

// collect returns up to limit messages of one conversation from the sequence on, and the sequence behind the last.
func (s *Service) collect(ctx context.Context, member Member, othersOnly bool, from int64, limit int) ([]Message, int64, error) {
	var found []Message
	for len(found) < limit {
		entries, err := s.read(ctx, member.App, member.Conversation, from, PageSize)
		if err != nil {
			return nil, 0, err
		}
		for _, entry := range entries {
			from = entry.Sequence + 1
			if othersOnly && entry.Sender == member.User {
				continue
			}
			message, err := s.open(ctx, entry)
			if err != nil {
				return nil, 0, err
			}
			if found = append(found, message); len(found) == limit {
				break
			}
		}
		if len(entries) < PageSize {
			break
		}
	}
	return found, from, nil
}

// walkPosition is where a page of Inbox stopped: after a conversation, or within one before a sequence.
type walkPosition struct {
	after  id.Conversation
	within id.Conversation
	from   int64
}

func (w walkPosition) String() string {
	return fmt.Sprintf("%s %s %d", w.after, w.within, w.from)
}

func parseWalk(position string) (walkPosition, error) {
	if position == "" {
		return walkPosition{}, nil
	}
	parts := strings.Split(position, " ")
	if len(parts) != 3 {
		return walkPosition{}, fault.New(fault.CursorInvalid)
	}
	from, err := sequence(parts[2])
	return walkPosition{after: id.Conversation(parts[0]), within: id.Conversation(parts[1]), from: from}, err
}
