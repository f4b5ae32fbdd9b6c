package broadcast_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/broadcast/broadcasttest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// inTurn sends one message at a time.
type inTurn struct {
	broadcast.Messages
	turn chan struct{}
}

func (s inTurn) Send(ctx context.Context, draft message.Draft) (message.Sent, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.Messages.Send(ctx, draft)
}

func TestBroadcast(t *testing.T) {
	w := newWorld(t, 40)
	blocking, inactive, deleted := w.all[0], w.all[1], w.all[2]
	storetest.OK(t, "Block", (&user.Service{Store: w.people, Clock: w.clock}).Block(t.Context(), w.app, blocking, w.ann))
	w.deactivate(t, inactive)
	w.people.remove(deleted)
	_, err := w.messages(healthy()).Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.all[3]), Text: "before"})
	storetest.OK(t, "Send", err)
	begun := w.begin(t, "")
	w.work(t)
	w.wantAll(t, begun.ID, blocking, inactive, deleted)
	if found := w.find(t, begun.ID); found.Skipped != 4 {
		t.Errorf("the broadcast is %+v", found)
	}
	storetest.OK(t, "Do again", w.worker(healthy()).Do(t.Context(), broadcast.Job{App: w.app.String(), Broadcast: begun.ID}))
	w.wantAll(t, begun.ID, blocking, inactive, deleted)
}

// A request and a worker that die at any of their writes, with or without effect, leave what the jobs in the queue and a repeated
// request complete: everybody has it once.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, tookEffect := range []bool{false, true} {
		for at := 1; ; at++ {
			w := newWorld(t, 9)
			fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
			begun, err := w.service(fuse).Begin(t.Context(), w.app, w.ann, hello, "key")
			for err == nil {
				next, ok := w.jobs.take()
				if !ok {
					break
				}
				if err = w.worker(fuse).Do(t.Context(), next.job); err != nil {
					storetest.OK(t, "the queue has it again", w.jobs.Send(t.Context(), next.job, 0))
				}
			}
			if !fuse.Blown() {
				storetest.OK(t, "without a crash", err)
				w.wantAll(t, begun.ID)
				break // every write has had its turn
			}
			if !errors.Is(err, storetest.ErrFuse) && err != nil {
				t.Fatalf("write %d: %v", at, err)
			}
			again := w.begin(t, "key")
			if begun.ID != "" && again.ID != begun.ID {
				t.Fatalf("write %d: again %+v", at, again)
			}
			w.work(t)
			w.wantAll(t, again.ID)
			for range broadcast.MaxUnfinished { // its slot is free
				w.begin(t, "")
			}
			if t.Failed() {
				t.Fatalf("write %d, took effect: %v", at, tookEffect)
			}
		}
	}
}

// What the request has stored is sent although the request dies before it sends the job: another was sent before.
func TestARequestThatDies(t *testing.T) {
	w := newWorld(t, 4)
	_, err := w.service(&storetest.Fuse{At: 3, Dies: true}).Begin(t.Context(), w.app, w.ann, hello, "")
	storetest.Refused(t, "Begin", err, storetest.ErrFuse)
	page, _, err := w.service(healthy()).List(t.Context(), w.app, "", 10)
	if err != nil || len(page) != 1 || len(w.jobs.sent) != 1 || w.jobs.sent[0].delay < 29*time.Second {
		t.Fatalf("there are %v and the jobs %v, %v", page, w.jobs.sent, err)
	}
	w.work(t)
	w.wantAll(t, page[0].ID)
}

// Workers at once, and a request that is repeated while they work, send to everybody once. Those who are overtaken end.
func TestWorkersAtOnce(t *testing.T) {
	w := newWorld(t, 60)
	begun := w.begin(t, "key")
	job, _ := w.jobs.take()
	w.jobs.take()
	for _, err := range storetest.AtOnce(8, func(i int) error {
		if i == 0 {
			_, err := w.service(healthy()).Begin(context.Background(), w.app, w.ann, hello, "key")
			return err
		}
		return w.worker(healthy()).Do(context.Background(), job.job)
	}) {
		storetest.OK(t, "at once", err)
	}
	w.work(t)
	w.wantAll(t, begun.ID)
}

