// Package recordtest has what tests of records share: logs in memory, which the memory stores of other packages write to,
// and the suite that every store passes.
package recordtest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/tokenim/tokenim/shared/record"
)

// Logs keeps logs in memory. It implements record.Store.
type Logs struct {
	mutex  sync.Mutex
	chains map[place]*chain
	turn   int
}

var _ record.Store = (*Logs)(nil)

type place struct {
	log   record.Log
	chain int
}

type chain struct {
	head    record.Head
	entries []record.Entry
}

// NewLogs returns logs without records.
func NewLogs() *Logs { return &Logs{chains: map[place]*chain{}} }

// Add adds the records, which are of one log, to one of its chains. Memory stores of other packages call it where a
// transaction would write them: once it is sure that their own change is made. Records of two logs, which no transaction
// would take, are a defect of the caller.
func (l *Logs) Add(records ...record.Record) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.turn++
	if slices.ContainsFunc(records, func(r record.Record) bool { return r.Log != records[0].Log }) {
		panic("recordtest: records of two logs")
	}
	for _, each := range records {
		at := place{each.Log, l.turn % record.Chains}
		if l.chains[at] == nil {
			l.chains[at] = &chain{}
		}
		c := l.chains[at]
		_, text, head := c.head.Append(each, at.chain)
		entry, err := record.Decode(text)
		if err != nil {
			panic(err) // Append wrote it
		}
		entry.Place, entry.Listed = head.Seq, true
		c.entries, c.head = append(c.entries, entry), head
	}
}

// Append implements record.Store.
func (l *Logs) Append(_ context.Context, r record.Record) error {
	l.Add(r)
	return nil
}

// Head implements record.Store.
func (l *Logs) Head(_ context.Context, log record.Log, number int) (record.Head, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if c := l.chains[place{log, number}]; c != nil {
		return c.head, nil
	}
	return record.Head{}, nil
}

// Chain implements record.Store.
func (l *Logs) Chain(_ context.Context, log record.Log, number int, after int64, limit int) ([]record.Entry, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	c := l.chains[place{log, number}]
	if c == nil {
		return nil, nil
	}
	all := c.entries[min(int(after), len(c.entries)):]
	return slices.Clone(all[:min(limit, len(all))]), nil
}

// All returns the records of the log, oldest first, for tests that look at what was recorded.
func (l *Logs) All(log record.Log) []record.Record {
	var all []record.Record
	for _, each := range l.sorted(log) {
		all = append(all, each.Record)
	}
	return all
}

func (l *Logs) sorted(log record.Log) []record.Entry {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	var all []record.Entry
	for number := range record.Chains {
		if c := l.chains[place{log, number}]; c != nil {
			all = append(all, c.entries...)
		}
	}
	slices.SortFunc(all, func(a, b record.Entry) int { return strings.Compare(a.Position(), b.Position()) })
	return all
}

// List implements record.Store.
func (l *Logs) List(_ context.Context, log record.Log, filter record.Filter, oldestFirst bool, position string, limit int) (entries []record.Entry, next string, err error) {
	all := l.sorted(log)
	if !oldestFirst {
		slices.Reverse(all)
	}
	read := 0
	for _, each := range all {
		at := each.Position()
		if position != "" && (oldestFirst && at <= position || !oldestFirst && at >= position) {
			continue
		}
		read++
		if filter.Matches(each.Record) {
			entries = append(entries, each)
		}
		if len(entries) == limit || read == record.MostRead {
			return entries, at, nil
		}
	}
	return entries, "", nil
}
