// Package cursor makes the opaque cursors that lists page by.
//
// A cursor carries a position and a MAC over the position and the list it belongs to. So a cursor of one user's list
// opens no other list, a changed one is refused, and nothing about it has to be stored.
package cursor

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

const tagLength = 32 // HMAC-SHA256

// maxLength bounds a cursor before it is decoded; ours are far shorter.
const maxLength = 512

var encoding = base64.RawURLEncoding.Strict()

// Signer makes and checks the MAC. seal.Keyring is one.
type Signer interface {
	MAC(ctx context.Context, app id.App, purpose seal.Purpose, data []byte) (number uint32, tag []byte, err error)
	VerifyMAC(ctx context.Context, app id.App, purpose seal.Purpose, number uint32, data, tag []byte) (bool, error)
}

// Encode returns the cursor for the position in the app's list; an empty position is the end, and its cursor is "".
func Encode(ctx context.Context, signer Signer, app id.App, list, position string) (string, error) {
	if position == "" {
		return "", nil
	}
	number, tag, err := signer.MAC(ctx, app, seal.Cursor, bind(list, position))
	if err != nil {
		return "", err
	}
	raw := binary.BigEndian.AppendUint32(nil, number)
	raw = append(raw, tag...)
	return encoding.EncodeToString(append(raw, position...)), nil
}

// Decode returns the position that Encode was given for the same app and list. The empty cursor is the beginning, "".
// Anything else is fault.CursorInvalid.
func Decode(ctx context.Context, signer Signer, app id.App, list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	if len(cursor) > maxLength || strings.ContainsAny(cursor, "\r\n") { // the decoder would skip line breaks
		return "", fault.New(fault.CursorInvalid)
	}
	raw, err := encoding.DecodeString(cursor)
	if err != nil || len(raw) < 4+tagLength {
		return "", fault.New(fault.CursorInvalid)
	}
	number, tag, position := binary.BigEndian.Uint32(raw), raw[4:4+tagLength], string(raw[4+tagLength:])
	genuine, err := signer.VerifyMAC(ctx, app, seal.Cursor, number, bind(list, position), tag)
	if err != nil {
		return "", err
	}
	if !genuine {
		return "", fault.New(fault.CursorInvalid)
	}
	return position, nil
}

// bind joins list and position so that neither can lend the other a character.
func bind(list, position string) []byte {
	data := binary.BigEndian.AppendUint32(nil, uint32(len(list)))
	return append(append(data, list...), position...)
}
