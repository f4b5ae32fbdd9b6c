package message

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
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
	var member Member
	if user != "" {
		if member, err = s.member(ctx, app, user, conversation); err != nil {
			return nil, "", err
		}
	}
	at, err := sequence(position)
	if err != nil {
		return nil, "", err
	}
	entries, err := s.page(ctx, app, conversation, order, at, member.First(), limit)
	if err == nil {
		entries, err = s.shown(ctx, member, entries, false)
	}
	if err != nil {
		return nil, "", err
	}
	if len(entries) == 0 && position == "" && user == "" {
		return nil, "", notFound()
	}
	if page, err = s.openAll(ctx, entries); err != nil {
		return nil, "", err
	}
	if end := slices.IndexFunc(page, func(m Message) bool { return m.ends(user) }); end >= 0 { // it was removed just now
		from, to := 0, end+1
		if order == Descending {
			from, to = end, len(page)
		}
		page, entries = page[from:to], entries[from:to]
	}
	if fitting := fitting(page); fitting < len(page) {
		return page[:fitting], following(entries[:fitting], order, fitting), nil
	}
	return page, following(entries, order, limit), nil
}

// fitting returns how many of the messages go into one frame of a socket; at least one does.
func fitting(messages []Message) int {
	size := 0
	for i, message := range messages {
		if size += len(plainjson.Must(message)) + 1; size > windowBytes && i > 0 {
			return i
		}
	}
	return len(messages)
}

// page returns up to limit entries in the order, from the sequence at on (0 begins), and none before since.
func (s *Service) page(ctx context.Context, app id.App, conversation id.Conversation, order Order, at, since int64, limit int) ([]Entry, error) {
	if order != Descending {
		return s.read(ctx, app, conversation, max(at, since, 1), limit)
	}
	if at != 0 && at < since {
		return nil, nil
	}
	entries, err := s.readBack(ctx, app, conversation, at, limit)
	if hidden := slices.IndexFunc(entries, func(e Entry) bool { return e.Sequence < since }); hidden >= 0 {
		entries = entries[:hidden]
	}
	return entries, err
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
	With           string          `json:"with" doc:"The other user's ID, or the group's."`
	Unread         int64           `json:"unread" doc:"Messages from others beyond the read mark."`
	AckSeq         int64           `json:"ack_seq" doc:"The acknowledged mark."`
	ReadSeq        int64           `json:"read_seq" doc:"The read mark."`
	ClearedSeq     int64           `json:"cleared_seq,omitempty" doc:"The sequence up to which the user has cleared the conversation for itself; absent where it has not."`
	Last           *Message        `json:"last" doc:"The last message, or what happened to the group since; null where there is none near the end, or the user has removed it."`
}

// Conversations returns up to limit conversations of the user by ID, those after the position ("" begins), and the next
// position ("" at the end).
func (s *Service) Conversations(ctx context.Context, app id.App, user id.User, position string, limit int) (page []Conversation, next string, err error) {
	members, rows, err := s.listed(ctx, app, user, id.Conversation(position), limit)
	if err != nil {
		return nil, "", err
	}
	page = []Conversation{}
	for _, row := range rows {
		if row.tail.Sequence == 0 || row.tail.unseenBy(user) {
			continue // its first message never came to be, or has come to be for its sender alone
		}
		last, err := s.preview(ctx, row)
		if err != nil {
			return nil, "", err
		}
		page = append(page, Conversation{ConversationID: row.Conversation, With: row.with(), Unread: max(0, row.Unread(row.tail)),
			AckSeq: row.Acknowledged, ReadSeq: row.Read, ClearedSeq: row.Cleared, Last: last})
	}
	if len(members) == limit {
		next = string(members[limit-1].Conversation)
	}
	return page, next, nil
}

// with names what the conversation is with: the other user, or the group.
func (m Member) with() string {
	if group := m.Conversation.Group(); group != "" {
		return string(group)
	}
	return string(m.Peer)
}

// listed returns up to limit of the user's rows, those after the conversation, and with their last entries those that the user
// may read. Where one is of a group the rows are read once more after the entries, and strongly: who was removed sees no entry
// that came later.
func (s *Service) listed(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int) ([]Member, []tailed, error) {
	members, err := s.Members.List(ctx, app, user, after, limit, false)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.withTails(ctx, withOthers(members), false)
	if err != nil || !slices.ContainsFunc(members, Member.inGroup) {
		return members, rows, err
	}
	tails := map[id.Conversation]Entry{}
	for _, row := range rows {
		tails[row.Conversation] = row.tail
	}
	if members, err = s.Members.List(ctx, app, user, after, limit, true); err != nil {
		return nil, nil, err
	}
	rows = nil
	for _, member := range withOthers(members) {
		row := []tailed{{member, tails[member.Conversation]}}
		if row[0].tail.Sequence < max(member.Seat.Since, 1) { // it joined just now
			if row, err = s.withTails(ctx, []Member{member}, true); err != nil {
				return nil, nil, err
			}
		}
		rows = append(rows, row...)
	}
	return members, rows, nil
}

