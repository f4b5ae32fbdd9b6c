package access_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// cutter implements access.Sockets and access.Keys for an app with one key.
type cutter struct {
	idle
	failing bool
	cuts    int
}

func (c *cutter) IDs(_ context.Context, app id.App, _ id.Key, _ int) ([]id.Key, error) {
	return []id.Key{id.Source{}.Key(app)}, nil
}

func (c *cutter) CutKey(context.Context, id.App, id.Key) error {
	if c.failing {
		return errors.New("not cut")
	}
	c.cuts++
	return nil
}

// A change that is asked for again, where the first request died before it had cut the sockets, is answered when they are cut.
func TestARepeatedChangeCutsSocketsToo(t *testing.T) {
	for name, test := range map[string]struct {
		roles []string
		later time.Duration
		cuts  int
	}{
		"nobody may have one": {nil, time.Minute, 1},
		"long since":          {nil, time.Hour, 0}, // the reminder has cut them
		"everybody may":       {[]string{"moderator"}, time.Minute, 0},
	} {
		s, sockets := newScene(), &cutter{failing: true}
		s.Sockets, s.Service.Keys = sockets, sockets
		_, err := s.SetDefaults(t.Context(), s.owner(), test.roles, "")
		if lost := test.roles == nil; (err != nil) != lost {
			t.Errorf("%s: %v", name, err)
		}
		sockets.failing = false
		s.clock.Advance(test.later)
		_, err = s.SetDefaults(t.Context(), s.owner(), test.roles, "")
		storetest.OK(t, name, err)
		if sockets.cuts != test.cuts {
			t.Errorf("%s: cut %d times, want %d", name, sockets.cuts, test.cuts)
		}
	}
}

// A role's name can stand for it in a grant: whoever gave a mighty one the name of another would have others grant it unawares.
func TestRenamingIsGiving(t *testing.T) {
	s := newScene()
	mighty, small, other := s.role(t, "support", []string{"users:list"}, nil), s.role(t, "guest", []string{"users:read"}, nil), "other"
	caller := s.caller(t, s.key("roles:manage", "users:read"), "")
	_, err := s.ChangeRole(t.Context(), caller, string(mighty.ID), access.RoleWish{Name: &other})
	if !fault.Is(err, fault.GrantExceeds) {
		t.Errorf("a role with more: %v", err)
	}
	for by, caller := range map[string]authz.Caller{"one who has what it gives": caller, "the owner": s.owner()} {
		_, err = s.ChangeRole(t.Context(), caller, string(small.ID), access.RoleWish{Name: &by})
		storetest.OK(t, by, err)
	}
	_, err = s.ChangeRole(t.Context(), caller, string(mighty.ID), access.RoleWish{Description: &other})
	storetest.OK(t, "another description", err)
}

// A role's name stands for it in paths and grants: none may pass for another's, or lead elsewhere.
func TestRoleNames(t *testing.T) {
	s := newScene()
	role := s.role(t, "guest", nil, nil)
	for name, want := range map[string]fault.Code{
		"a/b": fault.FieldInvalid, ".": fault.FieldInvalid, "..": fault.FieldInvalid, " support": fault.FieldInvalid, "support ": fault.FieldInvalid,
		"support\u3000": fault.FieldInvalid, "role_0000000001": fault.FieldInvalid,
		"Owner": fault.RoleNameTaken, "ADMIN": fault.RoleNameTaken, "owner": fault.RoleNameTaken, "guest": fault.RoleNameTaken,
	} {
		_, err := s.CreateRole(t.Context(), s.owner(), access.RoleWish{Name: &name})
		if !fault.Is(err, want) {
			t.Errorf("a role named %q: %v, want %s", name, err, want)
		}
		if name == role.Name {
			continue
		}
		if _, err = s.ChangeRole(t.Context(), s.owner(), string(role.ID), access.RoleWish{Name: &name}); !fault.Is(err, want) {
			t.Errorf("renamed to %q: %v, want %s", name, err, want)
		}
	}
	s.role(t, "Owner's helper", nil, nil)
}

func TestUnknownDefaultsAreNamed(t *testing.T) {
	s := newScene()
	_, err := s.SetDefaults(t.Context(), s.owner(), []string{"member", "king"}, "")
	if got := fault.Of(err); !fault.Is(err, fault.RoleNotFound) || len(got.Fields) != 1 || got.Fields[0].Name != "roles[1]" {
		t.Errorf("%+v", got)
	}
}
