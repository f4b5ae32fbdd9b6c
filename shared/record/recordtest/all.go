package recordtest

import (
	"context"
	"testing"

	"github.com/tokenim/tokenim/shared/record"
)

// chains is what All needs of a record.Store.
type chains interface {
	Chain(ctx context.Context, log record.Log, chain int, after int64, limit int) ([]record.Entry, error)
}

// All returns the records of the log, chain by chain: for suites of stores that record what they change. They are few.
func All(t testing.TB, logs chains, log record.Log) []record.Record {
	t.Helper()
	const most = 1000
	var all []record.Record
	for chain := range record.Chains {
		entries, err := logs.Chain(t.Context(), log, chain, 0, most)
		if err != nil || len(entries) == most {
			t.Fatalf("Chain: %d records, %v", len(entries), err)
		}
		for _, entry := range entries {
			all = append(all, entry.Record)
		}
	}
	return all
}
