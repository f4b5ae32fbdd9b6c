package message_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// A counter that was restored to a moment before its log gives numbers out where entries of others stand.
func TestACounterBehindItsLog(t *testing.T) {
	for name, clientID := range map[string]string{"with a client ID": "mine", "without": ""} {
		for _, text := range []string{"ok", "another text"} {
			t.Run(name+" "+text, func(t *testing.T) {
				w := newWorld(t, storetest.Staleness{})
				group := w.found(t, w.ann, w.bob)
				draft := w.draft(w.ann, group, "ok") // stands at 2
				draft.ClientID = ""
				_, err := w.healthy().Send(t.Context(), draft)
				storetest.OK(t, "send", err)
				w.groups.Change(w.app, group, func(g *messagetestGroup) { g.Number = message.Number{Sequence: 1} })

				draft = w.draft(w.bob, group, text)
				draft.ClientID = clientID
				sent, err := w.healthy().Send(t.Context(), draft)
				storetest.OK(t, "send with the counter behind", err)
				if sent.Message.Seq != 3 || sent.Message.From != w.bob || sent.Message.Message != text {
					t.Errorf("answered %+v", sent.Message)
				}
				if clientID == "" {
					return
				}
				again, err := w.healthy().Send(t.Context(), draft)
				storetest.OK(t, "send again", err)
				if again.Message.Seq != 3 {
					t.Errorf("again: %+v", again.Message)
				}
			})
		}
	}
}
