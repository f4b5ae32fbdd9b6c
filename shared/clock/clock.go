// Package clock is where TokenIM gets the time, so that tests can set it.
package clock

import "time"

// Clock tells the time. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
}

// System is the machine's clock.
type System struct{}

// Now returns the current time in UTC, to the millisecond: as finely as the tables keep it, so that a first answer and a
// repeated one, which is read from the table, are the same.
func (System) Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Func makes a Clock of a function, for tests.
type Func func() time.Time

// Now calls the function.
func (f Func) Now() time.Time { return f() }
