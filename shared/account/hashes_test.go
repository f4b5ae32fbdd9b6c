package account_test

import (
	"runtime"
	"testing"

	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// hashMemory is what one hash of a password takes: nothing else here takes nearly as much at once.
const hashMemory = 19456 << 10

// hashed returns how many passwords the call hashes, by the memory that it takes.
func hashed(do func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) / hashMemory)
}

// The way of counting is right.
func TestHashesAreCounted(t *testing.T) {
	for want := range 4 {
		got := hashed(func() {
			for range want {
				_, err := password.Verify(t.Context(), password.Dummy(), wrong)
				storetest.OK(t, "Verify", err)
			}
		})
		if got != want {
			t.Errorf("%d hashes counted as %d", want, got)
		}
	}
}
