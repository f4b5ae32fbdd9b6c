package group

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Details are a group on the wire.
type Details struct {
	GroupID     id.Group                   `json:"group_id" doc:"The group's ID; also that of its conversation." example:"g_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Name        string                     `json:"name" doc:"Its name." example:"Hiking"`
	Description string                     `json:"description" doc:"What it is about."`
	Avatar      string                     `json:"avatar" doc:"The address of its picture."`
	Custom      map[string]json.RawMessage `json:"custom" nullable:"false" doc:"The app's own members."`
	Join        Joining                    `json:"join" doc:"Who may join: open, approval or invite." example:"invite"`
	Speak       Who                        `json:"speak" doc:"Who may send messages: everyone or admins." example:"everyone"`
	Invite      Who                        `json:"invite" doc:"Who may invite: everyone or admins." example:"everyone"`
	MutedAll    bool                       `json:"muted_all" doc:"Whether all but the owner and the admins are muted."`
	Owner       id.User                    `json:"owner" doc:"The user ID of its owner." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Members     int                        `json:"members" doc:"How many members it has." example:"3"`
	Version     int64                      `json:"version" doc:"The number of its last change, in its conversation." example:"7"`
	CreatedAt   time.Time                  `json:"created_at" doc:"When it was created." example:"2026-11-22T09:11:22.143Z"`
	DismissedAt *time.Time                 `json:"dismissed_at,omitempty" doc:"When it was dismissed: since then it can only be read. Absent for not."`
	// Membership is the caller's own; applications have none.
	Membership *Membership `json:"membership,omitempty" doc:"How the asking user stands to it; absent for applications and strangers."`
}

// Membership is how a user stands to a group, on the wire.
type Membership struct {
	UserID     id.User       `json:"user_id" doc:"The user's ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	State      message.State `json:"state" doc:"invited, asked, member or left." example:"member"`
	Role       string        `json:"role,omitempty" doc:"owner, admin or member; members only." example:"member"`
	Since      int64         `json:"since,omitempty" doc:"The number of the entry by which the user joined; members only." example:"4"`
	MutedUntil *time.Time    `json:"muted_until,omitempty" doc:"Until when the member may not send; absent for not muted."`
	By         id.User       `json:"by,omitempty" doc:"The user who invited it, or changed it last; absent for an application."`
	Version    int64         `json:"version" doc:"The number of the change that touched it last." example:"4"`
}

// Standing is a user's membership together with the group that it is in, on the wire.
type Standing struct {
	Membership
	Group Details `json:"group" doc:"The group."`
}

// View returns the group as it is shown.
func (g Group) View() Details {
	view := Details{GroupID: g.ID, Name: g.Name, Description: g.Description, Avatar: g.Avatar, Custom: map[string]json.RawMessage{},
		Join: g.Join, Speak: g.Speak, Invite: g.Invite, MutedAll: g.MutedAll, Owner: g.Owner, Members: g.Members,
		Version: g.Version, CreatedAt: g.CreatedAt}
	if own := g.Profile.Members(); own != nil {
		_ = json.Unmarshal(own, &view.Custom) // it was an object when it was stored
	}
	if g.Dismissed() {
		view.DismissedAt = &g.DismissedAt
	}
	return view
}

// View returns the membership as it is shown. A mute that is over is not.
func (m Member) View(now time.Time) Membership {
	view := Membership{UserID: m.User, State: m.State, By: m.By, Version: m.Version}
	if m.joined() {
		view.Role, view.Since = m.Role.GroupName(), m.Since
	}
	if m.MutedUntil.After(now) {
		view.MutedUntil = &m.MutedUntil
	}
	return view
}

// shown returns the group as the caller sees it.
func (s scene) shown(group Group, me Member, now time.Time) Details {
	view := group.View()
	if s.caller.EndUser && me.State != "" {
		own := me.View(now)
		view.Membership = &own
	}
	return view
}

// counts are the members of a group's JSON that follow from its log, and are not told there.
var counts = []string{"members", "version", "created_at", "membership"}

// difference returns the JSON of what is other in the group than it was; all of it for a group that was not.
func difference(was, is Group) json.RawMessage {
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_ = json.Unmarshal(encoded(was.View()), &before)
	_ = json.Unmarshal(encoded(is.View()), &after)
	maps.DeleteFunc(after, func(name string, value json.RawMessage) bool {
		return slices.Contains(counts, name) || was.ID != "" && string(before[name]) == string(value)
	})
	return encoded(after)
}
