package access_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const someGroup = id.Group("g_0000000000000000000001")

// want compares an answer, and the same question about this moment, with what is expected; of grants only the ID.
func (s *scene) want(t *testing.T, question access.Question, grant id.Grant, want access.Explanation) {
	t.Helper()
	want.Subject, want.Permission, want.At = question.Subject, question.Permission, question.At
	if want.Resource == "" {
		want.Resource = "app"
	}
	moments := []time.Time{question.At}
	if question.At.IsZero() {
		want.At, moments = s.now(), []time.Time{{}, s.now()}
	}
	for _, question.At = range moments {
		got := s.explain(t, question)
		var by id.Grant
		if got.Grant != nil {
			by = got.Grant.GrantID
		}
		got.Grant = nil
		if by != grant || !reflect.DeepEqual(got, want) {
			t.Errorf("at %v:\n got %+v by %q\nwant %+v by %q", question.At, got, by, want, grant)
		}
	}
}

func since(at time.Time) *time.Time { return &at }

// Everything that can decide, now and where the same moment is asked about as one of the past.
func TestExplain(t *testing.T) {
	s := newScene()
	start := s.now()
	key, user := s.key("messages:send"), s.user()
	ask := func(subject string, permission authz.Permission) access.Question {
		return access.Question{Subject: subject, Permission: permission}
	}
	s.clock.Advance(time.Hour)
	s.want(t, ask(user, authz.MessagesSend), "", access.Explanation{Decision: "allow", Via: authz.ViaDefault, Role: authz.Member, Since: &start})
	s.want(t, ask(user, authz.UsersList), "", access.Explanation{Decision: "deny", Via: authz.ViaNothing,
		GrantedBy: []string{"owner", "admin", "grants:manage+users:list"}})
	s.want(t, ask(key, authz.TicketsCreate), "", access.Explanation{Decision: "deny", Via: authz.ViaNothing})

	given := s.grant(t, access.Wish{Subject: user, Permissions: []string{"groups:manage"}, Group: string(someGroup), Reason: "on duty"})
	inGroup := ask(user, authz.GroupsManage)
	inGroup.Group = someGroup
	s.want(t, inGroup, given.ID, access.Explanation{Resource: string(someGroup), Decision: "allow", Via: authz.ViaGrant,
		Since: since(s.now()), By: sceneOwner, Reason: "on duty", NeedsKey: true})
	role := s.role(t, "muted", []string{"users:read"}, []string{"messages:send"})
	s.clock.Advance(time.Hour)
	muted := s.grant(t, access.Wish{Subject: key, Role: "muted", Reason: "spam"})
	s.want(t, ask(key, authz.MessagesSend), muted.ID, access.Explanation{Decision: "deny", Via: authz.ViaGrant, Role: role.ID,
		Since: since(s.now()), By: sceneOwner, Reason: "spam", GrantedBy: []string{"owner", "admin", "grants:manage+messages:send"}})

	s.clock.Advance(time.Hour)
	_, err := s.SetDefaults(t.Context(), s.owner(), []string{"muted"}, "quiet hours")
	storetest.OK(t, "SetDefaults", err)
	s.want(t, ask(user, authz.UsersRead), "", access.Explanation{Decision: "allow", Via: authz.ViaDefault, Role: role.ID,
		Since: since(s.now()), By: sceneOwner, Reason: "quiet hours"})
	s.clock.Advance(time.Hour)
	s.want(t, ask(s.user(), authz.UsersRead), "", access.Explanation{Decision: "allow", Via: authz.ViaDefault, Role: role.ID,
		Since: since(s.now()), By: sceneOwner, Reason: "quiet hours"})
	s.revokeKey(t, key)
	s.want(t, ask(key, authz.UsersRead), "", access.Explanation{Decision: "deny", Via: access.ViaNotActive, Since: since(s.now()),
		By: sceneOwner, Reason: "because of key.revoked"})

	early := start.Add(-time.Millisecond)
	s.want(t, access.Question{Subject: key, Permission: authz.MessagesSend, At: early}, "", access.Explanation{Decision: "deny", Via: access.ViaNotActive})
	s.want(t, access.Question{Subject: user, Permission: authz.MessagesSend, At: early}, "", access.Explanation{Decision: "deny", Via: access.ViaNotRegistered})
}

