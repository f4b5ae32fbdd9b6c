package group_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/grouptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Where many join a group at once that grows too large by it, the fan-out takes it over once, and all are in.
func TestAGroupGrowsWhileManyJoin(t *testing.T) {
	waiting(t, func(t *testing.T) {
		w := newWorld()
		g := w.found(t, joins(group.Open))
		w.crowd(t, g, group.DirectMembers-1)
		if w.group(g).Reach != message.Direct {
			t.Fatalf("a group of %d is %+v", group.DirectMembers, w.group(g))
		}
		racers := make([]id.User, storetest.Racers)
		for i := range racers {
			racers[i] = w.register()
		}
		for _, err := range storetest.AtOnce(len(racers), func(i int) error {
			return errOf(w.healthy().Join(t.Context(), w.user(racers[i]), g))
		}) {
			storetest.OK(t, "Join", err)
		}
		if now := w.group(g); now.Members != group.DirectMembers+len(racers) || now.Reach != message.Fanned {
			t.Errorf("the group is %+v", now)
		}
		w.consistent(t, g)
		w.subscribing(t, g)
	})
}

// While the fan-out takes over, a writer may have a number from before and be slow. What it puts there the fan-out is not told
// of, so it must not be what the fan-out waits for.
func TestTheFanOutWaitsForNoDirectEntry(t *testing.T) {
	waiting(t, func(t *testing.T) {
		w := newWorld()
		g := w.found(t, joins(group.Open))
		w.crowd(t, g, group.DirectMembers-1)
		slow, err := w.store.Take(t.Context(), w.app, g, message.AnyMember)
		storetest.OK(t, "Take", err)
		service, looked := w.healthy(), false
		service.Store = taking{w.store, func() {
			entries, err := w.log.Read(t.Context(), w.app, id.Conversation(g), slow.Sequence, 1, true)
			if looked = true; err != nil || len(entries) != 1 || entries[0].Sequence != slow.Sequence {
				t.Errorf("the fan-out has taken over before %d stands: %v, %v", slow.Sequence, entries, err)
			}
		}}
		storetest.OK(t, "Join", errOf(service.Join(t.Context(), w.user(w.ann), g)))
		if !looked {
			t.Error("the group did not grow")
		}
	})
}

// taking does something before the fan-out takes over.
type taking struct {
	*grouptest.Store
	before func()
}

func (s taking) SetReach(ctx context.Context, app id.App, of id.Group, from, to message.Reach) error {
	if to == message.Fanned {
		s.before()
	}
	return s.Store.SetReach(ctx, app, of, from, to)
}

// Whoever begins to make a group large may die at any write: the next who joins goes on.
func TestGrowthGoesOn(t *testing.T) {
	for dies := 1; ; dies++ {
		blown := false
		waiting(t, func(t *testing.T) {
			w := newWorld()
			g := w.found(t, joins(group.Open))
			w.crowd(t, g, group.DirectMembers-1)
			fuse := &storetest.Fuse{At: dies, Dies: true}
			_, err := w.process(fuse).Join(t.Context(), w.user(w.ann), g)
			if blown = fuse.Blown(); !blown {
				storetest.OK(t, "Join", err)
			}
			storetest.OK(t, "Join", errOf(w.healthy().Join(t.Context(), w.user(w.bob), g)))
			storetest.OK(t, "Join again", errOf(w.healthy().Join(t.Context(), w.user(w.ann), g)))
			if now := w.group(g); now.Members != group.DirectMembers+2 || now.Reach != message.Fanned {
				t.Errorf("died at write %d: the group is %+v", dies, now)
			}
			w.subscribing(t, g)
		})
		if !blown {
			return
		}
	}
}

func TestManyJoinAtOnce(t *testing.T) {
	waiting(t, func(t *testing.T) {
		w := newWorld()
		g := w.found(t, joins(group.Open))
		racers := make([]id.User, storetest.Racers)
		for i := range racers {
			racers[i] = w.register()
		}
		for _, err := range storetest.AtOnce(2*len(racers), func(i int) error { // each twice
			return errOf(w.healthy().Join(t.Context(), w.user(racers[i/2]), g))
		}) {
			storetest.OK(t, "Join", err)
		}
		if w.group(g).Members != 1+len(racers) || len(w.changes(t, g)) != 1+len(racers) {
			t.Errorf("%d members by %d changes", w.group(g).Members, len(w.changes(t, g)))
		}
		w.consistent(t, g)
	})
}

