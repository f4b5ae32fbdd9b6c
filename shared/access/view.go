package access

import (
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// The effects of grants.
const (
	Allow = "allow"
	Deny  = "deny"
)

// View is a grant on the wire and in records.
type View struct {
	GrantID     id.Grant   `json:"grant_id" doc:"The grant's ID."`
	Subject     string     `json:"subject" doc:"The key or the user that has it."`
	Effect      string     `json:"effect" enum:"allow,deny" doc:"Whether it allows or denies. What is denied is denied, whatever allows it."`
	Role        authz.Role `json:"role,omitempty" doc:"The role that it gives: the name of a built-in one, or the ID of one of the app's own."`
	Permissions []string   `json:"permissions,omitempty" nullable:"false" doc:"The permissions, where it gives no role."`
	Group       id.Group   `json:"group,omitempty" doc:"The one group in which it holds; absent for the whole app."`
	Until       *time.Time `json:"until,omitempty" doc:"When it ends by itself."`
	CreatedAt   time.Time  `json:"created_at" doc:"When it was made."`
	CreatedBy   string     `json:"created_by,omitempty" doc:"The key, the developer or the user that made it."`
	Reason      string     `json:"reason,omitempty" doc:"Why, in the words of who made it."`
	RevokedAt   *time.Time `json:"revoked_at,omitempty" doc:"When it was revoked."`
	RevokedBy   string     `json:"revoked_by,omitempty" doc:"Who revoked it."`
	Ended       Ended      `json:"ended,omitempty" enum:"revoked,expired,role_deleted" doc:"Why it counts no more; absent while it counts. One whose role was deleted gives nothing, and does not count against the most that a subject may have."`
}

// Ended says why a grant counts no more.
type Ended string

// How grants end.
const (
	Revoked     Ended = "revoked"
	Expired     Ended = "expired"
	RoleDeleted Ended = "role_deleted"
)

// views returns the app's grants as others see them now.
func (s *Service) views(ctx context.Context, app id.App, grants ...Grant) ([]View, error) {
	policy, err := s.policyOf(ctx, app, grants)
	if err != nil {
		return nil, err
	}
	now, views := s.Clock.Now(), []View{}
	for _, grant := range grants {
		view := grant.View()
		switch {
		case !grant.RevokedAt.IsZero():
			view.Ended = Revoked
		case grant.Ended(now):
			view.Ended = Expired
		case grant.Statement.Role != "" && !policy.Has(grant.Statement.Role):
			view.Ended = RoleDeleted
		}
		views = append(views, view)
	}
	return views, nil
}

// policyOf reads the app's policy where one of the grants is of a role of the app's own; nobody else asks for it.
func (s *Service) policyOf(ctx context.Context, app id.App, grants []Grant) (authz.Policy, error) {
	if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Statement.Role != "" && !g.Statement.Role.IsBuiltIn() }) {
		return authz.Policy{}, nil
	}
	book, err := s.Store.Book(ctx, app)
	return book.Policy(), err
}

// View returns the grant as it is written down; whether it has ended, views tells.
func (g Grant) View() View {
	view := View{GrantID: g.ID, Subject: g.Subject, Effect: Allow, Role: g.Statement.Role, Group: g.Statement.Group,
		Until: optional(g.Statement.Until), CreatedAt: g.CreatedAt.UTC(), CreatedBy: g.CreatedBy, Reason: g.Reason,
		RevokedAt: optional(g.RevokedAt), RevokedBy: g.RevokedBy}
	if g.Statement.Deny {
		view.Effect = Deny
	}
	if g.Statement.Role == "" {
		view.Permissions = g.Statement.Set.Names()
	}
	return view
}

// Statement returns what the grant says. A permission that there is no more is left out.
func (v View) Statement() authz.Statement {
	set, _ := authz.ParseSet(v.Permissions)
	return authz.Statement{Grant: v.GrantID, Deny: v.Effect == Deny, Role: v.Role, Set: set, Group: v.Group, Until: instant(v.Until)}
}

// RoleView is a role on the wire and in records, a built-in one or one of an app's own.
type RoleView struct {
	RoleID      authz.Role `json:"role_id" doc:"The role's ID; of a built-in one its name."`
	Name        string     `json:"name" doc:"The role's name."`
	Description string     `json:"description,omitempty" doc:"What it is for."`
	BuiltIn     bool       `json:"built_in" doc:"Whether every app has it, and nobody can change it."`
	Permissions []string   `json:"permissions" nullable:"false" doc:"What it allows."`
	Denied      []string   `json:"denied" nullable:"false" doc:"What it denies, whatever allows it."`
	CreatedAt   *time.Time `json:"created_at,omitempty" doc:"When it was made."`
	CreatedBy   string     `json:"created_by,omitempty" doc:"The key, the developer or the user that made it."`
	ChangedAt   *time.Time `json:"changed_at,omitempty" doc:"When it was changed last."`
}

// View returns the role as others see it.
func (r Role) View() RoleView {
	return RoleView{RoleID: r.ID, Name: r.Name, Description: r.Description, BuiltIn: r.ID.IsBuiltIn(),
		Permissions: r.Allow.Names(), Denied: r.Deny.Names(), CreatedAt: optional(r.CreatedAt), CreatedBy: r.CreatedBy,
		ChangedAt: optional(r.ChangedAt)}
}

// Effect returns what the role allows and denies.
func (v RoleView) Effect() authz.Effect {
	allow, _ := authz.ParseSet(v.Permissions)
	deny, _ := authz.ParseSet(v.Denied)
	return authz.Effect{Allow: allow, Deny: deny}
}

// optional leaves the zero time out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// instant is the way back.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
