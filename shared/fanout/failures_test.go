package fanout_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/trace/tracetest"
)

// noted is a call of Note.
type noted struct {
	user       id.User
	from, to   int64
	connection string
	code       connection.FailureCode
}

// notes implements connection.Failures.
type notes struct{ calls []noted }

func (n *notes) Note(_ context.Context, _ id.App, user id.User, _ id.Conversation, from, to int64, failed []connection.Failure) error {
	n.calls = append(n.calls, noted{user, from, to, failed[0].Connection, failed[0].Code})
	return nil
}

// refusing is a gateway that takes so many posts more, left.
type refusing struct {
	connection.Poster
	left atomic.Int64
}

func (r *refusing) Post(ctx context.Context, connectionID string, frame []byte) error {
	if r.left.Add(-1) < 0 {
		return errors.New("throttled")
	}
	return r.Poster.Post(ctx, connectionID, frame)
}

func TestRefusedPostsAreNotedFromTheFirstThatDidNotCome(t *testing.T) {
	h, kept := newHall(), &notes{}
	user, socket := h.online(t)
	gateway := &refusing{Poster: h.poster}
	gateway.left.Store(1)
	h.pusher.Failures, h.pusher.Poster = kept, gateway
	for range 20 {
		h.say(strings.Repeat("語", message.MaxTextBytes/3))
	}
	h.push(t, h.job(1, 20))
	got, frames := h.got(t, socket)
	if frames != 1 || len(got) == 20 {
		t.Fatalf("got %v in %d frames", got, frames)
	}
	if want := []noted{{user, got[len(got)-1] + 1, 20, socket.Connection, connection.Refused}}; !slices.Equal(kept.calls, want) {
		t.Errorf("noted %+v, want %+v", kept.calls, want)
	}
}

// TestDevicesOfOneUserAreNotedTogether: a note replaces the one before, so each has to have all devices that an entry did not come to.
func TestDevicesOfOneUserAreNotedTogether(t *testing.T) {
	h, kept := newHall(), tracetest.NewStore()
	user, phone := h.online(t)
	laptop := phone
	laptop.Device, laptop.Connection = "laptop", phone.Connection+"-2"
	_, _, err := h.records.Attach(t.Context(), laptop, time.Now().Add(connection.Lease))
	storetest.OK(t, "Attach", err)
	storetest.OK(t, "Connect", h.audience.Connect(t.Context(), laptop))
	h.pusher.Failures, h.pusher.Poster = &trace.Notes{Store: kept, Clock: clock.System{}}, &refusing{Poster: h.poster}
	h.say("hello")
	h.push(t, h.job(1, 1))
	found, err := kept.Get(t.Context(), trace.Place{App: h.app, Conversation: id.Conversation(h.group), Sequence: 1}, []id.User{user}, time.Now())
	storetest.OK(t, "Get", err)
	if len(found[user]) != 2 {
		t.Errorf("noted %+v, want both devices", found[user])
	}
}

func TestASocketThatHasClosedIsNoFailure(t *testing.T) {
	h, kept := newHall(), &notes{}
	_, socket := h.online(t)
	h.pusher.Failures = kept
	h.poster.Drop(socket.Connection)
	h.say("hello")
	h.push(t, h.job(1, 1))
	if len(kept.calls) != 0 {
		t.Errorf("noted %+v", kept.calls)
	}
}
