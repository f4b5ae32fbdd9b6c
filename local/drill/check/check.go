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
	Key         Kind = "key"          // an API key without its app or maker, with unknown scopes, or out of step with its app or rotation
	App         Kind = "app"          // an app that its account or its deletion contradicts, or what an erased one has left
	Login       Kind = "login"        // an address and a developer that do not name each other, or a link to nobody
	Factor      Kind = "factor"       // a second factor that does not open at its place, or is nobody's
	Session     Kind = "session"      // a session of nobody, or ahead of its developer's epoch
	Team        Kind = "team"         // a member and an account that do not name each other, or a count that is not the rows'
	Grant       Kind = "grant"        // a grant that its subject's item contradicts, or a user of grants that nothing lists
	Policy      Kind = "policy"       // a key that has another policy than its app
	Task        Kind = "task"         // a deleted app without the task that erases it
	Record      Kind = "record"       // a chain of audit records that is broken, or is nobody's
	Name        Kind = "name"         // a name and a profile that do not name each other
	Routing     Kind = "routing"      // a user without routing record, or a record that contradicts itself or the logs
	Gap         Kind = "gap"          // a log that does not count 1, 2, 3 …; in a group, an entry that was there once
	Pair        Kind = "pair"         // an entry or a row in a conversation that is not its users'
	Ordinal     Kind = "ordinal"      // an entry whose ordinals do not follow from the one before
	Operation   Kind = "operation"    // a message that no entry says was changed, or reactions and pins that contradict the messages
	Sealed      Kind = "sealed"       // an entry whose text does not open at its place
	Member      Kind = "member"       // a conversation without the row of one of its users
	Mark        Kind = "mark"         // a mark beyond the end of the log
	ReadOrdinal Kind = "read ordinal" // a read mark with another ordinal than the entry that it stands at
	Removal     Kind = "removal"      // what a user has removed for itself, but has not read, or was not told of
	Claim       Kind = "claim"        // a client-ID record of no conversation, or ahead of its log, or at another's message of a group
	Group       Kind = "group"        // a group whose items, members and log contradict each other
	Media       Kind = "media"        // a media of nobody, or whose file name does not open at its place
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
	Apps, APIKeys, DataKeys, Users, Groups, Conversations, Entries, Members, Claims, Sockets, Tickets, Media int
	Developers, Accounts, Sessions, Tasks, Grants, Records                                                   int
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
	return fmt.Sprintf("%d developers, %d accounts, %d sessions, %d apps, %d API keys, %d grants, %d audit records, %d tasks, %d data keys, %d users, "+
		"%d groups, %d conversations with %d entries, %d membership rows, %d client-ID records, %d sockets, %d tickets, %d media: %d problems",
		r.Developers, r.Accounts, r.Sessions, r.Apps, r.APIKeys, r.Grants, r.Records, r.Tasks, r.DataKeys, r.Users,
		r.Groups, r.Conversations, r.Entries, r.Members, r.Claims, r.Sockets, r.Tickets, r.Media, len(r.Problems))
}

// Run reads every table once and checks each invariant. The wrapper unwraps the data keys: KMS, or a key file. The error
// is about reading; what is wrong with what was read is in the report. Some 100 bytes an entry stay in memory.
func Run(ctx context.Context, source backup.Source, wrapper seal.Wrapper) (*Report, error) {
	c := newChecker(source, wrapper)
	// The apps come first: what the others hold of an app that is being erased says nothing.
	for _, read := range []func(context.Context) error{
		c.readKeys, c.readDataKeys, c.readDevelopers, c.readAccounts, c.readTasks, c.readGrants, c.readAudit,
		c.readUsers, c.readGroups, c.readLogs, c.readMembers, c.readClaims, c.readConnections, c.readMedia,
	} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	for _, check := range []func(){
		c.checkApps, c.checkKeys, c.checkDevelopers, c.checkAccounts, c.checkTeams, c.checkSessions,
		c.checkUsers, c.checkLogs, c.checkGroupLogs, c.checkOperations, c.checkMembers, c.checkRemovals, c.checkGroups, c.checkGroupClaims, c.checkRecords, c.checkAudit, c.checkGrants, c.checkPolicies,
	} {
		check()
	}
	slices.SortFunc(c.report.Problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return c.report, nil
}

// checker is a run's state: what was read, as far as other checks need it.
type checker struct {
	source   backup.Source
	report   *Report
	keyring  *seal.Keyring
	dataKeys keyStore
	apps     map[id.App]settings
	keys     map[id.Key]keyRow
	erasures map[id.App]bool // apps with a task that erases them
	books    map[id.App]keyRow
	grants   map[grantAt]grantRow
	marked   map[subject]bool // users who have or had grants

	developers  map[id.Developer]loginRow
	claims      map[string]loginRow // by the row's key
	offers      []loginRow          // links and second factors: what belongs to a developer
	accounts    map[id.Account]accountRow
	seats       map[seat]accountRow    // members
	seatsOf     map[seat]bool          // the same from the developers' side
	pointers    map[pointer]accountRow // apps in their accounts
	epochs      map[id.Developer]int64 // session epochs
	sessions    []accountRow
	invitations []accountRow

	profiles    map[member]userRow
	shown       map[member]userRow
	blocks      map[member][]userRow
	erased      map[member]userRow
	names       map[appName]userRow
	logs        map[place]*log      // of pairs
	groupLogs   map[place]*groupLog // of groups
	groups      map[place]*groupItems
	groupClaims []claimRow
	rows        map[rowKey]membership
	deleted     map[rowKey][]int64 // what users have deleted for themselves
	records     map[member]record
	operated    operated
	audit       map[string]*auditChain // by the partition's key
}

func newChecker(source backup.Source, wrapper seal.Wrapper) *checker {
	c := &checker{source: source, report: &Report{}, dataKeys: keyStore{}, apps: map[id.App]settings{}, keys: map[id.Key]keyRow{},
		erasures: map[id.App]bool{}, books: map[id.App]keyRow{}, grants: map[grantAt]grantRow{}, marked: map[subject]bool{},
		developers: map[id.Developer]loginRow{}, claims: map[string]loginRow{},
		accounts: map[id.Account]accountRow{}, seats: map[seat]accountRow{}, seatsOf: map[seat]bool{},
		pointers: map[pointer]accountRow{}, epochs: map[id.Developer]int64{},
		profiles: map[member]userRow{}, shown: map[member]userRow{}, blocks: map[member][]userRow{}, erased: map[member]userRow{}, names: map[appName]userRow{}, logs: map[place]*log{}, rows: map[rowKey]membership{}, deleted: map[rowKey][]int64{},
		groupLogs: map[place]*groupLog{}, groups: map[place]*groupItems{}, records: map[member]record{}, audit: map[string]*auditChain{},
		operated: operated{told: map[spot]bool{}, altered: map[spot]altered{}, counts: map[spot]map[string]int64{}}}
	c.keyring = seal.NewKeyring(c.dataKeys, wrapper, clock.System{})
	return c
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
