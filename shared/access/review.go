package access

import (
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// Finding is something about a subject that somebody should look at.
type Finding string

// The findings.
const (
	// UnusedPermissions says that it may do what it has not done for long.
	UnusedPermissions Finding = "unused_permissions"
	// ExpiresSoon says that the key, or one of the grants, ends within 30 days.
	ExpiresSoon Finding = "expires_soon"
	// RoleWiderThanUsed says that a role was granted of which a part would do.
	RoleWiderThanUsed Finding = "role_wider_than_used"
	// NotActive says that a key has ended, and can do nothing.
	NotActive Finding = "not_active"
)

// soon is how long before its end something expires soon.
const soon = 30 * 24 * time.Hour

// Reviewed is what a subject can do, and what it does.
type Reviewed struct {
	Subject     string               `json:"subject" doc:"The ID of the key or the user."`
	Name        string               `json:"name" doc:"Its name."`
	Kind        string               `json:"kind" enum:"key,user" doc:"What it is."`
	Active      bool                 `json:"active" doc:"Whether it can do anything: false for a key that has expired or was revoked."`
	ExpiresAt   *time.Time           `json:"expires_at,omitempty" doc:"When a key stops or stopped working."`
	LastUsedAt  *time.Time           `json:"last_used_at,omitempty" doc:"When a key was used last; written down once an hour at most."`
	Permissions []ReviewedPermission `json:"permissions" nullable:"false" doc:"What it may do now; of a user only what comes of grants, and not what every user may do."`
	Grants      []ReviewedGrant      `json:"grants" nullable:"false" doc:"The grants that it may do it by, and the denials."`
	Findings    []Finding            `json:"findings" nullable:"false" enum:"unused_permissions,expires_soon,role_wider_than_used,not_active" doc:"What somebody should look at."`
}

// ReviewedPermission is one permission of a subject.
type ReviewedPermission struct {
	Permission authz.Permission `json:"permission" doc:"The permission."`
	Group      id.Group         `json:"group,omitempty" doc:"The one group in which it has it; absent for the whole app."`
	Via        authz.Via        `json:"via" enum:"scopes,grant" doc:"Whether it comes of the key's scopes or of a grant."`
	GrantID    id.Grant         `json:"grant_id,omitempty" doc:"The grant."`
	Since      *time.Time       `json:"since,omitempty" doc:"Since when: when the key or the grant was made."`
	LastUsed   string           `json:"last_used,omitempty" doc:"The day of the last use, in UTC; absent where none was written down." example:"2026-07-01"`
	Unused     bool             `json:"unused" doc:"Whether both that day and since are as long ago as was asked for."`
}

// ReviewedGrant is one grant of a subject.
type ReviewedGrant struct {
	GrantID     id.Grant           `json:"grant_id" doc:"The grant's ID, for POST /grants/revoke."`
	Effect      string             `json:"effect" enum:"allow,deny" doc:"Whether it allows or denies."`
	Role        authz.Role         `json:"role,omitempty" doc:"The role that it gives."`
	Permissions []string           `json:"permissions,omitempty" nullable:"false" doc:"The permissions, where it gives no role."`
	Group       id.Group           `json:"group,omitempty" doc:"The one group in which it holds; absent for the whole app."`
	Until       *time.Time         `json:"until,omitempty" doc:"When it ends by itself."`
	CreatedAt   *time.Time         `json:"created_at,omitempty" doc:"When it was made."`
	Unused      []authz.Permission `json:"unused" nullable:"false" doc:"What it gives and was not used for as long as was asked for."`
}

// Review returns what the app's keys, and the users that have grants, may do and have not done for the days, up to limit of
// them, those after the position, "" to begin. Use is known by the day; what was never used counts from when it was given.
func (s *Service) Review(ctx context.Context, app id.App, days int, position string, limit int) (page []Reviewed, next string, err error) {
	book, err := s.Store.Book(ctx, app)
	if err != nil {
		return nil, "", err
	}
	subjects, next, err := s.Store.Subjects(ctx, app, position, limit)
	if err != nil {
		return nil, "", err
	}
	r := reviewer{policy: book.Policy(), now: s.Clock.Now().UTC(), days: int64(days)}
	for _, subject := range subjects {
		made, err := s.grantsMade(ctx, app, subject, r.now)
		if err != nil {
			return nil, "", err
		}
		page = append(page, r.review(subject, made))
	}
	return page, next, nil
}

// grantsMade returns when the subject's grants were made.
func (s *Service) grantsMade(ctx context.Context, app id.App, subject Subject, now time.Time) (map[id.Grant]time.Time, error) {
	made := map[id.Grant]time.Time{}
	if len(subject.Rights.Statements) == 0 {
		return made, nil
	}
	filter := Filter{Subject: subject.ID, Now: now}
	for position := ""; ; {
		grants, next, err := s.Store.List(ctx, app, filter, position, MaxBulk)
		for _, grant := range grants {
			made[grant.ID] = grant.CreatedAt
		}
		if err != nil || next == "" {
			return made, err
		}
		position = next
	}
}

// reviewer has what the review of every subject needs.
type reviewer struct {
	policy authz.Policy
	now    time.Time
	days   int64
}

func (r reviewer) review(subject Subject, made map[id.Grant]time.Time) Reviewed {
	reviewed := Reviewed{Subject: subject.ID, Name: subject.Name, Kind: "key", ExpiresAt: optional(subject.EndedAt),
		Active: subject.EndedAt.IsZero() || r.now.Before(subject.EndedAt), LastUsedAt: optional(subject.UsedAt),
		Permissions: []ReviewedPermission{}, Grants: []ReviewedGrant{}}
	if subject.Rights.Kind == authz.Users {
		reviewed.Kind = "user"
	}
	if reviewed.Active {
		reviewed.Permissions = r.permissions(subject, made)
	}
	for _, statement := range standing(subject.Rights.Statements, &r.policy, r.now) {
		reviewed.Grants = append(reviewed.Grants, r.grant(subject, statement, made, reviewed.Active))
	}
	reviewed.Findings = r.findings(reviewed)
	return reviewed
}

// permissions returns what the subject may do, in the whole app and then in each group that it was granted something more in.
func (r reviewer) permissions(subject Subject, made map[id.Grant]time.Time) []ReviewedPermission {
	groups := []id.Group{""}
	for _, statement := range subject.Rights.Statements {
		if !slices.Contains(groups, statement.Group) {
			groups = append(groups, statement.Group)
		}
	}
	found := []ReviewedPermission{}
	for _, group := range groups {
		for _, permission := range authz.HadIn(group).Permissions() {
			decision := subject.Rights.Decide(&r.policy, permission, group, r.now)
			everywhere := group != "" && subject.Rights.Decide(&r.policy, permission, "", r.now).Allowed
			if !decision.Allowed || decision.Via == authz.ViaDefault || everywhere {
				continue
			}
			since, known := r.since(subject, decision.Statement, made)
			each := ReviewedPermission{Permission: permission, Group: group, Via: decision.Via, GrantID: decision.Statement.Grant,
				Since: optional(since), Unused: known && r.unused(subject, permission, since)}
			if day, noted := subject.Rights.Used[permission]; noted {
				each.LastUsed = time.Unix(0, 0).UTC().AddDate(0, 0, int(day)).Format(time.DateOnly)
			}
			found = append(found, each)
		}
	}
	return found
}

// since returns when what the statement gives was given. Lists lag behind: a grant that is not yet in one is new.
func (r reviewer) since(subject Subject, statement authz.Statement, made map[id.Grant]time.Time) (since time.Time, known bool) {
	if statement.Grant == "" {
		return subject.CreatedAt, true
	}
	since, known = made[statement.Grant]
	return since, known
}

// unused tells whether the permission, given at the time, was not used for the days.
func (r reviewer) unused(subject Subject, permission authz.Permission, since time.Time) bool {
	day, noted := subject.Rights.Used[permission]
	return !since.After(r.now.AddDate(0, 0, -int(r.days))) && (!noted || authz.Day(r.now)-day >= r.days)
}

func (r reviewer) grant(subject Subject, statement authz.Statement, made map[id.Grant]time.Time, active bool) ReviewedGrant {
	since, known := r.since(subject, statement, made)
	view := Grant{ID: statement.Grant, Statement: statement}.View()
	reviewed := ReviewedGrant{GrantID: view.GrantID, Effect: view.Effect, Role: view.Role, Permissions: view.Permissions,
		Group: view.Group, Until: view.Until, CreatedAt: optional(since), Unused: []authz.Permission{}}
	if !known || !active {
		return reviewed
	}
	given := statement.Effect(&r.policy).Allow & authz.HeldBy(subject.Rights.Kind) & authz.HadIn(statement.Group)
	for _, permission := range given.Permissions() {
		decision := subject.Rights.Decide(&r.policy, permission, statement.Group, r.now)
		byDefault := decision.Allowed && decision.Via == authz.ViaDefault // whose use is not written down
		if !byDefault && r.unused(subject, permission, since) {
			reviewed.Unused = append(reviewed.Unused, permission)
		}
	}
	return reviewed
}

func (r reviewer) findings(reviewed Reviewed) []Finding {
	if !reviewed.Active {
		return []Finding{NotActive}
	}
	ends := func(at *time.Time) bool { return at != nil && at.Before(r.now.Add(soon)) }
	findings := []Finding{}
	for finding, found := range map[Finding]bool{
		UnusedPermissions: slices.ContainsFunc(reviewed.Permissions, func(p ReviewedPermission) bool { return p.Unused }),
		ExpiresSoon:       ends(reviewed.ExpiresAt) || slices.ContainsFunc(reviewed.Grants, func(g ReviewedGrant) bool { return ends(g.Until) }),
		RoleWiderThanUsed: slices.ContainsFunc(reviewed.Grants, func(g ReviewedGrant) bool { return g.Role != "" && len(g.Unused) > 0 }),
	} {
		if found {
			findings = append(findings, finding)
		}
	}
	slices.Sort(findings)
	return findings
}
