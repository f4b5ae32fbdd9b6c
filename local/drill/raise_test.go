package main

import (
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const (
	clubKey   = "app_0000000000000000#g_0000000000000000000000"
	calmKey   = "app_0000000000000000#g_0000000000000000000001"
	strayKey  = "app_0000000000000000#g_0000000000000000000002"
	pairLog   = "app_0000000000000000#c_0000000000000000000000"
	someoneID = "u_0000000000000000000000"
)

// Counters go up to what was given out, to a message or to a client ID, and never down.
func TestCountersAreRaised(t *testing.T) {
	db, variables := enginetest.Start(t)
	tables := backup.Tables{DB: db, Physical: map[string]string{}, PageItems: 2}
	for variable, name := range variables {
		tables.Physical[strings.TrimPrefix(variable, "TABLE_")] = name
	}
	put := func(name string, item table.Item) {
		storetest.OK(t, "put", table.Put(t.Context(), db, tables.Physical[name], item, "", nil, nil))
	}
	entry := func(key string, number, ordinal int64) {
		put("MESSAGES", table.Item{"pk": table.S(key), "seq": table.N(number), "lo": table.N(ordinal)})
	}
	claim := func(log string, number, ordinal int64) {
		put("SENDS", table.Item{"pk": table.S(log + "#" + someoneID + "#c#1"), "from": table.N(number), "ord": table.N(ordinal)})
	}
	counter := func(key string, number, ordinal int64) {
		put("GROUPS", table.Item{"pk": table.S(key), "sk": table.S("N"), "seq": table.N(number), "ord": table.N(ordinal)})
	}
	for number := range int64(5) { // the last is a void, and counts no message
		entry(clubKey, number+1, min(number, 3))
	}
	entry(calmKey, 1, 0)
	entry(pairLog, 9, 9)
	entry(strayKey, 9, 9) // without counter
	claim(clubKey, 7, 4)
	claim(pairLog, 99, 0)
	counter(clubKey, 3, 2)
	put("GROUPS", table.Item{"pk": table.S(clubKey), "sk": table.S("G"), "version": table.N(1)})
	counter(calmKey, 6, 5)
	for again, want := range []int{1, 0} {
		raised, err := raise(t.Context(), tables)
		storetest.OK(t, "raise", err)
		if raised != want {
			t.Errorf("time %d: %d counters", again, raised)
		}
	}
	for key, want := range map[string]counted{clubKey: {Sequence: 7, Ordinal: 4}, calmKey: {Sequence: 6, Ordinal: 5}} {
		var is counted
		_, err := table.Get(t.Context(), db, tables.Physical["GROUPS"], table.Key(key, "N"), true, &is)
		storetest.OK(t, "get", err)
		if is.Sequence != want.Sequence || is.Ordinal != want.Ordinal {
			t.Errorf("%s: %+v, want %+v", key, is, want)
		}
	}
	var stray counted
	if found, _ := table.Get(t.Context(), db, tables.Physical["GROUPS"], table.Key(strayKey, "N"), true, &stray); found {
		t.Error("a counter came to be")
	}
}
