package table_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/table"
)

func TestTimes(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("CET", 3600))
	for millis, test := range map[int64]struct{ written, read time.Time }{
		0:                 {time.Time{}, time.Time{}},
		noon.UnixMilli():  {noon, noon.UTC().Truncate(time.Millisecond)},
		-86_400_000:       {time.Unix(-86_400, 0), time.Unix(-86_400, 0).UTC()},
		1_772_323_200_000: {time.UnixMilli(1_772_323_200_000), time.UnixMilli(1_772_323_200_000).UTC()},
	} {
		if got := table.Millis(test.written); got != millis {
			t.Errorf("Millis(%v) = %d, want %d", test.written, got, millis)
		}
		if got := table.Instant(millis); got != test.read {
			t.Errorf("Instant(%d) = %v, want %v", millis, got, test.read)
		}
	}
}
