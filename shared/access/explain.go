package access

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// What makes a decision besides what package authz knows.
const (
	// ViaNotActive is that a key is not there yet, has expired or was revoked.
	ViaNotActive authz.Via = "key_not_active"
	// ViaNotRegistered is that a user is not there yet.
	ViaNotRegistered authz.Via = "not_registered"
	// ViaGroupRole is what a user is in the group: nothing else allows or denies it.
	ViaGroupRole authz.Via = "group_role"
)

// wholeApp is the resource that is no group.
const wholeApp = "app"

// noResource says that a resource is neither.
var noResource = fault.Text{EN: "It is app, or the ID of a group: g_ and 22 letters and digits.", ZH: "须为 app 或群组 ID：g_ 加 22 个字母或数字。"}

// onlyNow says that there is no past to be told.
var onlyNow = fault.Text{EN: "For developers there is only now: leave it out.", ZH: "对开发者只能查询当前情况：请省略该字段。"}

// Question is who may, or could, do what.
type Question struct {
	// Subject is a key, a user, or a developer.
	Subject string
	// Permission is what.
	Permission authz.Permission
	// Group is where; "" for the whole app.
	Group id.Group
	// At is when, as finely as records are kept; zero for now.
	At time.Time
}

// Explanation is the answer.
type Explanation struct {
	Subject    string           `json:"subject" doc:"Who was asked about."`
	Permission authz.Permission `json:"permission" doc:"The permission."`
	Resource   string           `json:"resource" doc:"app for the whole app, or the ID of a group."`
	At         time.Time        `json:"at" doc:"The moment that the answer is about."`
	Decision   string           `json:"decision" enum:"allow,deny" doc:"Whether the subject may do it at that moment."`
	Via        authz.Via        `json:"via" enum:"default_deny,scopes,default_role,grant,account_role,group_role,key_not_active,not_registered" doc:"What decided: nothing that allows it, the key's scopes, a role that every user has, a grant, the developer's role in the account, the user's in the group; or that the key did not work or the user was not registered at that moment."`
	Grant      *View            `json:"grant,omitempty" doc:"The grant that decided."`
	Role       authz.Role       `json:"role,omitempty" doc:"The role through which it did."`
	Since      *time.Time       `json:"since,omitempty" doc:"Since when what decided stands."`
	By         string           `json:"by,omitempty" doc:"The key, the developer or the user whose doing it is."`
	Reason     string           `json:"reason,omitempty" doc:"Why, in their words."`
	GrantedBy  []string         `json:"granted_by,omitempty" nullable:"false" doc:"Where it is denied, who could give it: members of the account with one of these roles, and keys and users that have all of the permissions that + joins and can hand them on: a user what it has for its own data to users only, and nobody for the whole app what is denied to them in a group."`
	NeedsKey   bool             `json:"needs_key" doc:"For users: the permission reaches beyond their own data, and counts only with a token that was minted by a key that has it too."`
}

// Explain tells whether somebody may do something, or could at a moment of the past, and by whose doing. What holds now is
// read from what decisions are made with; what held then from the records. fault.SubjectNotFound, PermissionUnknown.
func (s *Service) Explain(ctx context.Context, app id.App, question Question) (Explanation, error) {
	question.At = question.At.UTC().Truncate(time.Millisecond)
	now := s.Clock.Now().UTC()
	if err := question.check(now); err != nil {
		return Explanation{}, err
	}
	if id.IsDeveloper(question.Subject) {
		return s.explainMember(ctx, app, question, now)
	}
	subject, err := s.subject(ctx, app, question.Subject)
	if err != nil {
		return Explanation{}, err
	}
	var user id.User
	if id.IsUser(question.Subject) {
		user = id.User(question.Subject)
	}
	seat, err := s.roleIn(ctx, app, question.Group, user, "resource")
	if err != nil {
		return Explanation{}, err
	}
	if question.At.IsZero() {
		question.At = now
		return s.explainNow(ctx, app, question, subject, seat)
	}
	then, err := s.past(ctx, app, subject, question.At)
	if err != nil {
		return Explanation{}, err
	}
	return then.explain(question), nil
}

func (q Question) check(now time.Time) error {
	if _, known := authz.Lookup(q.Permission); !known {
		return fault.Invalid(fault.Field{Name: "permission", Code: fault.PermissionUnknown, Args: []any{string(q.Permission)}})
	}
	if q.Group != "" && !id.IsGroup(string(q.Group)) {
		return fault.Invalid(fault.Wrong("resource", noResource))
	}
	if !authz.HadIn(q.Group).Has(q.Permission) {
		return fault.Invalid(fault.Field{Name: "resource", Code: fault.PermissionNotInGroup, Args: []any{string(q.Permission)}})
	}
	if q.At.After(now) {
		return fault.Invalid(fault.Wrong("at", fault.MustBePast))
	}
	if !q.At.IsZero() && id.IsDeveloper(q.Subject) { // which roles members had is in the account's records
		return fault.Invalid(fault.Wrong("at", onlyNow))
	}
	return nil
}

