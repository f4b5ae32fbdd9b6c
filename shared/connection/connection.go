// Package connection has what TokenIM knows about a user's devices: the routing record, which says where to push and
// what has changed, and the sockets.
//
// There is one routing record per user. A message to the user is one update of it, which notes that the conversation
// changed under the next version and returns the live connections: two jobs for one write.
package connection

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

const (
	// Lease is how long a device counts as live after it was last heard. API Gateway cuts idle sockets after 10
	// minutes, so clients ping every 9; two missed pings end a lease.
	Lease = 20 * time.Minute
	// RenewAfter is the age of a lease from which a ping renews it. Younger ones are left: pinging costs no write then.
	RenewAfter = 5 * time.Minute
	// MaxDevices bounds a record's devices, so that it stays within the 1 KB of one write unit. One more evicts the
	// device that has been silent longest.
	MaxDevices = 5
	// RingSize bounds a record's changed conversations; when full, the older half goes.
	RingSize = 16
	// YoungFor is how long after its connect or renewal a connection is never removed for a 410: API Gateway answers
	// so while a connection is still opening.
	YoungFor = 10 * time.Second
	// MaxLife is the longest that API Gateway keeps a socket, and so a connection's row.
	MaxLife = 2 * time.Hour
	// MaxDeviceBytes bounds a device's name.
	MaxDeviceBytes = 32
)

// anonymous begins the name of a device that has none of its own: "~" and its connection ID.
const anonymous = "~"

// DeviceName returns the name under which a record keeps a device: its own, or one made of the connection, so that two
// sockets of one token are two devices.
func DeviceName(device, connection string) string {
	if device == "" {
		return anonymous + connection
	}
	return device
}

// Anonymous tells whether the device has no name of its own; it is forgotten when its socket closes.
func Anonymous(device string) bool { return strings.HasPrefix(device, anonymous) }

// Device is one device of a user.
type Device struct {
	// Connection is its socket; "" while it has none.
	Connection string
	// Lease is until when it counts as live, in seconds since 1970.
	Lease int64
	// Expires is when its token expires, in seconds since 1970. Nothing is pushed to it after that.
	Expires int64
}

// Live tells whether something can be pushed to the device at the time.
func (d Device) Live(now time.Time) bool {
	return d.Connection != "" && now.Unix() < d.Lease && now.Unix() < d.Expires
}

// young tells whether the device was heard within YoungFor.
func (d Device) young(now time.Time) bool {
	// A lease has whole seconds, cut off: the second more makes it YoungFor at least.
	return now.Before(time.Unix(d.Lease+1, 0).Add(YoungFor - Lease))
}

// Record is a user's routing record.
type Record struct {
	// Version counts the changes of the user's conversations. A client that has moved through every version by one
	// has missed nothing.
	Version int64
	// Floor is the highest version that the ring has forgotten. A client at or above it can be told what changed.
	Floor int64
	// Ring has the last changed conversations.
	Ring map[id.Conversation]Change
	// Devices are the known devices by name, online or not.
	Devices map[string]Device
	// Groups says that a group was noted once: the user is or was in one.
	Groups bool
	// Own says that the user's own log was noted once: the user has removed something for itself.
	Own bool
	// Presence is what the devices do not tell of whether the user is online.
	Presence
}

// Change is the last change of a conversation.
type Change struct {
	// Version is the record's version at that change.
	Version int64
	// Sequence is the highest sequence of the conversation that was noted since it came into the ring: whoever looks for
	// what is new has not seen all of it before this one.
	Sequence int64
}

// HasOther tells whether the user has a device besides the one of the connection ("" for none). A named device counts
// whether it is online or not; one without a name counts until its lease ends.
func (r Record) HasOther(connection string, now time.Time) bool {
	for name, device := range r.Devices {
		forgotten := Anonymous(name) && now.Unix() >= device.Lease
		if !forgotten && (device.Connection != connection || connection == "") {
			return true
		}
	}
	return false
}

// ChangedSince returns the conversations that changed after the version, by ID. complete is false where the ring does
// not reach back so far, or the version is none that this record has had: all conversations have to be checked.
func (r Record) ChangedSince(version int64) (changed []id.Conversation, complete bool) {
	if version < r.Floor || version > r.Version {
		return nil, false
	}
	for conversation, change := range r.Ring {
		if change.Version > version {
			changed = append(changed, conversation)
		}
	}
	slices.Sort(changed)
	return changed, true
}

// Overflow returns the older half of a ring that is full, and the highest version among it; nil where it is not full.
func (r Record) Overflow() (oldest []id.Conversation, floor int64) {
	if len(r.Ring) < RingSize {
		return nil, 0
	}
	byVersion := slices.SortedFunc(maps.Keys(r.Ring), func(a, b id.Conversation) int {
		return cmp.Compare(r.Ring[a].Version, r.Ring[b].Version)
	})
	oldest = byVersion[:len(byVersion)-RingSize/2]
	return oldest, r.Ring[oldest[len(oldest)-1]].Version
}

// Silent returns the device that has been heard longest ago; ties go by name.
func (r Record) Silent() string {
	var silent string
	for _, name := range slices.Sorted(maps.Keys(r.Devices)) {
		if silent == "" || r.Devices[name].Lease < r.Devices[silent].Lease {
			silent = name
		}
	}
	return silent
}

// Socket is a live connection with what its token said.
type Socket struct {
	// App, User and Connection name it.
	App        id.App
	User       id.User
	Connection string
	// Device is the device's name in the record (DeviceName).
	Device string
	// Key is the API key that minted the token, Epoch the user's token epoch in it.
	Key   id.Key
	Epoch int64
	// ExpiresAt is when the token expires.
	ExpiresAt time.Time
	// Window is how far a resume has come; nil when none is under way.
	Window *Window
	// OpenedAt is when it opened, to the second; only Store.ByKey tells.
	OpenedAt time.Time
}

// Window is the state of a resume: what has been posted and waits for an acknowledgement before more is.
type Window struct {
	// Since is the version that the device named at connect; -1 where it named none.
	Since int64
	// Version is the record's version when the resume began.
	Version int64
	// Conversation and Sequence are the last that was posted: its acknowledgement opens the next window.
	Conversation id.Conversation
	Sequence     int64
	// PrevConversation and PrevSequence are the last of the window before: acknowledged again, they have this window
	// posted again, for a client that never got it.
	PrevConversation id.Conversation
	PrevSequence     int64
}
