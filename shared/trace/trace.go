// Package trace tells where a message is: stored, pushed to which devices, acknowledged, read, or why not.
//
// Next to nothing is written for it. How far a message has come with whom follows from the marks; which devices it was
// posted to from when they connected, by their routing records. Only a push that failed leaves a note, for Life: without it
// nobody could tell it from one that went well.
package trace

import (
	"maps"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Life is how long it is known that a push failed.
const Life = 7 * 24 * time.Hour

// State is what became of a message when it was sent.
type State string

// The states.
const (
	// Stored is a message in the log that its receivers see.
	Stored State = "stored"
	// Hidden is one that was accepted silently: its receiver has blocked the sender. Only applications are told.
	Hidden State = "hidden"
)

// Status is how far a message has come with a receiver.
type Status string

// The statuses.
const (
	Read      Status = "read"
	Delivered Status = "delivered"
	Pushed    Status = "pushed"
	Waiting   Status = "waiting"
)

// Why says why a message waits.
type Why string

// The reasons.
const (
	// Offline is a receiver without an open socket.
	Offline Why = "offline"
	// PushFailed is one with devices that could not be posted to.
	PushFailed Why = "push_failed"
	// Blocked is one who has blocked the sender.
	Blocked Why = "blocked"
)

// Result is what became of a message on its way to a device.
type Result string

// The results.
const (
	// ByPush is a device that was connected when the message was sent.
	ByPush Result = "pushed"
	// ByResume is one that connected later: what it missed is posted to it then.
	ByResume Result = "resumed"
	// Failed is one whose push failed.
	Failed Result = "failed"
	// Absent is one that is known and has no open socket.
	Absent Result = "offline"
)

// Code says why a push failed.
type Code = connection.FailureCode

// Trace is what is told of a message as a whole.
type Trace struct {
	MessageID      string          `json:"message_id" doc:"The message's ID." example:"m_4oKyQ1F8aXbT0mJ2cLw7Zr_1"`
	ConversationID id.Conversation `json:"conversation_id" doc:"Its conversation." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" doc:"Its number in the conversation." example:"1"`
	StoredAt       time.Time       `json:"stored_at" doc:"When it was stored." example:"2026-11-21T23:11:22.143Z"`
	State          State           `json:"state" enum:"stored,hidden" doc:"stored, or, for applications only, hidden: its receiver has blocked the sender and is not shown it." example:"stored"`
}

// Recipient is how far a message has come with one of those whom it was sent to.
type Recipient struct {
	UserID  id.User  `json:"user_id" doc:"Whom it was sent to." example:"u_7Zr2cLw0mJaXbT4oKyQ1F8"`
	Status  Status   `json:"status" enum:"read,delivered,pushed,waiting" doc:"read or delivered by the user's marks; pushed where a device was posted it that has not acknowledged it, which proves nothing; else waiting." example:"delivered"`
	Why     Why      `json:"why,omitempty" enum:"offline,push_failed,blocked" doc:"Why it waits; other users are not told of one who hides its presence." example:"offline"`
	Devices []Device `json:"devices,omitempty" nullable:"false" doc:"The user's devices, as far as they are known; for applications only."`
}

// Device is what became of a message on its way to one device.
type Device struct {
	Device      string    `json:"device,omitempty" doc:"The device's name, if it has one." example:"phone"`
	Connection  string    `json:"connection,omitempty" doc:"Tells its connection from others." example:"4oKyQ1F8aX"`
	ConnectedAt time.Time `json:"connected_at,omitzero" doc:"Since when it is connected, to the second." example:"2026-11-21T23:10:02Z"`
	Result      Result    `json:"result" enum:"pushed,resumed,failed,offline" doc:"pushed where it was connected when the message was sent; resumed where it connected later and was posted what it had missed; failed where a push failed; offline where it is not connected." example:"pushed"`
	Code        Code      `json:"code,omitempty" enum:"gone,refused,timed_out" doc:"Why the push failed: the connection had closed without a word, was not taken by the gateway, or did not answer." example:"gone"`
	At          time.Time `json:"at,omitzero" doc:"When it failed." example:"2026-11-21T23:11:22.201Z"`
}

// Failure is a push that failed, as it is kept.
type Failure struct {
	// Device is the device's name, "" for one without; Connection is as in Device.
	Device, Connection string
	// Code says why, At when.
	Code Code
	At   time.Time
}

// tokenLength is how much of a connection's hash stands for it: enough to tell a few apart. The connection itself is nobody's
// business.
const tokenLength = 10

func tokenOf(connectionID string) string { return id.Hash("connection", connectionID)[:tokenLength] }

func nameOf(device string) string {
	if connection.Anonymous(device) {
		return ""
	}
	return device
}

// evidence is what is known of a receiver's devices.
type evidence struct {
	record connection.Record
	// opened has when the record's connections opened.
	opened map[string]time.Time
	// failed are the pushes of the message that failed.
	failed []Failure
}

// devices returns what became of a message that was sent at the time, on its way to each device.
func (e evidence) devices(sentAt, now time.Time) (devices []Device) {
	failed := map[string]bool{} // devices and connections
	for _, failure := range e.failed {
		failed[failure.Device], failed[failure.Connection] = failure.Device != "", true
		devices = append(devices, Device{Device: failure.Device, Connection: failure.Connection, Result: Failed, Code: failure.Code, At: failure.At})
	}
	for _, name := range slices.Sorted(maps.Keys(e.record.Devices)) {
		device := e.record.Devices[name]
		opened, known := e.opened[device.Connection]
		shown := Device{Device: nameOf(name), Connection: tokenOf(device.Connection), ConnectedAt: opened, Result: ByPush}
		switch {
		case !device.Live(now) || !known:
			if shown.Device == "" || failed[shown.Device] {
				continue // a nameless device is its connection, and the failure has told of the other
			}
			shown = Device{Device: shown.Device, Result: Absent}
		case failed[shown.Connection]:
			continue
		case opened.After(sentAt):
			shown.Result = ByResume
		}
		devices = append(devices, shown)
	}
	return devices
}

// status returns how far the message has come by the receipt and the devices, and why it waits.
func status(receipt message.Receipt, devices []Device) (Status, Why) {
	switch {
	case receipt.Read:
		return Read, ""
	case receipt.Delivered:
		return Delivered, ""
	}
	why := Offline
	for _, device := range devices {
		switch device.Result {
		case ByPush, ByResume:
			return Pushed, ""
		case Failed:
			why = PushFailed
		}
	}
	return Waiting, why
}
