package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
)

// postPatience is how long one push may take. A slow connection costs its own push, never the send: the version tells
// the client what it has missed.
const postPatience = 2 * time.Second

// cutWorkers is how many connections are closed at once.
const cutWorkers = 64

// Service pushes to users' devices and opens, keeps and cuts their sockets.
type Service struct {
	Store  Store
	Poster Poster
	Clock  clock.Clock
	// Later takes the changes of presence that are to be announced. It may be nil where sockets neither open nor close.
	Later Later
	// Failures keeps the pushes of messages that failed. It may be nil where no messages are pushed.
	Failures Failures
}

// Note records that a conversation of the user changed up to the sequence and returns the record to push by. A full ring is emptied by
// half on the way.
func (s *Service) Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Record, error) {
	record, err := s.Store.Note(ctx, app, user, conversation, sequence)
	if err != nil {
		return Record{}, fmt.Errorf("note the change: %w", err)
	}
	if oldest, floor := record.Overflow(); oldest != nil {
		if err := s.Store.Trim(ctx, app, user, record.Version, oldest, floor); err != nil {
			// The next change tries again; a ring that is too long costs a little, and loses nothing.
			slog.WarnContext(ctx, "ring not trimmed", "error", err)
		}
	}
	return record, nil
}

// Push posts the frame to every live device of the record but the connection named in except, all at once. Nothing that
// goes wrong with one concerns the others or the caller: versions and acknowledgements are the proof of delivery.
func (s *Service) Push(ctx context.Context, app id.App, user id.User, record Record, except string, frame []byte) {
	s.pushEntry(ctx, app, user, record, "", 0, except, frame)
}

// pushEntry is Push for the frame of a conversation's entry, of which it is kept where that did not come; 0 for what is none.
func (s *Service) pushEntry(ctx context.Context, app id.App, user id.User, record Record, conversation id.Conversation, sequence int64, except string, frame []byte) {
	var group errgroup.Group
	failures := make(chan Failure, len(record.Devices))
	now := s.Clock.Now()
	for name, device := range record.Devices {
		switch {
		case device.Connection == "" || device.Connection == except:
		case device.Live(now):
			group.Go(func() error {
				if err := s.post(ctx, app, user, name, device, record.Seen, frame); err != nil {
					failures <- FailureOf(err, name, device.Connection, s.Clock.Now())
				}
				return nil
			})
		case now.Unix() >= device.Expires:
			// The token ran out and no auth frame renewed it: the socket ends here.
			group.Go(func() error { s.Cut(ctx, app, user, name, device.Connection); return nil })
		}
	}
	_ = group.Wait() // each post keeps its own trouble: one socket's is no other's
	close(failures)
	var failed []Failure
	for failure := range failures {
		failed = append(failed, failure)
	}
	NoteFailures(ctx, s.Failures, app, user, conversation, sequence, sequence, failed)
}

// post posts to one device of a user who was seen last, on devices that are gone, at the time seen. It returns why the device
// was not reached; a connection that is still opening is none of that: its resume brings what it missed.
func (s *Service) post(ctx context.Context, app id.App, user id.User, name string, device Device, seen int64, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	err := s.Poster.Post(ctx, device.Connection, frame)
	switch {
	case errors.Is(err, ErrGone) && device.young(s.Clock.Now()):
		return nil
	case errors.Is(err, ErrGone):
		// Nobody knows since when it has been gone: it was seen when it was heard.
		if _, err := s.Store.Detach(ctx, app, user, name, device.Connection, time.Unix(max(seen, device.heard()), 0)); err != nil {
			slog.WarnContext(ctx, "connection not detached", "error", err)
		}
	case err != nil:
		slog.WarnContext(ctx, "push failed", "error", err)
	}
	return err
}

// Open enters a new socket: its row first, so that a revoked key finds it, then its device.
func (s *Service) Open(ctx context.Context, socket Socket) error {
	if err := s.Store.PutSocket(ctx, socket, s.Clock.Now().Add(MaxLife)); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	_, err := s.attach(ctx, socket)
	return err
}

// attach gives the socket's device its place in the record and closes the connections that lose theirs by it.
func (s *Service) attach(ctx context.Context, socket Socket) (Record, error) {
	record, displaced, err := s.Store.Attach(ctx, socket, s.Clock.Now().Add(Lease))
	if err != nil {
		return Record{}, fmt.Errorf("attach: %w", err)
	}
	for _, connection := range displaced {
		if err := s.Poster.Close(ctx, connection); err != nil && !errors.Is(err, ErrGone) {
			slog.WarnContext(ctx, "displaced connection not closed", "error", err)
		}
	}
	s.Announce(ctx, socket.App, socket.User, "", record)
	return record, nil
}

