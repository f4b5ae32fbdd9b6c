package message

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

// Recall takes a message back for everybody: its content is nowhere any more, and an entry tells of it. It still counts, so that
// nobody's unread count changes. A user recalls what it has sent, also to somebody who has blocked it since, while the app's window
// is open; the owner and the admins of a group, and whoever moderates the app, recall anybody's at any time.
func (s *Service) Recall(ctx context.Context, act Act) (Done, error) {
	return s.do(ctx, act, func(ctx context.Context, on scene) (decision, error) {
		if err := s.recallable(ctx, on); err != nil {
			return decision{}, err
		}
		if on.target.recalled() {
			return decision{done: true, after: on.target.Recall, operation: Operation{Kind: Recalled, Seq: on.Sequence}}, nil
		}
		superseded, err := s.superseded(ctx, on.target)
		if err != nil {
			return decision{}, err
		}
		return decision{hidden: on.target.Hidden, after: on.target.Edit,
			operation: Operation{Kind: Recalled, Seq: on.Sequence, Revision: on.target.Revision + 1, Moderated: act.Moderating},
			change: func(entry Entry) Alteration {
				target := on.target
				target.Sealed, target.Reactions = nil, nil
				target.Recall, target.RecalledAt, target.RecalledBy = entry.Sequence, entry.SentAt, act.user()
				target.Revision++
				return Alteration{Message: &target, Superseded: superseded}
			}}, nil
	})
}

// recallable refuses whoever may not recall the message, or not any more.
func (s *Service) recallable(ctx context.Context, on scene) error {
	if on.Moderating || on.member.Seat.leads() && on.manages() == nil {
		return nil
	}
	switch {
	case on.target.Sender != on.user():
		return fault.Invalid(fault.Field{Name: "seq", Code: fault.MessageNotYours})
	case on.target.recalled():
		return nil
	}
	return s.inTime(ctx, on, fault.RecallTooLate, func(w OperationWindows) time.Duration { return w.Recall })
}

// manages refuses whoever does not look after the group.
func (on scene) manages() error {
	group := on.Conversation.Group()
	return on.Caller.Within(group, on.member.Seat.Role).RequireIn(authz.GroupsManage, group)
}

// recalled tells whether the message has been taken back.
func (e Entry) recalled() bool { return e.Recall != 0 }

// rewritten tells whether the entry's content is not what was sent any more. Whoever sends the message again then has seen that
// it was stored: there is nothing to compare it with.
func (e Entry) rewritten() bool { return e.Edit != 0 || e.recalled() }
