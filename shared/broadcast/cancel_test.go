package broadcast_test

import (
	"context"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// attachPhone gives ann a device.
func (w *world) attachPhone(t *testing.T) {
	t.Helper()
	socket := connectiontest.NewSocket("phone", "conn-phone")
	socket.App, socket.User = w.app, w.ann
	w.poster.Open("conn-phone")
	_, _, err := w.records.Attach(t.Context(), socket, w.clock.Now().Add(connection.Lease))
	storetest.OK(t, "Attach", err)
}

// wantToldOfCancelled checks that the broadcast is cancelled, counts those who have it, and that ann's phone looks at everything.
func (w *world) wantToldOfCancelled(t *testing.T, job id.Broadcast, counted int) {
	t.Helper()
	has := 0
	for _, to := range w.all {
		has += w.texts(t, to, job)
	}
	if found := w.find(t, job); found.State != broadcast.Cancelled || has == 0 || found.Sent != counted {
		t.Errorf("%d have it, and it says %+v", has, found)
	}
	changes, err := w.messages(healthy()).Sync(t.Context(), w.app, w.ann, 0)
	if err != nil || !changes.Full {
		t.Errorf("ann's sync is %+v, %v", changes, err)
	}
}

// A broadcast that is cancelled and ended by one worker while another is at its users counts those too, and the sender's devices
// hear of them.
func TestCancelledBesideAWorker(t *testing.T) {
	w := newWorld(t, 9)
	w.attachPhone(t)
	begun := w.begin(t, "")
	var once sync.Once
	w.before = func(id.User) (err error) {
		once.Do(func() {
			if _, err = w.service(healthy()).Cancel(context.Background(), w.app, begun.ID); err == nil {
				err = w.worker(healthy()).Do(context.Background(), broadcast.Job{App: w.app.String(), Broadcast: begun.ID})
			}
		})
		return err
	}
	w.work(t)
	has := 0
	for _, to := range w.all {
		has += w.texts(t, to, begun.ID)
	}
	w.wantToldOfCancelled(t, begun.ID, has)
}

// A cancelled broadcast whose last users are not counted, because one of them was to be tried again, is told to the sender's
// devices all the same.
func TestCancelledBetweenTwoTries(t *testing.T) {
	w := newWorld(t, 9)
	w.attachPhone(t)
	begun := w.begin(t, "")
	w.before = func(to id.User) error {
		if to == w.all[0] {
			return fault.New(fault.ConversationBusy)
		}
		return nil
	}
	job := broadcast.Job{App: w.app.String(), Broadcast: begun.ID}
	if err := w.worker(healthy()).Do(t.Context(), job); err == nil {
		t.Fatal("nothing was to be tried again")
	}
	_, err := w.service(healthy()).Cancel(t.Context(), w.app, begun.ID)
	storetest.OK(t, "Cancel", err)
	storetest.OK(t, "Do", w.worker(healthy()).Do(t.Context(), job))
	w.wantToldOfCancelled(t, begun.ID, 0)
}
