package access_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// What the random histories are about: few permissions, so that they meet.
var (
	disputed = []string{"groups:send", "groups:read", "users:list", "keys:read", "socket:connect", "tokens:manage"}
	ofKeys   = []string{"groups:send", "groups:read", "users:list", "keys:read", "tokens:manage"}
	ofUsers  = []string{"groups:send", "groups:read", "users:list", "socket:connect"}
	inGroups = []string{"groups:send", "groups:read"}
	places   = []string{"", "g_0000000000000000000001", "g_0000000000000000000002"}
)

// saga is a random history of an app, and what was decided in it.
type saga struct {
	*scene
	r        *rapid.T
	subjects []string
	grants   []id.Grant
	roles    []string
	named    int
	asked    []verdict
}

// verdict is what was decided at a moment.
type verdict struct {
	question access.Question
	decision string
	via      authz.Via
	grant    id.Grant
	role     authz.Role
}

// The answers of now are what the stored rights decide, and the answers about every moment before are what was decided then:
// by the same grant, the same role, and for the same reason.
func TestThePastIsAsItWas(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := &saga{scene: newScene(), r: r}
		s.subjects = []string{s.key(ofKeys[:3]...), s.user(), s.key(ofKeys[2:]...), s.user()}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			s.wait()
			s.change()
			s.settle()
			s.ask()
		}
		s.clock.Advance(time.Duration(rapid.IntRange(1, 3_600_000).Draw(r, "until the end")) * time.Millisecond)
		for _, each := range s.asked {
			if got := s.answered(each.question); got != each {
				r.Errorf("at %v it was %+v\nand is explained as %+v", each.question.At, each, got)
			}
		}
	})
}

// wait lets time pass, or none. A moment that is not over can still change: what was decided in it is nothing to go by.
func (s *saga) wait() {
	steps := []time.Duration{0, time.Millisecond, 2 * time.Millisecond, time.Minute, time.Hour}
	s.clock.Advance(rapid.SampledFrom(steps).Draw(s.r, "wait"))
	s.asked = slices.DeleteFunc(s.asked, func(v verdict) bool { return !v.question.At.Before(s.now()) })
}

// settle moves the clock on to the last change: those of one millisecond are put one after the other.
func (s *saga) settle() {
	book, _ := s.store.Book(context.Background(), s.app)
	last := book.ChangedAt
	for _, subject := range s.subjects {
		if changed := s.subject(s.r, subject).ChangedAt; changed.After(last) {
			last = changed
		}
	}
	if last.After(s.now()) {
		s.clock.Advance(last.Sub(s.now()))
	}
}

func (s *saga) change() {
	one := func(of []string, label string) string { return rapid.SampledFrom(of).Draw(s.r, label) }
	subject := one(s.subjects, "subject")
	switch rapid.SampledFrom([]string{"grant", "grant", "grant", "revoke", "revoke", "role", "change role", "delete role", "defaults",
		"narrow", "revoke key", "register", "wait"}).Draw(s.r, "change") {
	case "grant":
		s.give(subject)
	case "revoke":
		if len(s.grants) > 0 {
			_, err := s.Revoke(context.Background(), s.owner(), rapid.SampledFrom(s.grants).Draw(s.r, "grant"), "")
			s.unless(err)
		}
	case "role":
		s.named++
		name := fmt.Sprint("role ", s.named)
		made := s.role(s.r, name, s.some(disputed), s.some(disputed[:2]))
		s.roles = append(s.roles, string(made.ID))
	case "change role":
		if len(s.roles) > 0 {
			_, err := s.ChangeRole(context.Background(), s.owner(), one(s.roles, "role"), access.RoleWish{Permissions: s.some(disputed), Denied: s.some(disputed[:2])})
			s.unless(err, fault.RoleNotFound)
		}
	case "delete role":
		if len(s.roles) > 0 {
			_, err := s.DeleteRole(context.Background(), s.owner(), one(s.roles, "role"), "")
			s.unless(err, fault.RoleNotFound)
		}
	case "defaults":
		_, err := s.SetDefaults(context.Background(), s.owner(), s.some(append(s.roles, "member", "moderator", "auditor")), "")
		s.unless(err, fault.RoleNotFound)
	case "narrow":
		if id.IsKey(subject) {
			s.narrow(s.r, subject, one(ofKeys, "scope"))
		}
	case "revoke key":
		if id.IsKey(subject) {
			s.revokeKey(s.r, subject)
		}
	case "register":
		s.subjects = append(s.subjects, s.user())
	}
}

