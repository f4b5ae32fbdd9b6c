package group_test

import (
	"context"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// overtaken is a log before whose first number something happens, after that was decided which the number is for.
type overtaken struct {
	group.Log
	once *sync.Once
	by   func()
}

// Tell implements group.Log.
func (o overtaken) Tell(ctx context.Context, app id.App, of id.Group, by id.User, change message.GroupChange) (message.Entry, error) {
	o.once.Do(o.by)
	return o.Log.Tell(ctx, app, of, by, change)
}

// Whoever loses, between the decision and the change, what the decision stood on is judged anew.
func TestDecisionsStandOnWhatHolds(t *testing.T) {
	ctx := context.Background()
	remove := func(w *world, g id.Group) error { return errOf(w.healthy().Remove(ctx, w.key(""), g, w.ann)) }
	demote := func(w *world, g id.Group) error {
		return errOf(w.healthy().SetRole(ctx, w.key(""), g, w.ann, authz.GroupMember))
	}
	admins := func(w *world, g id.Group) error {
		return errOf(w.healthy().Change(ctx, w.key(""), g, group.Wish{Invite: of(group.Admins), Join: of(group.InviteOnly)}))
	}
	rename := func(w *world, g id.Group) error {
		return errOf(w.healthy().Change(ctx, w.key(""), g, group.Wish{Description: of("other")}))
	}
	for name, test := range map[string]struct {
		admin  bool
		before func(w *world, g id.Group) error
		call   func(w *world, s *group.Service, g id.Group) error
		code   fault.Code
	}{
		"an admin who is removed renames": {true, remove, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Change(ctx, w.user(w.ann), g, group.Wish{Name: of("mine")}))
		}, fault.GroupNotFound},
		"an admin who is demoted removes": {true, demote, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Remove(ctx, w.user(w.ann), g, w.bob))
		}, fault.PermissionDenied},
		"a member invites where only admins may by now": {false, admins, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Invite(ctx, w.user(w.ann), g, []id.User{w.eve}, false))
		}, fault.PermissionDenied},
		"a member who is removed invites": {false, remove, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Invite(ctx, w.user(w.ann), g, []id.User{w.eve}, false))
		}, fault.GroupNotFound},
		"a change of a version that has passed": {true, rename, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Change(ctx, w.user(w.ann), g, group.Wish{Name: of("mine"), Version: of(w.group(g).Version)}))
		}, fault.GroupChanged},
		"a change that depends on nothing": {true, rename, func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Change(ctx, w.user(w.ann), g, group.Wish{Name: of("mine")}))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			waiting(t, func(t *testing.T) {
				w := newWorld()
				g := w.found(t, nil)
				w.add(t, g, w.ann, w.bob)
				if test.admin {
					w.admin(t, g, w.ann)
				}
				service := w.healthy()
				service.Log = overtaken{service.Log, &sync.Once{}, func() { storetest.OK(t, "what comes before", test.before(w, g)) }}
				if err := test.call(w, service, g); test.code == "" && err != nil || test.code != "" && !fault.Is(err, test.code) {
					t.Errorf("answered %v, want %q", err, test.code)
				}
				if changed := w.group(g).Name == "mine"; changed != (test.code == "") {
					t.Errorf("the group is %+v", w.group(g))
				}
				if w.row(g, w.bob).State != message.Joined || w.row(g, w.eve).State != "" {
					t.Error("what was refused has happened")
				}
				w.consistent(t, g)
			})
		})
	}
}

// What somebody sets is set, though it was so when the request was decided on and another changed it meanwhile.
func TestASettingIsNotLost(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	mute := func() {
		storetest.OK(t, "mute", errOf(w.healthy().Change(t.Context(), w.key(""), g, group.Wish{MutedAll: of(true)})))
	}
	service := w.healthy()
	service.Log = overtaken{service.Log, &sync.Once{}, mute}
	view, err := service.Change(t.Context(), w.user(w.owner), g, group.Wish{Name: of("mine"), MutedAll: of(false)})
	storetest.OK(t, "Change", err)
	if after := w.group(g); after.MutedAll || view.MutedAll || after.Name != "mine" || view.Version != after.Version {
		t.Errorf("answered %+v, the group is %+v", view, after)
	}
	w.consistent(t, g)
}
