// Package fanout brings what is written to large groups to the devices of their members, so that whoever writes does not
// have to.
//
// A device that connects subscribes to the large groups of its user. What is written to such a group reaches the Distributor by
// the stream of the log's table; it hands every entry on once and in order, as jobs on a queue, one for each part of the
// subscriptions. A Pusher does the jobs of a part one after the other: it reads the entries and the part's subscriptions,
// and posts. While it is busy jobs pile up, and are done together then, several messages in a frame.
package fanout

import (
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

const (
	// partSize is how many subscriptions a part may have before it is divided. A job of so many ends within seconds, however slow
	// its devices are, and costs little beside their posts.
	partSize = 500
	// maxParts bounds the parts of a group: at partSize each, more than a group can have members.
	maxParts = 256
)

// Subscription is a device's to a group: an open socket of a member. One without a Connection is an end: what the user
// subscribed to before does not count.
type Subscription struct {
	App        id.App
	Group      id.Group
	User       id.User
	Connection string
	// Since is the first sequence that the device is to have from here; of an end that of the entry by which the user left.
	Since int64
	// Until is when it ends, in whole seconds: with the device's token, or with the longest life of a socket.
	Until time.Time
}

// Job is a run of a group's log to be posted to a part of its subscriptions.
type Job struct {
	App   string   `json:"app"`
	Group id.Group `json:"group"`
	// From and To are the first and the last sequence.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Part
}

// Of returns the app whose group it is.
func (j Job) Of() id.App { return id.StoredApp(j.App) }

// Lane names what has to be done one after the other: the jobs of one part.
func (j Job) Lane() string { return fmt.Sprintf("%s/%d.%d", j.Group, j.Number, j.Parts) }

// Identity tells the job from others: handed on twice, it is done once.
func (j Job) Identity() string { return fmt.Sprintf("%s/%d-%d", j.Lane(), j.From, j.To) }

// Part is one of the equal parts that a group's subscriptions are divided into, by user.
type Part struct {
	// Number is its own, from 0; Parts is how many there are, a power of two.
	Number int `json:"part"`
	Parts  int `json:"parts"`
}

// Bounds returns the two characters with which the random part of the users' IDs in the part begins, at the least, and those with
// which the next part begins, "" for the last one.
func (p Part) Bounds() (from, until string) {
	bound := func(number int) string {
		place := number * len(id.Alphabet) * len(id.Alphabet) / p.Parts
		return string([]byte{id.Alphabet[place/len(id.Alphabet)], id.Alphabet[place%len(id.Alphabet)]})
	}
	from = bound(p.Number)
	if p.Number+1 < p.Parts {
		until = bound(p.Number + 1)
	}
	return from, until
}

// has tells whether the user belongs to the part.
func (p Part) has(user id.User) bool {
	from, until := p.Bounds()
	random := user.Random()
	return random >= from && (until == "" || random < until)
}

// State is how a group's fan-out stands.
type State struct {
	// Handed is the sequence up to which the log has been handed on; 0 for nothing yet.
	Handed int64
	// Parts is how many parts the subscriptions are divided into; 0 for one.
	Parts int
}
