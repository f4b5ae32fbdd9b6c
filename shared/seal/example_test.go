package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
)

// A text opens at its own place, and nowhere else.
func ExampleKeyring() {
	wrapper, err := seal.NewKeyFile(bytes.Repeat([]byte{7}, 32)) // on AWS: sealkms.FromEnvironment
	if err != nil {
		panic(err)
	}
	keyring := seal.NewKeyring(sealtest.NewStore(), wrapper, clock.System{})
	ctx, app := context.Background(), id.StoredApp("app_exampleApp000000")
	place := seal.Place{Conversation: "c_0000000000000000000001", Sequence: 1, Sender: "u_0000000000000000000ann"}

	sealed, err := keyring.Seal(ctx, app, place, []byte("hello"))
	fmt.Println(len(sealed), err)
	text, err := keyring.Open(ctx, app, place, sealed)
	fmt.Println(string(text), err)
	place.Sequence = 2
	_, err = keyring.Open(ctx, app, place, sealed)
	fmt.Println(errors.Is(err, seal.ErrOpen))
	// Output:
	// 38 <nil>
	// hello <nil>
	// true
}
