package message

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"unicode"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// MaxReactionBytes bounds a reaction: the longest emoji, a family with skin tones, has 41 bytes.
	MaxReactionBytes = 48
	// MaxReactionKinds bounds how many different reactions a message has: they are counted in its row.
	MaxReactionKinds = 20
)

// shortcode is a reaction that has a name: an app's own picture.
var shortcode = regexp.MustCompile(`^:[a-z0-9_+-]{1,32}:$`)

// React adds the acting user's reaction to a message, one of a kind for each user.
func (s *Service) React(ctx context.Context, act Act, reaction string) (Done, error) {
	return s.react(ctx, act, reaction, Reacted)
}

// Unreact takes a reaction of the acting user's back.
func (s *Service) Unreact(ctx context.Context, act Act, reaction string) (Done, error) {
	return s.react(ctx, act, reaction, Unreacted)
}

func (s *Service) react(ctx context.Context, act Act, reaction string, kind OperationKind) (Done, error) {
	if !isReaction(reaction) {
		return Done{}, fault.Invalid(fault.Field{Name: "reaction", Code: fault.ReactionInvalid, Args: []any{MaxReactionBytes}})
	}
	return s.do(ctx, act, func(ctx context.Context, on scene) (decision, error) {
		if on.target.recalled() {
			return decision{}, messageRecalled()
		}
		if err := s.heard(on.member.Seat); err != nil {
			return decision{}, err
		}
		hidden, err := s.hides(ctx, on)
		if err != nil {
			return decision{}, err
		}
		were, err := s.Operations.Reactions(ctx, on.Caller.App, on.Conversation, on.Sequence, on.user())
		if err != nil {
			return decision{}, err
		}
		decided := decision{after: were.Sequence, hidden: hidden, operation: Operation{Kind: kind, Seq: on.Sequence, Reaction: reaction}}
		if decided.done = slices.Contains(were.Texts, reaction) == (kind == Reacted); decided.done {
			return decided, nil
		}
		if !on.member.Seat.leads() {
			decided.speaker = Reacting
		}
		if hidden && !on.target.Hidden { // the message stays as the other user has seen it
			return decided, nil
		}
		counts, err := recount(on.target.Reactions, reaction, kind)
		decided.operation.Revision = on.target.Revision + 1
		decided.change = func(entry Entry) Alteration {
			target := on.target
			target.Reactions = counts
			target.Revision++
			return Alteration{Message: &target, Reactions: were.with(reaction, kind, entry.Sequence), Was: were.Sequence}
		}
		return decided, err
	})
}

// recount returns the counts with one reaction more or less.
func recount(were map[string]int64, reaction string, kind OperationKind) (map[string]int64, error) {
	counts := maps.Clone(were)
	if counts == nil {
		counts = map[string]int64{}
	}
	if kind == Unreacted {
		if counts[reaction]--; counts[reaction] <= 0 {
			delete(counts, reaction)
		}
		return counts, nil
	}
	if _, there := counts[reaction]; !there && len(counts) >= MaxReactionKinds {
		return nil, fault.New(fault.ReactionsFull, MaxReactionKinds)
	}
	counts[reaction]++
	return counts, nil
}

// with returns the user's reactions after the operation of the sequence.
func (r Reactions) with(reaction string, kind OperationKind, sequence int64) *Reactions {
	r.Sequence, r.Texts = sequence, toggled(r.Texts, reaction, kind == Reacted)
	return &r
}

// toggled returns the list with the item at its end, or without it.
func toggled[T comparable](list []T, item T, in bool) []T {
	list = slices.DeleteFunc(slices.Clone(list), func(each T) bool { return each == item })
	if in {
		list = append(list, item)
	}
	return list
}

// isReaction tells whether the text is one emoji or a few, or a name between colons. Reactions are counted in the clear, so
// they must not be texts.
func isReaction(text string) bool {
	if len(text) == 0 || len(text) > MaxReactionBytes {
		return false
	}
	return shortcode.MatchString(text) || !slices.ContainsFunc([]rune(text), func(r rune) bool { return !emojiRune(r) }) && slices.ContainsFunc([]rune(text), shows)
}

// shows tells whether the rune is a symbol, and not only what changes one.
func shows(r rune) bool { return unicode.Is(unicode.So, r) || r == '‼' || r == '⁉' || r == '⃣' }

// emojiRune tells whether emoji are made with the rune: symbols, their modifiers, joiners and selectors, tags, and the digits of
// keycaps. https://www.unicode.org/reports/tr51/#Emoji_Sequences
func emojiRune(r rune) bool {
	return shows(r) || unicode.Is(unicode.Sk, r) || unicode.Is(unicode.Sm, r) || r == '\u200d' || r == '\ufe0f' ||
		r >= 0xE0020 && r <= 0xE007F || r >= '0' && r <= '9' || r == '#' || r == '*'
}

// ReactionCount is how many users have reacted to a message with the same.
type ReactionCount struct {
	Reaction string `json:"reaction" doc:"The reaction." example:"👍"`
	Count    int64  `json:"count" doc:"How many users have reacted with it." example:"2"`
}

// countsOf returns the counts, the most frequent first.
func countsOf(reactions map[string]int64) []ReactionCount {
	var counts []ReactionCount
	for reaction, count := range reactions {
		counts = append(counts, ReactionCount{reaction, count})
	}
	slices.SortFunc(counts, func(a, b ReactionCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reaction, b.Reaction))
	})
	return counts
}

// Reactor is a user with its reactions to a message.
type Reactor struct {
	UserID    id.User  `json:"user_id" doc:"The user's ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Reactions []string `json:"reactions" nullable:"false" doc:"What the user has reacted with." example:"[\"👍\"]"`
}

// Reactors returns up to limit users who have reacted to the message, by ID, those after the position ("" begins), and the next
// position. Who may see the message sees them; user "" is an application.
func (s *Service) Reactors(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64, position string, limit int) (page []Reactor, next string, err error) {
	message, err := s.Message(ctx, app, user, conversation, sequence)
	if err == nil && message.RecalledAt != nil {
		err = messageRecalled()
	}
	if err != nil {
		return nil, "", err
	}
	found, err := s.Operations.Reactors(ctx, app, conversation, sequence, id.User(position), limit)
	if err != nil {
		return nil, "", err
	}
	page = []Reactor{}
	for _, each := range found {
		if len(each.Texts) > 0 {
			page = append(page, Reactor{each.User, each.Texts})
		}
	}
	if len(found) == limit {
		next = string(found[limit-1].User)
	}
	return page, next, nil
}
