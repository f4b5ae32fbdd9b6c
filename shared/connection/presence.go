package connection

import (
	"context"
	"log/slog"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Damping is how long a change of a user's presence has to last before those who watch it are told.
const Damping = 5 * time.Second

// announcePatience is how long a connect may wait for a change to be queued.
const announcePatience = 2 * time.Second

// announcerBytes is the length of the ID of whoever announces: 35 random bits tell two apart that meet within seconds.
const announcerBytes = 6

// Presence is the part of a record that tells who is shown the user as online.
type Presence struct {
	// Hidden says that other users are shown the user as offline.
	Hidden bool
	// Seen is when a device was seen last that is in the record no more, in seconds since 1970; 0 for never.
	Seen int64
	// WatchedUntil is until when somebody watches the user, in seconds since 1970. Changes of an unwatched user's presence
	// cost nothing more.
	WatchedUntil int64
	// Announced is what those who watch were told last, or could have been: what time alone has changed since, such as the
	// end of a lease, they know by themselves. It is kept up only while somebody watches.
	Announced Announcement
}

// Announcement is what those who watch a user were told.
type Announcement struct {
	// Online is whether the user was shown as online.
	Online bool
	// By is the ID of the change that was announced, "" where none was: so that one that broke off is recognized when it
	// is tried again.
	By string
}

// PresenceChange is a job: to look, after Damping, whether the user's presence has changed, and to announce it.
type PresenceChange struct {
	App  string  `json:"app"`
	User id.User `json:"user"`
	// ID tells the change from others.
	ID string `json:"id"`
	// Asking is who was answered what others were not told yet, and has to be told even if the change does not last.
	Asking id.User `json:"asking,omitempty"`
	// After is the watcher up to whom all were told; "" begins.
	After string `json:"after,omitempty"`
}

// Of returns the app whose user it is.
func (c PresenceChange) Of() id.App { return id.StoredApp(c.App) }

// Later has jobs done after a delay, at least once each. A queue.Sender is one.
type Later interface {
	Send(ctx context.Context, job any, delay time.Duration) error
}

// Until returns when the last of the live devices ends to be one if nothing is heard of it; zero where none is live.
func (r Record) Until(now time.Time) (until time.Time) {
	for _, device := range r.Devices {
		if end := time.Unix(min(device.Lease, device.Expires), 0).UTC(); device.Live(now) && end.After(until) {
			until = end
		}
	}
	return until
}

// Online tells whether a device is live.
func (r Record) Online(now time.Time) bool { return !r.Until(now).IsZero() }

// Shown tells whether other users are shown the user as online.
func (r Record) Shown(now time.Time) bool { return !r.Hidden && r.Online(now) }

// LastSeen returns when a device was live last, to the second: now where one is, zero where none ever was.
func (r Record) LastSeen(now time.Time) time.Time {
	if r.Online(now) {
		return now.Truncate(time.Second)
	}
	seen := r.Seen
	for _, device := range r.Devices {
		seen = max(seen, device.heard())
	}
	if seen == 0 {
		return time.Time{}
	}
	return time.Unix(seen, 0).UTC()
}

// heard is when the device was heard last, in seconds since 1970.
func (d Device) heard() int64 { return d.Lease - int64(Lease/time.Second) }

// Watched tells whether somebody watches the user.
func (r Record) Watched(now time.Time) bool { return now.Unix() < r.WatchedUntil }

// Unannounced tells whether those who watch the user were told another thing last than what is shown now.
func (r Record) Unannounced(now time.Time) bool {
	return r.Watched(now) && r.Announced.Online != r.Shown(now)
}

// Announce has those who watch the user told, after Damping, if they were told another thing last than what the record
// shows. asking is one of them, who has just been answered what the record shows, "" for none. A failure is not the
// caller's: what is shown has an end, and who watches asks again then.
func (s *Service) Announce(ctx context.Context, app id.App, user, asking id.User, record Record) {
	if s.Later == nil || !record.Unannounced(s.Clock.Now()) {
		return
	}
	change := PresenceChange{App: app.String(), User: user, ID: id.Source{}.Text(announcerBytes), Asking: asking}
	ctx, cancel := context.WithTimeout(ctx, announcePatience)
	defer cancel()
	if err := s.Later.Send(ctx, change, Damping); err != nil {
		slog.WarnContext(ctx, "change of presence not announced", "error", err)
	}
}

// Close takes a socket out of the record that has closed.
func (s *Service) Close(ctx context.Context, closed Socket) error {
	record, err := s.Store.Detach(ctx, closed.App, closed.User, closed.Device, closed.Connection, s.Clock.Now())
	if err == nil {
		s.Announce(ctx, closed.App, closed.User, "", record)
	}
	return err
}