// A worker stays for its turn and sends itself on with a pause; it sees a cancellation before the next page.
func TestATurnEnds(t *testing.T) {
	w := newWorld(t, 60)
	begun := w.begin(t, "")
	w.before = func(id.User) error {
		w.clock.Advance(time.Second)
		return nil
	}
	first, _ := w.jobs.take()
	w.jobs.take()
	storetest.OK(t, "Do", w.worker(healthy()).Do(t.Context(), first.job))
	found := w.find(t, begun.ID)
	if found.Finished() || found.Sent < 10 || found.Sent > 21 || len(w.jobs.sent) != 1 || w.jobs.sent[0].job != first.job || w.jobs.sent[0].delay < time.Second {
		t.Errorf("after a turn: %+v, jobs %v", found, w.jobs.sent)
	}
	w.before = func(id.User) error {
		_, err := w.service(healthy()).Cancel(context.Background(), w.app, begun.ID)
		return err
	}
	w.work(t)
	cancelled := w.find(t, begun.ID)
	if cancelled.State != broadcast.Cancelled || cancelled.Sent-found.Sent > page || cancelled.FinishedAt.IsZero() {
		t.Errorf("cancelled after %+v: %+v", found, cancelled)
	}
	if again, err := w.service(healthy()).Cancel(t.Context(), w.app, begun.ID); err != nil || again.State != broadcast.Cancelled {
		t.Errorf("cancelled again: %+v, %v", again, err)
	}
	w.before, begun = nil, w.begin(t, "") // one whose jobs are lost
	w.jobs.sent = nil
	_, err := w.service(healthy()).Cancel(t.Context(), w.app, begun.ID)
	storetest.OK(t, "Cancel", err)
	w.work(t)
	if found := w.find(t, begun.ID); found.State != broadcast.Cancelled || found.Sent > 0 {
		t.Errorf("cancelled without a job: %+v", found)
	}
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	begun = w.begin(t, "")
	job := broadcast.Job{App: w.app.String(), Broadcast: begun.ID}
	sent := len(w.jobs.sent)
	storetest.OK(t, "Do without time", w.worker(healthy()).Do(late, job))
	if found := w.find(t, begun.ID); found.Sent > 0 || len(w.jobs.sent) != sent+1 {
		t.Errorf("without time: %+v, %d jobs", found, len(w.jobs.sent)-sent)
	}
	w.work(t)
	w.wantAll(t, begun.ID)
}

// A broadcast whose sender is deactivated or deleted meanwhile ends, and says why.
func TestTheSenderGoes(t *testing.T) {
	for want, ends := range map[fault.Code]func(w *world){
		fault.UserNotFound: func(w *world) { w.people.remove(w.ann) }, fault.UserDeactivated: func(w *world) { w.deactivate(t, w.ann) },
	} {
		w := newWorld(t, 60)
		begun, calls := w.begin(t, ""), 0
		w.before = func(id.User) error {
			if calls++; calls == 8 {
				ends(w)
			}
			return nil
		}
		for {
			next, ok := w.jobs.take()
			if !ok {
				break
			}
			worker := w.worker(healthy())
			worker.Messages = inTurn{worker.Messages, make(chan struct{}, 1)}
			storetest.OK(t, "Do", worker.Do(t.Context(), next.job))
		}
		found := w.find(t, begun.ID)
		if found.State != broadcast.Failed || found.Code != want || found.Sent < 8 || found.Sent > 8+page || found.FinishedAt.IsZero() {
			t.Errorf("%s: %+v", want, found)
		}
		has := 0
		for _, to := range w.all {
			has += w.texts(t, to, begun.ID)
		}
		if has != found.Sent {
			t.Errorf("%d have it, and %d are counted", has, found.Sent)
		}
		w.before = nil
		if _, err := w.store.Content(t.Context(), w.app, begun.ID); !errors.Is(err, broadcast.ErrNotFound) {
			t.Errorf("its content: %v", err)
		}
	}
}

