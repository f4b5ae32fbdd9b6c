package storetest

import (
	"math"
	"math/rand/v2"
	"sync"
)

// AnyAge lets a weak read see states of any age: DynamoDB documents no bound.
const AnyAge = math.MaxInt64

// Staleness says how old the states are that reads see which are not strongly consistent. The zero value means: none.
type Staleness struct {
	// Seed decides everything: the same calls in the same order see the same states.
	Seed uint64
	// Lag is how many of the table's last writes a weak read may miss.
	Lag int64
}

// Table is a DynamoDB table in memory. One mutex makes every method atomic. Rows are values: whoever puts a slice or a
// map into one must not change it afterwards.
//
// With a Staleness, a weak read sees each row as it was at a time of its own, so a page is not a snapshot: of two rows
// the later one may show and the earlier one not yet.
type Table[K comparable, V any] struct {
	mutex  sync.Mutex
	rows   map[K][]version[V]
	writes int64
	lag    int64
	random *rand.Rand
	order  []K
}

// version is what a row was from its write until the next.
type version[V any] struct {
	at      int64
	row     V
	deleted bool
}

// NewTable returns an empty table.
func NewTable[K comparable, V any](stale Staleness) *Table[K, V] {
	return &Table[K, V]{rows: map[K][]version[V]{}, lag: stale.Lag, random: rand.New(rand.NewPCG(stale.Seed, 0))}
}

// Get returns the row; false where there is none.
func (t *Table[K, V]) Get(key K, strong bool) (V, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.see(key, strong)
}

// Do lets decide see the row as it is now; where it says write, its row replaces that. Do returns the row after that,
// and whether there is one.
func (t *Table[K, V]) Do(key K, decide func(now V, exists bool) (next V, write bool)) (after V, exists bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	now, exists := t.see(key, true)
	next, write := decide(now, exists)
	if !write {
		return now, exists
	}
	t.write(key, version[V]{row: next})
	return next, true
}

// Insert puts the row where there is none, else returns the standing one and false.
func (t *Table[K, V]) Insert(key K, row V) (standing V, inserted bool) {
	standing, _ = t.Do(key, func(_ V, exists bool) (V, bool) {
		inserted = !exists
		return row, inserted
	})
	return standing, inserted
}

// Put puts the row, whatever stands there.
func (t *Table[K, V]) Put(key K, row V) {
	t.Do(key, func(V, bool) (V, bool) { return row, true })
}

// Delete removes the row.
func (t *Table[K, V]) Delete(key K) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.write(key, version[V]{deleted: true})
}

// DeleteIf removes the row if it may. It returns whether there was one, and whether it was removed.
func (t *Table[K, V]) DeleteIf(key K, may func(V) bool) (existed, removed bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	now, exists := t.see(key, true)
	if !exists || !may(now) {
		return exists, false
	}
	t.write(key, version[V]{deleted: true})
	return true, true
}

// Select returns the rows whose keys match, in the order in which the keys first came.
func (t *Table[K, V]) Select(strong bool, match func(K) bool) []V {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var rows []V
	for _, key := range t.order {
		if !match(key) {
			continue
		}
		if row, ok := t.see(key, strong); ok {
			rows = append(rows, row)
		}
	}
	return rows
}

// Settle makes everything written so far visible to every read.
func (t *Table[K, V]) Settle() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for key, versions := range t.rows {
		last := versions[len(versions)-1]
		last.at = 0
		t.rows[key] = []version[V]{last}
	}
}

func (t *Table[K, V]) write(key K, next version[V]) {
	t.writes++
	next.at = t.writes
	if _, known := t.rows[key]; !known {
		t.order = append(t.order, key)
	}
	t.rows[key] = append(t.rows[key], next)
}

// see returns the row as a read sees it: as of now, or as of some earlier write.
func (t *Table[K, V]) see(key K, strong bool) (V, bool) {
	asOf := t.writes
	if !strong && t.lag > 0 {
		asOf -= t.random.Int64N(min(t.lag, t.writes) + 1)
	}
	versions := t.rows[key]
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].at <= asOf {
			return versions[i].row, !versions[i].deleted
		}
	}
	var none V
	return none, false
}