// rows returns up to limit of the user's rows, those after the conversation. Where one is of a group they are read strongly:
// who was removed from a group sees nothing of it from then on.
func (s *Service) rows(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int) ([]Member, error) {
	members, err := s.Members.List(ctx, app, user, after, limit, false)
	if slices.ContainsFunc(members, Member.inGroup) {
		return s.Members.List(ctx, app, user, after, limit, true)
	}
	return members, err
}

// in returns the rows of the conversations that the user may read.
func in(members []Member) []Member {
	return slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return !m.In() })
}

// withOthers returns the rows of the conversations that the user may read but its own log, which no list shows.
func withOthers(members []Member) []Member { return slices.DeleteFunc(in(members), Member.own) }

// tailed is a membership row with the last entry of its conversation; zero where there is none.
type tailed struct {
	Member
	tail Entry
}

// withTails reads the last entry of each conversation, several at once.
func (s *Service) withTails(ctx context.Context, members []Member, strong bool) ([]tailed, error) {
	rows := make([]tailed, len(members))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, member := range members {
		rows[i].Member = member
		group.Go(func() (err error) {
			rows[i].tail, err = s.tail(ctx, member.App, member.Conversation, strong)
			return err
		})
	}
	return rows, group.Wait()
}

const (
	// visitsPerPage bounds the conversations that one page of Inbox looks into, and readsPerPage the pages of entries
	// that it reads, own messages included: a page that comes to a bound is short and has a next position.
	visitsPerPage = 100
	readsPerPage  = 20
)

// Inbox returns up to limit messages of all the user's conversations: conversation by conversation, each in order.
// Where unread is set, only what others sent beyond the read mark. Positions as in History.
func (s *Service) Inbox(ctx context.Context, app id.App, user id.User, unread bool, position string, limit int) (page []Message, next string, err error) {
	at, err := parseWalk(position)
	if err != nil {
		return nil, "", err
	}
	members, err := s.inboxRows(ctx, app, user, at)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.withTails(ctx, withOthers(members), false)
	if err != nil {
		return nil, "", err
	}
	collector := collector{service: s, unread: unread, limit: limit, page: []Message{}}
	for _, row := range rows {
		from := row.First()
		if unread {
			from = row.Read + 1
		}
		if row.Conversation == at.within {
			from = max(from, at.from)
		}
		if end, more, err := collector.collect(ctx, row, from); err != nil || more {
			return collector.page, walkPosition{after: row.Conversation, within: row.Conversation, from: end}.String(), err
		}
	}
	if len(members) >= visitsPerPage {
		next = walkPosition{after: members[len(members)-1].Conversation}.String()
	}
	return collector.page, next, nil
}

// inboxRows returns the rows that a page goes through: the one that the last page stopped in, and those after it.
func (s *Service) inboxRows(ctx context.Context, app id.App, user id.User, at walkPosition) ([]Member, error) {
	members, err := s.rows(ctx, app, user, at.after, visitsPerPage)
	if err != nil || at.within == "" {
		return members, err
	}
	current, err := s.member(ctx, app, user, at.within)
	if fault.Is(err, fault.ConversationNotFound) { // removed from the group meanwhile
		return members, nil
	}
	return append([]Member{current}, members...), err
}

// collector fills a page of Inbox.
type collector struct {
	service *Service
	unread  bool
	limit   int
	page    []Message
	reads   int
}

// collect adds one conversation's messages from the sequence on. more tells that the page came to its end within the
// conversation, before the sequence in end.
func (c *collector) collect(ctx context.Context, row tailed, from int64) (end int64, more bool, err error) {
	for from <= row.tail.Sequence && !(c.unread && row.Unread(row.tail) <= 0) {
		if len(c.page) == c.limit || c.reads == readsPerPage {
			return from, true, nil
		}
		entries, err := c.entries(ctx, row, from)
		if err != nil || len(entries) == 0 {
			return from, false, err
		}
		if from, err = c.take(ctx, row, entries); err != nil {
			return from, false, err
		}
	}
	return from, false, nil
}

// entries returns the next page of a conversation. Where only the last entry is left, it is there already.
func (c *collector) entries(ctx context.Context, row tailed, from int64) ([]Entry, error) {
	if from == row.tail.Sequence {
		return []Entry{row.tail}, nil
	}
	c.reads++
	return c.service.read(ctx, row.App, row.Conversation, from, PageSize)
}

// take adds the entries until the page is full, and returns the sequence behind the last that it has dealt with: behind the
// end of the conversation where the user's membership ends in between.
func (c *collector) take(ctx context.Context, row tailed, entries []Entry) (int64, error) {
	entries, err := c.service.shown(ctx, row.Member, entries, false)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		passed := c.unread && (entry.Sender == row.User || !entry.counts())
		if passed && entry.Type != TypeEvent {
			continue
		}
		if !passed && len(c.page) == c.limit {
			return entry.Sequence, nil
		}
		message, err := c.service.open(ctx, entry)
		if err != nil {
			return 0, err
		}
		if !passed {
			c.page = append(c.page, message)
		}
		if message.ends(row.User) {
			return row.tail.Sequence + 1, nil
		}
	}
	return entries[len(entries)-1].Sequence + 1, nil
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