// What a key may do of itself is by the hand of its maker.
func TestExplainScopes(t *testing.T) {
	s := newScene()
	key := s.key("messages:send")
	for _, at := range []time.Time{{}, s.now()} {
		got := s.explain(t, access.Question{Subject: key, Permission: authz.MessagesSend, At: at})
		if got.Decision != "allow" || got.Via != authz.ViaBase || !got.Since.Equal(s.now()) || got.By != sceneOwner || got.NeedsKey {
			t.Errorf("at %v: %+v", at, got)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	s := newScene()
	user := s.user()
	other := newScene()
	good := access.Question{Subject: user, Permission: authz.MessagesSend}
	for _, nobody := range []string{"", "lei", "u_0000000000000000000001", other.user(), other.key("messages:send"), "defaults", "role_0000000001"} {
		s.unexplained(t, fault.SubjectNotFound, access.Question{Subject: nobody, Permission: good.Permission})
		s.unexplained(t, fault.SubjectNotFound, access.Question{Subject: nobody, Permission: good.Permission, At: s.now()})
	}
	for _, unknown := range []authz.Permission{"", "no:such", authz.Public} {
		s.unexplained(t, fault.PermissionUnknown, access.Question{Subject: user, Permission: unknown})
	}
	s.unexplained(t, fault.FieldInvalid, access.Question{Subject: user, Permission: good.Permission, Group: "app"})
	s.unexplained(t, fault.PermissionNotInGroup, access.Question{Subject: user, Permission: authz.MessagesRead, Group: someGroup})
	s.unexplained(t, fault.FieldInvalid, access.Question{Subject: user, Permission: good.Permission, At: s.now().Add(time.Millisecond)})
}

// members implements access.Members for one developer, an auditor.
type members struct{}

func (members) Standing(_ context.Context, _ id.App, developer id.Developer) (authz.Role, time.Time, bool, error) {
	return authz.Auditor, storetest.Noon(), developer == sceneOwner, nil
}

func TestExplainMembers(t *testing.T) {
	s := newScene()
	question := access.Question{Subject: sceneOwner, Permission: authz.KeysRead}
	s.unexplained(t, fault.SubjectNotFound, question)
	s.Members = members{}
	s.unexplained(t, fault.SubjectNotFound, access.Question{Subject: "dev_0000000000000000000002", Permission: authz.KeysRead})
	s.unexplained(t, fault.FieldInvalid, access.Question{Subject: sceneOwner, Permission: authz.KeysRead, At: s.now()})
	want := access.Explanation{Subject: sceneOwner, Permission: authz.KeysRead, Resource: "app", At: s.now(), Decision: "allow",
		Via: authz.ViaMember, Role: authz.Auditor, Since: since(s.now())}
	if got := s.explain(t, question); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	question.Permission, question.Group = authz.GroupsOwn, someGroup
	want.Permission, want.Resource, want.Decision, want.Via, want.GrantedBy = authz.GroupsOwn, string(someGroup), "deny", authz.ViaNothing, []string{"owner", "admin"}
	if got := s.explain(t, question); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Two changes in one millisecond are one after the other, and so are the moments that they begin.
func TestChangesInOneMillisecond(t *testing.T) {
	s := newScene()
	key := s.key()
	denied := s.grant(t, access.Wish{Subject: key, Permissions: []string{"messages:send"}, Deny: true})
	allowed := s.grant(t, access.Wish{Subject: key, Permissions: []string{"messages:send"}})
	revoked, err := s.Revoke(t.Context(), s.owner(), denied.ID, "")
	storetest.OK(t, "Revoke", err)
	role := s.role(t, "first", []string{"users:list"}, nil)
	wider, err := s.ChangeRole(t.Context(), s.owner(), "first", access.RoleWish{Permissions: []string{}})
	storetest.OK(t, "ChangeRole", err)
	if !denied.CreatedAt.Before(allowed.CreatedAt) || !allowed.CreatedAt.Before(revoked.RevokedAt) || !role.CreatedAt.Before(wider.ChangedAt) {
		t.Fatalf("not in order: %v %v %v, %v %v", denied.CreatedAt, allowed.CreatedAt, revoked.RevokedAt, role.CreatedAt, wider.ChangedAt)
	}
	s.clock.Advance(time.Second)
	for at, want := range map[time.Time]authz.Via{denied.CreatedAt: "deny", allowed.CreatedAt: "deny", revoked.RevokedAt: "allow"} {
		if got := s.explain(t, access.Question{Subject: key, Permission: authz.MessagesSend, At: at}); got.Decision != string(want) {
			t.Errorf("at %v: %+v, want %s", at, got, want)
		}
	}
}

// The records of package apikey say of keys what the past is read from.
func TestKeysOfThePast(t *testing.T) {
	s := newScene()
	keys := apikeytest.NewStore()
	s.Records = keys.Logs
	service := &apikey.Service{Store: keys, Sockets: cutNothing{}, Background: cutNothing{}, Tasks: &apikeytest.Tasks{}, Clock: s.clock}
	maker := apikey.Maker{App: s.app, By: sceneOwner, Scopes: authz.Scopes(), Reason: "launch"}
	made, _, err := service.Create(t.Context(), maker, apikey.Request{Name: "backend", Scopes: []string{"messages:send", "users:list"}})
	storetest.OK(t, "Create", err)
	s.clock.Advance(time.Hour)
	_, err = service.Narrow(t.Context(), s.app, made.ID, []string{"users:list"}, record.Origin{Actor: sceneOwner})
	storetest.OK(t, "Narrow", err)
	s.clock.Advance(time.Hour)
	maker.Reason = "routine"
	next, _, err := service.Rotate(t.Context(), maker, made.ID, apikey.Rotation{Overlap: time.Hour, ExpiresAt: s.now().Add(day)})
	storetest.OK(t, "Rotate", err)
	s.clock.Advance(time.Hour)
	maker.Reason = ""
	_, err = service.Revoke(t.Context(), s.app, next.ID, record.Origin{Actor: sceneOwner, Reason: "leaked"})
	storetest.OK(t, "Revoke", err)
	// The past is told by the records alone: what stands in the store now is another thing altogether.
	for _, key := range []id.Key{made.ID, next.ID} {
		s.store.AddKey(s.app, access.Subject{ID: string(key)})
	}
	start := made.CreatedAt
	for _, test := range []struct {
		key        id.Key
		after      time.Duration
		permission authz.Permission
		decision   string
		via        authz.Via
		since      time.Duration
		reason     string
	}{
		{made.ID, 0, authz.UsersList, "allow", authz.ViaBase, 0, "launch"},
		{made.ID, time.Hour - time.Millisecond, authz.UsersList, "allow", authz.ViaBase, 0, "launch"},
		{made.ID, time.Hour, authz.MessagesSend, "allow", authz.ViaBase, 0, "launch"},
		{made.ID, 3*time.Hour - time.Millisecond, authz.MessagesSend, "allow", authz.ViaBase, 0, "launch"},
		{made.ID, 3 * time.Hour, authz.MessagesSend, "deny", access.ViaNotActive, 3 * time.Hour, "routine"},
		{next.ID, 2 * time.Hour, authz.MessagesSend, "allow", authz.ViaBase, 2 * time.Hour, "routine"},
		{next.ID, 3 * time.Hour, authz.MessagesSend, "deny", access.ViaNotActive, 3 * time.Hour, "leaked"},
	} {
		got := s.explain(t, access.Question{Subject: string(test.key), Permission: test.permission, At: start.Add(test.after)})
		if got.Decision != test.decision || got.Via != test.via || !got.Since.Equal(start.Add(test.since)) || got.By != sceneOwner || got.Reason != test.reason {
			t.Errorf("%+v: %+v", test, got)
		}
	}
	got := s.explain(t, access.Question{Subject: string(made.ID), Permission: authz.UsersList, At: start.Add(time.Hour)})
	if got.Decision != "deny" || got.Via != authz.ViaNothing {
		t.Errorf("narrowed: %+v", got)
	}
}

// cutNothing implements apikey.Sockets and apikey.Background.
type cutNothing struct{}

func (cutNothing) CutKey(context.Context, id.App, id.Key) error     { return nil }
func (cutNothing) Enqueue(context.Context, apikey.Revocation) error { return nil }

// A key that is older than the records is known from the store, and from what was taken from it since.
func TestKeysOlderThanTheRecords(t *testing.T) {
	s := newScene()
	key := string(id.Source{}.Key(s.app))
	base := authz.SetOf(authz.MessagesSend, authz.UsersList)
	s.store.AddKey(s.app, access.Subject{ID: key, CreatedAt: s.now(), CreatedBy: "dev_old", Rights: authz.Rights{Base: base}})
	before := s.now()
	for _, scope := range []string{"messages:send", "users:list"} {
		s.clock.Advance(time.Minute)
		s.narrow(t, key, scope)
	}
	at := func(when time.Time, permission authz.Permission) string {
		return s.explain(t, access.Question{Subject: key, Permission: permission, At: when}).Decision
	}
	if at(before, authz.MessagesSend) != "allow" || at(before, authz.UsersList) != "allow" {
		t.Error("what was taken from it later was never there")
	}
	if at(before.Add(time.Minute), authz.MessagesSend) != "deny" || at(before.Add(time.Minute), authz.UsersList) != "allow" {
		t.Error("the first narrowing took the wrong one")
	}
	if at(s.now(), authz.UsersList) != "deny" {
		t.Error("the second narrowing took nothing")
	}
	s.clock.Advance(time.Minute)
	s.revokeKey(t, key)
	if got := s.explain(t, access.Question{Subject: key, Permission: authz.UsersList, At: s.now()}); got.Via != access.ViaNotActive || got.By != sceneOwner {
		t.Errorf("revoked: %+v", got)
	}
	expired := string(id.Source{}.Key(s.app))
	s.store.AddKey(s.app, access.Subject{ID: expired, CreatedAt: before, Rights: authz.Rights{Base: base}, EndedAt: before.Add(time.Minute)})
	for _, moment := range []time.Time{s.now(), {}} {
		if got := s.explain(t, access.Question{Subject: expired, Permission: authz.UsersList, At: moment}); got.Via != access.ViaNotActive || !got.Since.Equal(before.Add(time.Minute)) {
			t.Errorf("expired: %+v", got)
		}
	}
	if got := s.explain(t, access.Question{Subject: key, Permission: authz.UsersList, At: before.Add(-time.Hour)}); got.Via != access.ViaNotActive || got.Since != nil {
		t.Errorf("before it was made: %+v", got)
	}
}

// TestExplainKnowsTheRoleInTheGroup: what a user is in a group allows there, unless it is denied, and in the past nobody knows.
func TestExplainKnowsTheRoleInTheGroup(t *testing.T) {
	s := newScene()
	user := s.user()
	question := access.Question{Subject: user, Permission: authz.GroupsManage, Group: someGroup}
	denied := s.explain(t, question)
	if denied.Decision != "deny" || denied.Via != authz.ViaNothing {
		t.Errorf("who is no member: %+v", denied)
	}
	for role, want := range map[authz.Role]string{authz.GroupMember: "deny", authz.GroupAdmin: "allow", authz.GroupOwner: "allow"} {
		s.seats[id.User(user)] = role
		got := s.explain(t, question)
		if got.Decision != want || want == "allow" && (got.Via != access.ViaGroupRole || got.Role != role || got.NeedsKey || got.Resource != string(someGroup)) {
			t.Errorf("%s: %+v", role, got)
		}
	}
	elsewhere := question
	elsewhere.Group = ""
	if got := s.explain(t, elsewhere); got.Decision != "deny" {
		t.Errorf("in the whole app: %+v", got)
	}
	past := question
	past.At = s.now()
	if got := s.explain(t, past); got.Via != authz.ViaNothing {
		t.Errorf("in the past: %+v", got)
	}
	_, err := s.Grant(t.Context(), s.owner(), access.Wish{Subject: user, Permissions: []string{string(authz.GroupsManage)}, Deny: true, Group: string(someGroup)})
	storetest.OK(t, "deny", err)
	if got := s.explain(t, question); got.Decision != "deny" || got.Via != authz.ViaGrant {
		t.Errorf("denied: %+v", got)
	}
}

// TestGroupsThatThereAreNot: nothing is granted in one, and nothing explained.
func TestGroupsThatThereAreNot(t *testing.T) {
	s := newScene()
	for _, subject := range []string{s.user(), s.key("messages:send")} {
		_, err := s.Explain(t.Context(), s.app, access.Question{Subject: subject, Permission: authz.GroupsManage, Group: noGroup})
		if !fault.Is(err, fault.GroupNotFound) {
			t.Errorf("explain of %s: %v", subject, err)
		}
		_, err = s.Grant(t.Context(), s.owner(), access.Wish{Subject: subject, Permissions: []string{string(authz.GroupsManage)}, Group: string(noGroup)})
		if !fault.Is(err, fault.GroupNotFound) {
			t.Errorf("grant to %s: %v", subject, err)
		}
	}
}