// What fails is tried again; a user with whom it always fails is given up, and keeps nobody else from having it.
func TestWhatFailsIsTriedAgain(t *testing.T) {
	w := newWorld(t, 12)
	begun, sick, refusing, shaky, busy := w.begin(t, ""), w.all[0], w.all[1], w.all[2], 2
	w.before = func(to id.User) error {
		switch to {
		case sick:
			return errors.New("a defect")
		case refusing:
			return fault.New(fault.ClientIDConflict)
		case shaky:
			if busy--; busy >= 0 {
				return fault.New(fault.ConversationBusy)
			}
		}
		return nil
	}
	failures := 0
	for range 100 {
		next, ok := w.jobs.take()
		if !ok {
			break
		}
		worker := w.worker(healthy())
		worker.Messages = inTurn{worker.Messages, make(chan struct{}, 1)}
		if err := worker.Do(t.Context(), next.job); err != nil {
			failures++
			storetest.OK(t, "the queue has it again", w.jobs.Send(t.Context(), next.job, 0))
		}
	}
	w.wantAll(t, begun.ID, sick, refusing)
	if found := w.find(t, begun.ID); found.Failed != 2 || found.Skipped != 1 || failures != 6 {
		t.Errorf("the broadcast is %+v after %d failures", found, failures)
	}
}

// The sender's devices get no frame for each user and one change of their version; then they look at everything.
func TestTheSendersDevices(t *testing.T) {
	w := newWorld(t, 30)
	socket := connectiontest.NewSocket("phone", "conn-phone")
	socket.App, socket.User = w.app, w.ann
	w.poster.Open("conn-phone")
	_, _, err := w.records.Attach(t.Context(), socket, w.clock.Now().Add(connection.Lease))
	storetest.OK(t, "Attach", err)
	begun := w.begin(t, "")
	w.work(t)
	w.wantAll(t, begun.ID)
	record, err := w.records.Record(t.Context(), w.app, w.ann, true)
	if _, complete := record.ChangedSince(0); err != nil || record.Version != 1 || complete {
		t.Errorf("ann's record is %+v, %v", record, err)
	}
	if frames := w.poster.Frames("conn-phone"); len(frames) > 0 {
		t.Errorf("ann's phone got %q", frames)
	}
	changes, err := w.messages(healthy()).Sync(t.Context(), w.app, w.ann, 0)
	if err != nil || !changes.Full {
		t.Errorf("ann's sync is %+v, %v", changes, err)
	}
	if changes, err := w.messages(healthy()).Sync(t.Context(), w.app, w.all[0], 0); err != nil || changes.Full || len(changes.Changed) != 1 {
		t.Errorf("another's sync is %+v, %v", changes, err)
	}
}

// A worker whose broadcast is erased or over ends.
func TestAWorkerStops(t *testing.T) {
	w := newWorld(t, 9)
	gone := broadcast.Job{App: w.app.String(), Broadcast: id.Source{}.Broadcast()}
	storetest.OK(t, "Do of no broadcast", w.worker(healthy()).Do(t.Context(), gone))
	torn := broadcasttest.New(w.app)
	standing, err := w.store.Begin(t.Context(), torn, nil)
	storetest.OK(t, "Begin", err)
	storetest.OK(t, "Release", w.store.Release(t.Context(), standing))
	storetest.OK(t, "Do of one without content", w.worker(healthy()).Do(t.Context(), broadcast.Job{App: w.app.String(), Broadcast: torn.ID}))
	begun := w.begin(t, "")
	w.clock.Advance(broadcast.Kept)
	w.work(t)
	if found, err := w.store.Get(t.Context(), w.app, begun.ID); err != nil || found.Sent > 0 {
		t.Errorf("the broadcast that is over: %+v, %v", found, err)
	}
	if len(w.jobs.sent) > 0 {
		t.Errorf("jobs: %v", w.jobs.sent)
	}
}
