package table

import "time"

// Millis is a time as rows keep it: milliseconds since 1970, and 0 for the zero time, which stands for never.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Instant is the time, in UTC, that Millis has written.
func Instant(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
