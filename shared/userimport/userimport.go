// Package userimport registers many users with one request: an import, whose rows a job works through. What became of each row
// can be read for seven days.
//
//	begun, err := service.Begin(ctx, app, userimport.Judge(candidates), idempotencyKey) // by the request
//	err = worker.Do(ctx, job)                                                          // by the queue, as often as it likes
//
// A row is decided once, in the transaction that registers its user, and then has nothing of the person any more. So a worker may
// die at any point, and any number of them may work on the same import.
package userimport

import (
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/user"
)

const (
	// MaxRows is how many rows an import has at most.
	MaxRows = 1000
	// Kept is how long an import is kept.
	Kept = 7 * 24 * time.Hour
)

// Import is an import and how far it has come.
type Import struct {
	ID  id.Import
	App id.App
	// Digest tells its rows from other rows, for requests that are repeated.
	Digest string
	// Total is the number of its rows. Registered and Refused count the first of them; the rest may be decided, and is not
	// counted yet.
	Total, Registered, Refused int
	// CreatedAt is when it was asked for, FinishedAt when the last of its rows was counted; zero until then.
	CreatedAt, FinishedAt time.Time
}

// Counted is how many of its rows are counted.
func (i Import) Counted() int { return i.Registered + i.Refused }

// Over tells whether the import is older than imports are kept, though DynamoDB may not have removed it yet.
func (i Import) Over(now time.Time) bool { return !now.Before(i.CreatedAt.Add(Kept)) }

// Outcome is what became of a row; the zero value: nothing yet.
type Outcome struct {
	// User is who was registered, "" for nobody.
	User id.User
	// Code is why nobody was, and Field the member of the row that is wrong: username, name, avatar, custom, or "".
	Code  fault.Code
	Field string
}

// Decided tells whether it is known what became of the row.
func (o Outcome) Decided() bool { return o != Outcome{} }

// Row is a row of an import.
type Row struct {
	// Number is its place, from 1.
	Number int
	// Name and Profile are what the user shall have; zero once the row is decided.
	Name    user.Name
	Profile profile.Profile
	Outcome
}

// Candidate is a row as a caller gives it.
type Candidate struct {
	Username string
	Wish     profile.Wish
	// Wrong is what is wrong with its form, nil for nothing.
	Wrong error
}

// members are what a row may have. What else a caller has put there is not repeated to anybody.
var members = map[string]bool{"username": true, "name": true, "avatar": true, "custom": true}

// Judge returns the rows of the candidates. Those that can never be registered are decided: what is wrong in itself, and names that
// a row before has, unless that is wrong itself.
func Judge(candidates []Candidate) []Row {
	rows, seen := make([]Row, len(candidates)), map[string]bool{}
	for i, candidate := range candidates {
		rows[i] = candidate.row(seen)
		rows[i].Number = i + 1
	}
	return rows
}

// row returns the row of the candidate, and adds its name to those that are seen.
func (c Candidate) row(seen map[string]bool) Row {
	if c.Wrong != nil {
		return refused(c.Wrong)
	}
	name, err := user.NewName(c.Username)
	if err != nil {
		return refused(err)
	}
	shows, wrong := c.Wish.Of(profile.Profile{})
	if len(wrong) > 0 {
		return refused(fault.Invalid(wrong...))
	}
	if seen[name.Compared] {
		return Row{Outcome: Outcome{Code: fault.UsernameDuplicate, Field: "username"}}
	}
	seen[name.Compared] = true
	return Row{Name: name, Profile: shows}
}

// refused returns the row that the error, a refusal, is the outcome of.
func refused(err error) Row {
	refusal := fault.Of(err)
	outcome := Outcome{Code: refusal.Code}
	if len(refusal.Fields) > 0 && members[refusal.Fields[0].Name] {
		outcome.Field = refusal.Fields[0].Name
	}
	return Row{Outcome: outcome}
}