// give grants or denies something.
func (s *saga) give(subject string) {
	wish := access.Wish{Subject: subject, Group: rapid.SampledFrom(places).Draw(s.r, "group"), Reason: "why not"}
	if rapid.Bool().Draw(s.r, "ends") {
		wish.Until = s.now().Add(time.Duration(rapid.IntRange(5, 90*60_000).Draw(s.r, "until")) * time.Millisecond)
	}
	held := ofUsers
	if id.IsKey(subject) {
		held = ofKeys
	}
	if wish.Group != "" {
		held = inGroups
	}
	if rapid.Bool().Draw(s.r, "by role") {
		wish.Role = rapid.SampledFrom(append(s.roles, "moderator", "bot")).Draw(s.r, "role")
	} else {
		wish.Permissions = append(s.some(held), held[0])
		wish.Deny = rapid.IntRange(0, 3).Draw(s.r, "deny") == 0
	}
	made, err := s.Grant(context.Background(), s.owner(), wish)
	s.unless(err, fault.RoleNotFound, fault.KeyNotActive)
	if err == nil {
		s.grants = append(s.grants, made.ID)
	}
}

func (s *saga) some(of []string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 3, rapid.ID).Draw(s.r, "some")
}

// unless fails for an error that is none of those that such a change can meet.
func (s *saga) unless(err error, met ...fault.Code) {
	if err == nil {
		return
	}
	for _, code := range met {
		if fields := fault.Of(err).Fields; fault.Is(err, code) || len(fields) == 1 && fields[0].Code == code {
			return
		}
	}
	s.r.Fatalf("change: %v %+v", err, fault.Of(err))
}

// ask compares answers of now with what decides, and keeps them.
func (s *saga) ask() {
	for range 3 {
		where, about := rapid.SampledFrom(places).Draw(s.r, "where"), disputed
		if where != "" {
			about = inGroups
		}
		question := access.Question{Subject: rapid.SampledFrom(s.subjects).Draw(s.r, "who"),
			Permission: authz.Permission(rapid.SampledFrom(about).Draw(s.r, "what")), Group: id.Group(where)}
		got, want := s.answered(question), s.decided(question)
		got.question, want.question.At = want.question, s.now()
		got.question.At = s.now()
		if got != want {
			s.r.Fatalf("explained as %+v\nit is %+v", got, want)
		}
		s.asked = append(s.asked, want)
	}
}

// answered is what Explain says.
func (s *saga) answered(question access.Question) verdict {
	answer := s.explain(s.r, question)
	told := verdict{question: question, decision: answer.Decision, via: answer.Via, role: answer.Role}
	if answer.Grant != nil {
		told.grant = answer.Grant.GrantID
	}
	return told
}

// decided is what the subject as it is stored may do.
func (s *saga) decided(question access.Question) verdict {
	subject := s.subject(s.r, question.Subject)
	if !subject.EndedAt.IsZero() {
		return verdict{question: question, decision: access.Deny, via: access.ViaNotActive}
	}
	book, _ := s.store.Book(context.Background(), s.app)
	policy := book.Policy()
	decision := subject.Rights.Decide(&policy, question.Permission, question.Group, s.now())
	told := verdict{question: question, decision: access.Deny, via: decision.Via, grant: decision.Statement.Grant, role: decision.Statement.Role}
	if decision.Allowed {
		told.decision = access.Allow
	}
	return told
}
