package wsapi

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// violation is a breach of the protocol or its limits by the client; the connection ends with its code.
type violation ending

func (v violation) Error() string { return v.reason }

var (
	errFrameTooBig   = violation{codeTooBig, "Frame is larger than 32 KB"}
	errMessageTooBig = violation{codeTooBig, "Message is larger than 128 KB"}
	errNotUTF8       = violation{codeInvalid, "Text is not UTF-8"}
)

// read takes frames until the connection ends, and says how it ended.
func (c *connection) read() ending {
	var message assembly
	for {
		frame, err := readFrame(c.reader, message.started)
		if err != nil {
			return endingOf(err)
		}
		if c.halfOpen.Load() {
			continue
		}
		switch {
		case frame.Header.OpCode == ws.OpClose:
			return closedByClient(frame.Payload)
		case frame.Header.OpCode == ws.OpPing:
			select {
			case c.queue <- ws.NewPongFrame(frame.Payload):
			default: // a client that reads nothing misses a pong too
			}
		case frame.Header.OpCode.IsData() || frame.Header.OpCode == ws.OpContinuation:
			c.touch()
			complete, err := message.add(frame)
			if err != nil {
				return endingOf(err)
			}
			if complete {
				c.handle(message.body, message.binary)
				message = assembly{}
			}
		}
	}
}

// assembly is a message that arrives in fragments.
type assembly struct {
	started, binary bool
	body            []byte
}

// add takes the next frame of the message and reports whether it was the last.
func (m *assembly) add(frame ws.Frame) (bool, error) {
	if !m.started {
		m.started, m.binary = true, frame.Header.OpCode == ws.OpBinary
	}
	if len(m.body)+len(frame.Payload) > MaxMessage {
		return false, errMessageTooBig
	}
	m.body = append(m.body, frame.Payload...)
	if !frame.Header.Fin {
		return false, nil
	}
	if !m.binary && !utf8.Valid(m.body) {
		return false, errNotUTF8
	}
	return true, nil
}

// readFrame reads one frame and unmasks it. A frame over the limit is refused by its header alone.
func readFrame(r io.Reader, fragmented bool) (ws.Frame, error) {
	header, err := ws.ReadHeader(r)
	if err != nil {
		if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
			return ws.Frame{}, violation{codeProtocol, err.Error()}
		}
		return ws.Frame{}, err
	}
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(header, state); err != nil {
		return ws.Frame{}, violation{codeProtocol, err.Error()}
	}
	if header.Length > MaxFrame {
		return ws.Frame{}, errFrameTooBig
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return ws.Frame{}, err
	}
	ws.Cipher(payload, header.Mask, 0)
	return ws.Frame{Header: header, Payload: payload}, nil
}

// endingOf turns what stopped the reader into an ending; a broken connection has no code of its own.
func endingOf(err error) ending {
	var v violation
	if errors.As(err, &v) {
		return ending(v)
	}
	return ending{codeAbnormal, reasonAbnormal}
}

// closedByClient reads a close frame. The answer repeats the client's code, as RFC 6455 suggests.
func closedByClient(payload []byte) ending {
	if len(payload) == 0 {
		return ending{codeNoStatus, reasonNoStatus}
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if err := ws.CheckCloseFrameData(code, reason); err != nil {
		return ending{codeProtocol, err.Error()}
	}
	return ending{int(code), reason}
}