// Two who change one member, or what it depends on, at once: one comes first, and the other is judged by what it left.
func TestTwoAtOnce(t *testing.T) {
	type call func(w *world, g id.Group) error
	ctx := context.Background()
	remove := func(w *world, g id.Group) error {
		return errOf(w.healthy().Remove(ctx, w.key(""), g, w.ann))
	}
	leave := func(w *world, g id.Group) error { return errOf(w.healthy().Leave(ctx, w.user(w.ann), g)) }
	transfer := func(w *world, g id.Group) error {
		return errOf(w.healthy().Transfer(ctx, w.user(w.owner), g, w.ann))
	}
	dismiss := func(w *world, g id.Group) error { return errOf(w.healthy().Dismiss(ctx, w.user(w.owner), g)) }
	closing := func(w *world, g id.Group) error {
		return errOf(w.healthy().Change(ctx, w.user(w.owner), g, group.Wish{Join: of(group.InviteOnly), Invite: of(group.Admins)}))
	}
	join := func(w *world, g id.Group) error { return errOf(w.healthy().Join(ctx, w.user(w.bob), g)) }
	invite := func(w *world, g id.Group) error {
		return errOf(w.healthy().Invite(ctx, w.user(w.ann), g, []id.User{w.bob}, false))
	}
	for name, test := range map[string]struct {
		one, other call
		// codes are what either may be refused with.
		codes []fault.Code
	}{
		"remove and leave":    {remove, leave, nil},
		"transfer and remove": {transfer, remove, []fault.Code{fault.OwnerProtected, fault.GroupMemberNotFound}},
		"transfer and leave":  {transfer, leave, []fault.Code{fault.OwnerStays, fault.GroupMemberNotFound}},
		"dismiss and leave":   {dismiss, leave, nil},
		"close and join":      {closing, join, []fault.Code{fault.JoinRefused}},
		"close and invite":    {closing, invite, []fault.Code{fault.PermissionDenied}},
		"remove and invite":   {remove, invite, []fault.Code{fault.PermissionDenied, fault.GroupNotFound}},
		"transfer twice":      {transfer, transfer, nil},
	} {
		t.Run(name, func(t *testing.T) {
			waiting(t, func(t *testing.T) {
				for range 30 {
					w := newWorld()
					g := w.found(t, joins(group.Open))
					w.add(t, g, w.ann)
					for _, err := range storetest.AtOnce(2, func(i int) error {
						return []call{test.one, test.other}[i](w, g)
					}) {
						allowed := err == nil
						for _, code := range test.codes {
							allowed = allowed || fault.Is(err, code)
						}
						if !allowed {
							t.Fatalf("refused: %v", err)
						}
					}
					w.consistent(t, g)
				}
			})
		})
	}
}

// A function that dies between any two of its writes leaves nothing half done, and whoever repeats the request comes through.
func TestCrashes(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func(w *world, s *group.Service, g id.Group) error{
		"join":  func(w *world, s *group.Service, g id.Group) error { return errOf(s.Join(ctx, w.user(w.eve), g)) },
		"leave": func(w *world, s *group.Service, g id.Group) error { return errOf(s.Leave(ctx, w.user(w.ann), g)) },
		"invite": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Invite(ctx, w.user(w.owner), g, []id.User{w.bob, w.eve}, false))
		},
		"change": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Change(ctx, w.user(w.owner), g, group.Wish{Name: of("Climbing"), MutedAll: of(true)}))
		},
		"transfer": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Transfer(ctx, w.user(w.owner), g, w.ann))
		},
		"remove": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Remove(ctx, w.user(w.owner), g, w.ann))
		},
		"add": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Invite(ctx, w.key(""), g, []id.User{w.bob, w.eve}, true))
		},
		"dismiss": func(w *world, s *group.Service, g id.Group) error {
			return errOf(s.Dismiss(ctx, w.user(w.owner), g))
		},
	} {
		for _, tookEffect := range []bool{false, true} {
			t.Run(fmt.Sprint(name, tookEffect), func(t *testing.T) {
				waiting(t, func(t *testing.T) { crash(t, call, tookEffect) })
			})
		}
	}
}

func crash(t *testing.T, call func(w *world, s *group.Service, g id.Group) error, tookEffect bool) {
	for at := 1; ; at++ {
		w := newWorld()
		g := w.found(t, joins(group.Open))
		w.add(t, g, w.ann)
		fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
		_ = call(w, w.process(fuse), g)
		time.Sleep(5 * time.Second) // the bubble's time: others no longer wait for the dead one's number
		storetest.OK(t, fmt.Sprint("repeated after write ", at), call(w, w.healthy(), g))
		w.noted(t, g, w.ann, w.bob, w.eve)
		if w.group(g).DismissedAt.IsZero() {
			storetest.OK(t, "the next change", errOf(w.healthy().Change(t.Context(), w.key(""), g, group.Wish{Description: of("after")})))
			w.consistent(t, g)
		}
		if !fuse.Blown() {
			return
		}
	}
}

// A creation that died is completed by its repetition.
func TestCreationsThatDie(t *testing.T) {
	waiting(t, func(t *testing.T) {
		for at := 1; ; at++ {
			w := newWorld()
			wish := group.Creation{Wish: group.Wish{Name: of("Hiking")}, Members: []id.User{w.ann, w.bob}, IdempotencyKey: "first"}
			fuse := &storetest.Fuse{At: at, TookEffect: at%2 == 0, Dies: true}
			_, _, _ = w.process(fuse).Create(t.Context(), w.key(w.owner), wish)
			time.Sleep(5 * time.Second) // the bubble's time
			view, results, err := w.healthy().Create(t.Context(), w.key(w.owner), wish)
			storetest.OK(t, "repeated", err)
			wantResults(t, results, []group.MemberResult{{UserID: w.ann, Result: group.ResultAdded}, {UserID: w.bob, Result: group.ResultAdded}})
			if view.Members != 3 || w.row(view.GroupID, w.bob).State != message.Joined || w.row(view.GroupID, w.bob).Role != authz.GroupMember {
				t.Errorf("after write %d: %+v", at, view)
			}
			w.noted(t, view.GroupID, w.owner, w.ann, w.bob)
			w.consistent(t, view.GroupID)
			if !fuse.Blown() {
				return
			}
		}
	})
}
