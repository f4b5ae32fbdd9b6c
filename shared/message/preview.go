package message

import (
	"context"

	"github.com/tokenim/tokenim/shared/id"
)

// previewPage is how many entries are read at once to find a preview. Mostly the last entry is one.
const previewPage = 16

// shown returns where a preview of the conversation that ends with the entry is to be looked for; 0 where it cannot tell.
func (e Entry) shown() int64 {
	switch e.Type {
	case TypeOperation:
		return e.Shown
	case TypeVoid:
		return 0
	}
	return e.Sequence
}

// previews tells whether the entry, as somebody sees it, is what a conversation is previewed by: a message, or what happened to a
// group.
func (e Entry) previews() bool { return e.counts() || e.Type == TypeEvent }

// preview returns the last message of the conversation for its user, nil where there is none near the end: behind more operations
// than two pages have it looks where their writers knew one to be.
func (s *Service) preview(ctx context.Context, row tailed) (*Message, error) {
	entry, err := s.lastShown(ctx, row)
	if err != nil || entry.Sequence == 0 {
		return nil, err
	}
	message, err := s.open(ctx, entry)
	return &message, err
}

func (s *Service) lastShown(ctx context.Context, row tailed) (Entry, error) {
	last, err := s.shownOne(ctx, row.Member, row.tail, false)
	if err != nil || last.previews() {
		return last, err
	}
	shown := row.tail.shown()
	at := row.tail.Sequence - 1
	for range 2 {
		if at < row.First() {
			break
		}
		entries, err := s.page(ctx, row.App, row.Conversation, Descending, at, row.First(), previewPage)
		if err == nil {
			entries, err = s.shown(ctx, row.Member, entries, false)
		}
		if err != nil || len(entries) == 0 {
			return Entry{}, err
		}
		for _, entry := range entries {
			if entry.previews() {
				return entry, nil
			}
			shown = max(shown, entry.shown())
		}
		if at = entries[len(entries)-1].Sequence - 1; shown > 0 {
			at = min(at, shown)
		}
	}
	return Entry{}, nil
}

// Message returns one message of the conversation, or another entry, as it is now. Where user is not "", it has to be in the
// conversation, and sees what came since it is: otherwise, and where there is no such conversation, it is
// fault.ConversationNotFound; fault.MessageNotFound where nothing is to be seen at the sequence.
func (s *Service) Message(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Message, error) {
	entry, err := s.entryFor(ctx, app, user, conversation, sequence)
	if err != nil {
		return Message{}, err
	}
	if entry.Sequence == 0 || entry.Type == TypeVoid {
		return Message{}, messageNotFound()
	}
	return s.open(ctx, entry)
}

// entryFor reads strongly what stands at the sequence, as the user sees it: a void for what it does not see, zero for nothing. ""
// is an application.
func (s *Service) entryFor(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Entry, error) {
	if !id.IsConversation(string(conversation)) {
		return Entry{}, notFound()
	}
	entry, err := s.entryAt(ctx, Entry{App: app, Conversation: conversation, Sequence: sequence})
	if err != nil {
		return Entry{}, err
	}
	member, err := s.reader(ctx, app, user, conversation, entry.Sequence != 0)
	if err != nil {
		return Entry{}, err
	}
	return s.shownOne(ctx, member, entry, false)
}

// reader returns the user's row of the conversation. It is read after the entries: whoever is in by then was not removed before
// them. An application sees all of a conversation that there is: it gets the zero Member. Where nothing was found there it is told
// whether there is one.
func (s *Service) reader(ctx context.Context, app id.App, user id.User, conversation id.Conversation, found bool) (Member, error) {
	if user != "" {
		return s.member(ctx, app, user, conversation)
	}
	if found {
		return Member{}, nil
	}
	last, err := s.tail(ctx, app, conversation, false)
	if err == nil && last.Sequence == 0 {
		err = notFound()
	}
	return Member{}, err
}
