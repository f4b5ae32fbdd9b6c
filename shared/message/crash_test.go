package message_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// TestCrashBetweenWrites kills the sender's process at every write of a send, before and after the write took effect,
// and retries as a client does: one effect, the receiver told, the log whole.
func TestCrashBetweenWrites(t *testing.T) {
	zero := int64(0)
	for _, mode := range []struct {
		name  string
		known *int64
	}{{"client ID alone", nil}, {"client ID and known", &zero}} {
		for _, tookEffect := range []bool{false, true} {
			for at := 1; ; at++ {
				w := newWorld(t, storetest.Staleness{Seed: uint64(at), Lag: 8})
				fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
				draft := message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "once", ClientID: "c1", Known: mode.known}
				_, err := w.process(fuse).Send(t.Context(), draft)
				if !fuse.Blown() {
					break // every write has had its turn
				}
				t.Run(fmt.Sprintf("%s, write %d, took effect %v", mode.name, at, tookEffect), func(t *testing.T) {
					if err == nil {
						t.Fatal("the send was acknowledged by a dead process")
					}
					checkRetry(t, w, draft)
				})
			}
		}
	}
}

// checkRetry retries the send twice and looks at everything that it should have done.
func checkRetry(t *testing.T, w *world, draft message.Draft) {
	first, err := w.healthy().Send(t.Context(), draft)
	storetest.OK(t, "retry", err)
	second, err := w.healthy().Send(t.Context(), draft)
	storetest.OK(t, "retry again", err)
	if !reflect.DeepEqual(first.Message, second.Message) || first.Message.Seq != 1 {
		t.Fatalf("answers differ: %+v and %+v", first.Message, second.Message)
	}
	w.settle()
	w.checkLog(t)
	if texts := w.texts(t); !slices.Equal(texts, []string{"once"}) {
		t.Fatalf("the log has %q", texts)
	}
	changes, err := w.healthy().Sync(t.Context(), w.app, w.bob, 0)
	storetest.OK(t, "sync", err)
	if changes.Full || len(changes.Changed) != 1 || changes.Changed[0].Last.Message != "once" {
		t.Fatalf("the receiver's sync is %+v", changes)
	}
	list, _, err := w.healthy().Conversations(t.Context(), w.app, w.bob, "", 10)
	storetest.OK(t, "list", err)
	if len(list) != 1 || list[0].Unread != 1 {
		t.Fatalf("the receiver's conversations are %+v", list)
	}
}
