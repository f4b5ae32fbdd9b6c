package wsapi

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/gobwas/ws"
)

// FuzzFrames holds the reader to its limits on any bytes: no panic, and never a message over the limit.
func FuzzFrames(f *testing.F) {
	f.Add(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("hello")))))
	f.Add(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpText, false, []byte("a")))))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := bufio.NewReader(bytes.NewReader(data))
		var message assembly
		for {
			frame, err := readFrame(reader, message.started)
			if err != nil {
				return
			}
			if frame.Header.OpCode.IsControl() {
				closedByClient(frame.Payload)
				continue
			}
			complete, err := message.add(frame)
			if err != nil {
				return
			}
			if len(message.body) > MaxMessage {
				t.Fatalf("a message of %d bytes", len(message.body))
			}
			if complete {
				message = assembly{}
			}
		}
	})
}
