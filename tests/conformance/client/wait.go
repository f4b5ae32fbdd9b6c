package client

import (
	"testing"
	"time"
)

// look is the pause between two looks at a condition that nothing announces.
const look = 20 * time.Millisecond

// WaitFor waits until the condition holds and fails the test where it does not within the limit.
func WaitFor(t *testing.T, what string, limit time.Duration, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s in vain for %s", limit, what)
		case <-ticker.C:
		}
	}
}
