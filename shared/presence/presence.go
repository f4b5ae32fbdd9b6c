// Package presence tells who is online, and tells those who watch when that changes.
//
// A user's routing record says it all: which devices are live, until when if nothing more is heard of them, when one was
// seen last. So asking costs half a read unit a user, and being online costs nothing.
//
//	items, err := service.Query(ctx, app, viewer, []string{"u_…", "u_…"})
//
// A user who watches others has a row beside each of their records, and the record knows that it is watched. Only then does
// a change queue a job, which looks again after connection.Damping and pushes what has really changed, to every device of
// everybody who watches. An answer that never comes is no answer: every item says until when it holds, since a connection
// can be lost without a word.
package presence

import (
	"maps"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// MaxQuery is how many users can be asked about at once.
	MaxQuery = 1000
	// MaxWatch is how many users one frame can begin to watch.
	MaxWatch = 100
	// WatchLife is how long a watch lasts: as long as a socket can.
	WatchLife = connection.MaxLife
	// markLife is until when a record says that it is watched. It is twice a watch's life so that the record is written at
	// most once in WatchLife, however many watch.
	markLife = 2 * WatchLife
)

// Status is what a user is shown as.
type Status string

const (
	// Online is a user with a live device.
	Online Status = "online"
	// Offline is a user without, or one who hides.
	Offline Status = "offline"
	// Unknown is no user of the app.
	Unknown Status = "unknown"
)

// UserPresence is what is told of one user.
type UserPresence struct {
	UserID      id.User   `json:"user_id" doc:"The user." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Status      Status    `json:"status" enum:"online,offline,unknown" doc:"online with a live device, else offline; unknown where the app has no such user." example:"online"`
	LastSeen    time.Time `json:"last_seen,omitzero" doc:"When a device was live last: now while one is, within some minutes for one that was lost without a word. Absent where none ever was, and where the user hides it." example:"2026-11-21T23:11:22Z"`
	Until       time.Time `json:"until,omitzero" doc:"Until when online holds if nothing more is heard. What is shown later than that is not known: ask again then." example:"2026-11-21T23:31:22Z"`
	Devices     int       `json:"devices" doc:"How many devices are online." example:"1"`
	DeviceNames []string  `json:"device_names,omitempty" nullable:"false" maxItems:"5" doc:"The names of those that have one; told to the user itself and to applications only." example:"[\"phone\"]"`
	Hidden      bool      `json:"hidden,omitempty" doc:"The user is shown as offline to other users; told to the user itself and to applications only."`
}

// Of returns what is told of a user. whole is for the user itself and for applications, who see what others do not.
func Of(user id.User, record connection.Record, now time.Time, whole bool) UserPresence {
	item := UserPresence{UserID: user, Status: Offline}
	if record.Hidden && !whole {
		return item
	}
	item.LastSeen, item.Hidden = record.LastSeen(now), record.Hidden
	if item.Until = record.Until(now); item.Until.IsZero() {
		return item
	}
	item.Status = Online
	for _, name := range slices.Sorted(maps.Keys(record.Devices)) {
		if !record.Devices[name].Live(now) {
			continue
		}
		item.Devices++
		if whole && !connection.Anonymous(name) {
			item.DeviceNames = append(item.DeviceNames, name)
		}
	}
	return item
}
