package totp_test

import (
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/totp"
)

// A code is good once: its step is stored, and only a greater one is accepted after it.
func ExampleStep() {
	now, last := time.Unix(1111111111, 0), int64(0)
	for _, code := range []string{"050 471", "050471"} {
		step, ok := totp.Step(rfcSecret, code, now)
		fmt.Println(ok && step > last)
		last = step
	}
	// Output:
	// true
	// false
}

func ExampleURI() {
	fmt.Println(totp.URI(rfcSecret, "ann@example.com"))
	// Output:
	// otpauth://totp/TokenIM:ann@example.com?algorithm=SHA1&digits=6&issuer=TokenIM&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ <nil>
}