// explainNow answers from what the next request would be judged by.
func (s *Service) explainNow(ctx context.Context, app id.App, question Question, subject Subject, seat authz.Role) (Explanation, error) {
	book, err := s.Store.Book(ctx, app)
	if err != nil {
		return Explanation{}, err
	}
	now := state{rights: subject.Rights, policy: book.Policy(), seat: seat, made: event{at: subject.CreatedAt, by: subject.CreatedBy},
		ended: event{at: subject.EndedAt}}
	decision := now.decide(question)
	switch decision.Via {
	case ViaNotActive:
		err = s.explainEnd(ctx, app, subject, question.At, &now.ended)
	case authz.ViaDefault:
		err = s.explainDefaults(ctx, app, question.At, &now.defaults)
	case authz.ViaGrant:
		now.grants, err = s.explainGrant(ctx, app, decision.Statement.Grant)
	}
	return now.explain(question), err
}

// explainEnd fills in who ended a key and why, where the records have it.
func (s *Service) explainEnd(ctx context.Context, app id.App, key Subject, now time.Time, ended *event) error {
	then, err := s.past(ctx, app, key, now.Truncate(time.Millisecond))
	if then.ended.at.Equal(ended.at) {
		*ended = then.ended
	}
	return err
}

func (s *Service) explainDefaults(ctx context.Context, app id.App, now time.Time, defaults *event) error {
	last, found, err := s.last(ctx, app, subjectDefaults, now, record.DefaultsChanged)
	if found {
		*defaults = eventOf(last)
	}
	return err
}

// explainGrant reads who made the grant and why. One whose row is gone has just ended.
func (s *Service) explainGrant(ctx context.Context, app id.App, grant id.Grant) (map[id.Grant]View, error) {
	found, err := s.Store.Get(ctx, app, grant)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return map[id.Grant]View{grant: found.View()}, err
}

// decide tells whether the subject may do it.
func (st state) decide(question Question) authz.Decision {
	ended := !st.ended.at.IsZero() && !question.At.Before(st.ended.at)
	if question.At.Before(st.made.at) || ended {
		if st.rights.Kind == authz.Users {
			return authz.Decision{Via: ViaNotRegistered}
		}
		return authz.Decision{Via: ViaNotActive}
	}
	decision := st.rights.Decide(&st.policy, question.Permission, question.Group, question.At)
	if decision.Via == authz.ViaNothing && authz.GroupRoleMay(st.seat, question.Permission) {
		return authz.Decision{Allowed: true, Via: ViaGroupRole, Statement: authz.Statement{Role: st.seat}}
	}
	return decision
}

// explain answers the question, whose time the state is of.
func (st state) explain(question Question) Explanation {
	decision := st.decide(question)
	answer := question.answer(decision, st.rights.Kind)
	var cause event
	switch decision.Via {
	case ViaNotActive:
		if !question.At.Before(st.made.at) {
			cause = st.ended
		}
	case authz.ViaBase:
		cause = st.made
	case authz.ViaDefault:
		cause = st.defaults
		if cause.at.Before(st.made.at) {
			cause.at = st.made.at
		}
	case authz.ViaGrant:
		if view, known := st.grants[decision.Statement.Grant]; known {
			answer.Grant, cause = &view, event{view.CreatedAt, view.CreatedBy, view.Reason}
		}
	}
	answer.Since, answer.By, answer.Reason = optional(cause.at), cause.by, cause.reason
	return answer
}

// answer is the explanation without what caused the decision.
func (q Question) answer(decision authz.Decision, kind authz.Kind) Explanation {
	answer := Explanation{Subject: q.Subject, Permission: q.Permission, Resource: wholeApp, At: q.At, Decision: Deny,
		Via: decision.Via, Role: decision.Statement.Role}
	if q.Group != "" {
		answer.Resource = string(q.Group)
	}
	entry, _ := authz.Lookup(q.Permission)
	switch {
	case decision.Allowed:
		answer.Decision = Allow
		answer.NeedsKey = kind == authz.Users && entry.Beyond && decision.Via != ViaGroupRole
	case decision.Via != ViaNotActive && decision.Via != ViaNotRegistered:
		answer.GrantedBy = authz.GrantedBy(q.Permission, kind)
	}
	return answer
}

// explainMember answers for a developer, who may in the app what the role in its account may.
func (s *Service) explainMember(ctx context.Context, app id.App, question Question, now time.Time) (Explanation, error) {
	if s.Members == nil {
		return Explanation{}, notFound()
	}
	role, since, ok, err := s.Members.Standing(ctx, app, id.Developer(question.Subject))
	if err != nil {
		return Explanation{}, err
	}
	if !ok {
		return Explanation{}, notFound()
	}
	question.At = now
	decision := authz.Decision{Via: authz.ViaNothing, Statement: authz.Statement{Role: role}}
	if authz.RoleMay(role, question.Permission) {
		decision.Allowed, decision.Via = true, authz.ViaMember
	}
	answer := question.answer(decision, authz.Developers)
	answer.Since = optional(since)
	return answer, nil
}
