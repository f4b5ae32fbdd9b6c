package group_test

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// model says what becomes of a group by the rules as people read them.
type model struct {
	join    group.Joining
	invite  group.Who
	states  map[id.User]message.State
	roles   map[id.User]string
	dismiss bool
}

func (m *model) role(user id.User) string {
	if m.states[user] != message.Joined {
		return ""
	}
	return m.roles[user]
}

func (m *model) sees(user id.User) bool {
	state := m.states[user]
	return m.join != group.InviteOnly || state == message.Joined || state == message.Invited || state == message.Asked
}

// lacks returns why the user may not do what those of the roles may.
func (m *model) lacks(user id.User, roles ...string) fault.Code {
	for _, role := range roles {
		if m.role(user) == role {
			return ""
		}
	}
	if !m.sees(user) {
		return fault.GroupNotFound
	}
	return fault.PermissionDenied
}

// changed is the answer of a change that would be made.
func (m *model) changed(apply func()) fault.Code {
	if m.dismiss {
		return fault.GroupDismissed
	}
	apply()
	return ""
}

func (m *model) set(user id.User, state message.State, role string) func() {
	return func() { m.states[user], m.roles[user] = state, role }
}

func (m *model) joins(user id.User) fault.Code {
	switch state := m.states[user]; {
	case state == message.Joined:
		return ""
	case state == message.Invited || m.join == group.Open:
		return m.changed(m.set(user, message.Joined, "member"))
	case m.join == group.InviteOnly:
		return fault.JoinRefused
	case state == message.Asked:
		return ""
	}
	return m.changed(m.set(user, message.Asked, ""))
}

func (m *model) leaves(user id.User) fault.Code {
	switch {
	case m.role(user) == "owner" && !m.dismiss:
		return fault.OwnerStays
	case m.states[user] == message.Joined:
		m.set(user, message.Left, "")()
	case m.states[user] == "" && !m.sees(user):
		return fault.GroupNotFound
	}
	return ""
}

func (m *model) declines(user id.User) fault.Code {
	switch {
	case m.states[user] == message.Invited || m.states[user] == message.Asked:
		m.set(user, message.Left, "")()
	case m.states[user] == "" && !m.sees(user):
		return fault.GroupNotFound
	}
	return ""
}

func (m *model) invites(by, user id.User) fault.Code {
	roles := []string{"owner", "admin"}
	if m.invite == group.Everyone {
		roles = append(roles, "member")
	}
	if code := m.lacks(by, roles...); code != "" {
		return code
	}
	if m.dismiss {
		return fault.GroupDismissed
	}
	switch m.states[user] {
	case message.Joined, message.Invited:
		return ""
	case message.Asked:
		return m.changed(m.set(user, message.Joined, "member"))
	}
	return m.changed(m.set(user, message.Invited, ""))
}

func (m *model) removes(by, user id.User) fault.Code {
	if code := m.lacks(by, "owner", "admin"); code != "" {
		return code
	}
	switch {
	case m.states[user] == "":
		return fault.GroupMemberNotFound
	case m.states[user] == message.Left:
		return ""
	case m.role(user) == "owner", m.role(user) == "admin" && m.role(by) != "owner":
		return fault.OwnerProtected
	}
	return m.changed(m.set(user, message.Left, ""))
}

func (m *model) setsRole(by, user id.User, role string) fault.Code {
	if code := m.lacks(by, "owner"); code != "" {
		return code
	}
	switch {
	case m.states[user] != message.Joined:
		return fault.GroupMemberNotFound
	case m.roles[user] == role:
		return ""
	case m.roles[user] == "owner":
		return fault.OwnerProtected
	}
	return m.changed(m.set(user, message.Joined, role))
}

func (m *model) transfers(by, to id.User) fault.Code {
	if m.role(to) == "owner" && m.states[by] == message.Joined {
		return ""
	}
	if code := m.lacks(by, "owner"); code != "" {
		return code
	}
	if m.states[to] != message.Joined {
		return fault.GroupMemberNotFound
	}
	return m.changed(func() { m.roles[by], m.roles[to] = "admin", "owner" })
}

func (m *model) changes(by id.User, join group.Joining, invite group.Who) fault.Code {
	if code := m.lacks(by, "owner", "admin"); code != "" {
		return code
	}
	if m.join == join && m.invite == invite {
		return ""
	}
	return m.changed(func() { m.join, m.invite = join, invite })
}

func (m *model) dismisses(by id.User) fault.Code {
	code := m.lacks(by, "owner")
	m.dismiss = m.dismiss || code == ""
	return code
}

// Whatever users do to a group one after the other, each call answers as the rules say, and the rows, the roster, the count
// and the log agree.
func TestRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, ctx := newWorld(), context.Background()
		users := []id.User{w.owner, w.ann, w.bob, w.eve}
		m := &model{join: group.InviteOnly, invite: group.Everyone, states: map[id.User]message.State{}, roles: map[id.User]string{}}
		g := w.found(t, nil)
		m.set(w.owner, message.Joined, "owner")()
		service := w.healthy()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			by, other := rapid.SampledFrom(users).Draw(t, "by"), rapid.SampledFrom(users).Draw(t, "other")
			caller := w.user(by)
			var want fault.Code
			var err error
			switch op := rapid.IntRange(0, 17).Draw(t, "op"); op {
			case 0, 1:
				want, err = m.joins(by), errOf(service.Join(ctx, caller, g))
			case 2:
				want, err = m.leaves(by), errOf(service.Leave(ctx, caller, g))
			case 3:
				want, err = m.declines(by), errOf(service.Decline(ctx, caller, g))
			case 4, 5, 6, 7:
				want, err = m.invites(by, other), errOf(service.Invite(ctx, caller, g, []id.User{other}, false))
			case 8, 9:
				want, err = m.removes(by, other), errOf(service.Remove(ctx, caller, g, other))
			case 10, 11, 12:
				role := rapid.SampledFrom([]string{"admin", "member"}).Draw(t, "role")
				want, err = m.setsRole(by, other, role), errOf(service.SetRole(ctx, caller, g, other, authz.GroupRole(role)))
			case 13:
				want, err = m.transfers(by, other), errOf(service.Transfer(ctx, caller, g, other))
			case 14, 15, 16:
				join := rapid.SampledFrom([]group.Joining{group.Open, group.Approval, group.InviteOnly}).Draw(t, "join")
				invite := rapid.SampledFrom([]group.Who{group.Everyone, group.Admins}).Draw(t, "invite")
				want, err = m.changes(by, join, invite), errOf(service.Change(ctx, caller, g, group.Wish{Join: &join, Invite: &invite}))
			case 17:
				if rapid.IntRange(0, 9).Draw(t, "luck") == 0 {
					want, err = m.dismisses(by), errOf(service.Dismiss(ctx, caller, g))
				}
			}
			if want == "" && err != nil || want != "" && !fault.Is(err, want) {
				t.Fatalf("answered %v, the rules say %q", err, want)
			}
			for _, user := range users {
				row := w.row(g, user)
				if row.State != m.states[user] || row.Role.GroupName() != m.role(user) {
					t.Fatalf("%s is %s %q, the rules say %s %q", user, row.State, row.Role.GroupName(), m.states[user], m.role(user))
				}
			}
			w.consistent(t, g)
		}
	})
}
