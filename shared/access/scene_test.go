package access_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accesstest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
)

// idle implements what the service asks of others, and does nothing.
type idle struct{}

func (idle) CutUser(context.Context, id.App, id.User) error                        { return nil }
func (idle) CutKey(context.Context, id.App, id.Key) error                          { return nil }
func (idle) CutLater(context.Context, id.App, id.Key, time.Time) error             { return nil }
func (idle) IDs(context.Context, id.App, id.Key, int) ([]id.Key, error)            { return nil, nil }
func (idle) Add(context.Context, task.Task) error                                  { return nil }
func (idle) Done(context.Context, task.Task) error                                 { return nil }
func (idle) Narrow(context.Context, id.App, id.Key, []string, record.Origin) error { return nil }

// scene is an app with keys and users, and an owner who decides what they may do.
type scene struct {
	*access.Service
	store *accesstest.Store
	clock *clocktest.Clock
	app   id.App
	seats seats
}

// seats implement access.Groups: the roles of users in all groups but noGroup.
type seats map[id.User]authz.Role

// noGroup is the ID of no group.
const noGroup = id.Group("g_0000000000000000000000")

func (s seats) Role(_ context.Context, _ id.App, group id.Group, user id.User) (authz.Role, error) {
	if group == noGroup {
		return "", access.ErrNotFound
	}
	return s[user], nil
}

const sceneOwner = "dev_0000000000000000000001"

func newScene() *scene {
	s := &scene{store: accesstest.NewStore(), clock: clocktest.New(storetest.Noon()), app: id.Source{}.App(), seats: seats{}}
	s.Service = &access.Service{Store: s.store, Records: s.store.Logs, Sockets: idle{}, Keys: idle{}, Tasks: idle{}, Groups: s.seats, Clock: s.clock}
	return s
}

func (s *scene) now() time.Time { return s.clock.Now() }

// owner is who decides.
func (s *scene) owner() authz.Caller {
	return authz.Caller{App: s.app, Developer: sceneOwner, Role: authz.Owner, At: s.now(),
		Rights: authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Owner)}}
}

func (s *scene) recorded(action record.Action, subject string, before, after any) {
	origin := record.Origin{Actor: sceneOwner, Reason: "because of " + string(action)}
	s.store.Logs.Add(record.New(record.OfApp(s.app), s.now(), origin, action, subject, before, after))
}

// key makes a key with the scopes now, and its record as package apikey does.
func (s *scene) key(scopes ...string) string {
	key := string(id.Source{}.Key(s.app))
	base, _ := authz.ParseSet(scopes)
	s.store.AddKey(s.app, access.Subject{ID: key, Name: "backend", CreatedAt: s.now(), CreatedBy: sceneOwner, Rights: authz.Rights{Base: base}})
	s.recorded(record.KeyCreated, key, nil, map[string]any{"name": "backend", "scopes": scopes})
	return key
}

// user registers a user now.
func (s *scene) user() string {
	user := string(id.Source{}.User())
	s.store.AddUser(s.app, access.Subject{ID: user, Name: "lei", CreatedAt: s.now()})
	return user
}

func (s *scene) subject(t storetest.T, subject string) access.Subject {
	found, err := s.store.Subject(context.Background(), s.app, subject)
	storetest.OK(t, "Subject", err)
	return found
}

// narrow takes the scope from the key now.
func (s *scene) narrow(t storetest.T, key, scope string) {
	found := s.subject(t, key)
	was := found.Rights.Base.Names()
	stay := slices.DeleteFunc(slices.Clone(was), func(each string) bool { return each == scope })
	if len(stay) == len(was) {
		return
	}
	found.Rights.Base, _ = authz.ParseSet(stay)
	s.store.AddKey(s.app, found)
	s.recorded(record.KeyNarrowed, key, map[string]any{"scopes": was}, map[string]any{"scopes": stay})
}

// revokeKey revokes the key now.
func (s *scene) revokeKey(t storetest.T, key string) {
	found := s.subject(t, key)
	if !found.EndedAt.IsZero() {
		return
	}
	found.EndedAt = s.now()
	s.store.AddKey(s.app, found)
	s.recorded(record.KeyRevoked, key, nil, nil)
}

// grant makes a grant that has to succeed.
func (s *scene) grant(t storetest.T, wish access.Wish) access.Grant {
	made, err := s.Grant(context.Background(), s.owner(), wish)
	storetest.OK(t, "Grant", err)
	return made
}

// role makes a role that has to succeed.
func (s *scene) role(t storetest.T, name string, permissions, denied []string) access.Role {
	made, err := s.CreateRole(context.Background(), s.owner(), access.RoleWish{Name: &name, Permissions: permissions, Denied: denied})
	storetest.OK(t, "CreateRole", err)
	return made
}

// explain asks what has to have an answer.
func (s *scene) explain(t storetest.T, question access.Question) access.Explanation {
	answer, err := s.Explain(context.Background(), s.app, question)
	storetest.OK(t, "Explain", err)
	return answer
}

func (s *scene) unexplained(t *testing.T, want fault.Code, question access.Question) {
	t.Helper()
	_, err := s.Explain(t.Context(), s.app, question)
	got := fault.Of(err)
	if !fault.Is(err, want) && (len(got.Fields) != 1 || got.Fields[0].Code != want) {
		t.Errorf("Explain(%+v): %v %+v, want %s", question, err, got, want)
	}
}