// Keep answers a ping: it renews the lease where that is due and returns the record. A device that has dropped out of
// the record gets its place back, or its lease, which is regained: what went on meanwhile passed it by. ErrGone says that
// another connection has it by now, so that this one has to be closed.
func (s *Service) Keep(ctx context.Context, socket Socket) (record Record, regained bool, err error) {
	now := s.Clock.Now()
	record, err = s.record(ctx, socket.App, socket.User, false)
	if err != nil {
		return Record{}, false, err
	}
	device := record.Devices[socket.Device]
	due := now.After(time.Unix(device.Lease, 0).Add(RenewAfter - Lease))
	if device.Connection == socket.Connection && !due {
		return record, false, nil
	}
	lapsed := now.Unix() >= device.Lease
	record, err = s.renew(ctx, socket, time.Time{})
	if !errors.Is(err, ErrNotFound) {
		return record, lapsed, err
	}
	record, err = s.regain(ctx, socket)
	return record, true, err
}

// regain enters a device again that is not in the record, unless a newer connection has its name.
func (s *Service) regain(ctx context.Context, socket Socket) (Record, error) {
	record, err := s.Store.Record(ctx, socket.App, socket.User, true)
	if err != nil {
		return Record{}, err
	}
	if holder := record.Devices[socket.Device].Connection; holder != "" && holder != socket.Connection {
		return Record{}, ErrGone
	}
	standing, err := s.Store.Socket(ctx, socket.App, socket.User, socket.Connection) // an auth frame may have renewed it
	if err != nil {
		return Record{}, err
	}
	return s.attach(ctx, standing)
}

// Reauthorize gives an open socket the rights and the expiry of a new token.
func (s *Service) Reauthorize(ctx context.Context, socket Socket) (Record, error) {
	if err := s.Store.SetCredential(ctx, socket); err != nil {
		return Record{}, err
	}
	return s.renew(ctx, socket, socket.ExpiresAt)
}

// renew extends the lease of the socket's device, which may have been silent for longer than that.
func (s *Service) renew(ctx context.Context, socket Socket, expires time.Time) (Record, error) {
	record, err := s.Store.Renew(ctx, socket, s.Clock.Now().Add(Lease), expires)
	if err == nil {
		s.Announce(ctx, socket.App, socket.User, "", record)
	}
	return record, err
}

// Cut closes a connection and takes it out of the record. What fails is logged: a socket that survives is refused at
// its next frame. The $disconnect that follows has the change of presence announced.
func (s *Service) Cut(ctx context.Context, app id.App, user id.User, device, connection string) {
	if err := s.Poster.Close(ctx, connection); err != nil && !errors.Is(err, ErrGone) {
		slog.WarnContext(ctx, "connection not closed", "error", err)
	}
	if _, err := s.Store.Detach(ctx, app, user, device, connection, s.Clock.Now()); err != nil {
		slog.WarnContext(ctx, "connection not detached", "error", err)
	}
}

// CutUser closes every socket of the user.
func (s *Service) CutUser(ctx context.Context, app id.App, user id.User) error {
	record, err := s.Store.Record(ctx, app, user, true)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cut a user's sockets: %w", err)
	}
	for name, device := range record.Devices {
		if device.Connection != "" {
			s.Cut(ctx, app, user, name, device.Connection)
		}
	}
	return nil
}

// CutKey closes every socket whose token the key minted.
func (s *Service) CutKey(ctx context.Context, app id.App, key id.Key) error {
	return s.CutOpened(ctx, app, key, time.Time{})
}

// CutOpened closes those of the key's sockets that opened before the time; all of them for zero.
func (s *Service) CutOpened(ctx context.Context, app id.App, key id.Key, before time.Time) error {
	for after := ""; ; {
		sockets, next, err := s.Store.ByKey(ctx, app, key, s.Clock.Now(), after, 100)
		if err != nil {
			return fmt.Errorf("find the key's sockets: %w", err)
		}
		var group errgroup.Group
		group.SetLimit(cutWorkers)
		for _, socket := range sockets {
			if !before.IsZero() && !socket.OpenedAt.Before(before) {
				continue
			}
			group.Go(func() error { return s.cutForGood(ctx, socket) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// cutForGood closes a socket of a revoked key and removes its row, so that a revocation which did not come to its end goes
// on from there when it is repeated. Most rows are of sockets that have closed long since: those are in no record.
func (s *Service) cutForGood(ctx context.Context, socket Socket) error {
	err := s.Poster.Close(ctx, socket.Connection)
	if err == nil {
		_, err = s.Store.Detach(ctx, socket.App, socket.User, socket.Device, socket.Connection, s.Clock.Now())
	}
	if err != nil && !errors.Is(err, ErrGone) {
		return fmt.Errorf("cut a socket: %w", err)
	}
	return s.Store.RemoveSocket(ctx, socket)
}
