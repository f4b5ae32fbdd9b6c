// Package check looks whether a set of tables is one that TokenIM could have written: what every restore is judged by.
//
//	report, err := check.Run(ctx, backup.Folder("backup"), wrapper)
//	for _, problem := range report.Problems { … }
//
// It reads the items by itself, not through the stores, so that a store's mistake is not made again by its checker.
package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table"
)

// Kind is what a problem breaks.
type Kind string

// The kinds of problems.
const (
	Unreadable  Kind = "unreadable"   // an item that has not the form of its table
	DataKey     Kind = "data key"     // a data key that does not unwrap, or a hole in an app's numbers
	Key         Kind = "key"          // an API key without its app or its maker, or with unknown scopes
	Name        Kind = "name"         // a name and a profile that do not name each other
	Routing     Kind = "routing"      // a user without routing record, or a record that contradicts itself or the logs
	Gap         Kind = "gap"          // a log that does not count 1, 2, 3 …
	Pair        Kind = "pair"         // an entry or a row in a conversation that is not its users'
	Ordinal     Kind = "ordinal"      // an entry whose ordinals do not follow from the one before
	Sealed      Kind = "sealed"       // an entry whose text does not open at its place
	Member      Kind = "member"       // a conversation without the row of one of its users
	Mark        Kind = "mark"         // a mark beyond the end of the log
	ReadOrdinal Kind = "read ordinal" // a read mark with another ordinal than the entry that it stands at
	Claim       Kind = "claim"        // a client-ID record of no conversation, or ahead of its log
)

// Problem is one broken invariant.
type Problem struct {
	Kind Kind
	// Where names the item, What says what is wrong with it. Neither has message text or secrets.
	Where, What string
}

// String is the problem in one line.
func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Kind, p.Where, p.What) }

// Report is what Run found.
type Report struct {
	// What there is: counts of items, and of the logs' conversations.
	Apps, APIKeys, DataKeys, Users, Conversations, Entries, Members, Claims, Sockets, Tickets int
	// Problems are the broken invariants, by kind and place.
	Problems []Problem
}

// Of returns how many problems are of the kind.
func (r *Report) Of(kind Kind) int {
	count := 0
	for _, problem := range r.Problems {
		if problem.Kind == kind {
			count++
		}
	}
	return count
}

// String is the report's counts in one line.
func (r *Report) String() string {
	return fmt.Sprintf("%d apps, %d API keys, %d data keys, %d users, %d conversations with %d entries, %d membership rows, %d client-ID records, %d sockets, %d tickets: %d problems",
		r.Apps, r.APIKeys, r.DataKeys, r.Users, r.Conversations, r.Entries, r.Members, r.Claims, r.Sockets, r.Tickets, len(r.Problems))
}

// Run reads every table once and checks each invariant. The wrapper unwraps the data keys: KMS, or a key file. The error
// is about reading; what is wrong with what was read is in the report. Some 100 bytes an entry stay in memory.
func Run(ctx context.Context, source backup.Source, wrapper seal.Wrapper) (*Report, error) {
	c := &checker{source: source, report: &Report{}, dataKeys: keyStore{}, apps: map[id.App]bool{}, keys: map[id.Key]bool{},
		profiles: map[member]userRow{}, names: map[appName]userRow{}, logs: map[place]*log{}, rows: map[rowKey]membership{},
		records: map[member]record{}}
	c.keyring = seal.NewKeyring(c.dataKeys, wrapper, clock.System{})
	for _, step := range []func(context.Context) error{
		c.readDataKeys, c.readKeys, c.readUsers, c.readLogs, c.readMembers, c.readClaims, c.readConnections,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	c.checkUsers()
	c.checkLogs()
	c.checkMembers()
	c.checkRecords()
	slices.SortFunc(c.report.Problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return c.report, nil
}

// checker is a run's state: what was read, as far as other checks need it.
type checker struct {
	source   backup.Source
	report   *Report
	keyring  *seal.Keyring
	dataKeys keyStore
	apps     map[id.App]bool
	keys     map[id.Key]bool
	profiles map[member]userRow
	names    map[appName]userRow
	logs     map[place]*log
	rows     map[rowKey]membership
	records  map[member]record
}

// member is a user of an app, place a conversation of one, rowKey a user's row of one.
type (
	member struct {
		app  id.App
		user id.User
	}
	appName struct {
		app  id.App
		name string
	}
	place struct {
		app          id.App
		conversation id.Conversation
	}
	rowKey struct {
		member
		conversation id.Conversation
	}
)

func (c *checker) problem(kind Kind, where, what string, args ...any) {
	c.report.Problems = append(c.report.Problems, Problem{Kind: kind, Where: where, What: fmt.Sprintf(what, args...)})
}

// each decodes every item of a table into a T and visits it.
func each[T any](ctx context.Context, c *checker, name string, visit func(T) error) error {
	for item, err := range c.source.Items(ctx, name) {
		if err != nil {
			return err
		}
		var row T
		if err := table.Decode(item, &row); err != nil {
			c.problem(Unreadable, name, "%v", err)
			continue
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	return nil
}
