package check

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// statement is something granted or denied, as it is compiled into the item of a subject.
type statement struct {
	Grant string    `dynamodbav:"g"`
	Deny  bool      `dynamodbav:"d"`
	Role  string    `dynamodbav:"r"`
	Set   authz.Set `dynamodbav:"s"`
	Group string    `dynamodbav:"c"`
	Until int64     `dynamodbav:"u"`
}

// compiled are the attributes of a subject's item that grants are compiled into.
type compiled struct {
	Statements []statement `dynamodbav:"grants"`
	Changes    int64       `dynamodbav:"grants_version"`
}

// copied is what of an app's policy stands in each of its keys, and in the book itself.
type copied struct {
	Version int64 `dynamodbav:"v"`
}

// grantRow is an item of the table of grants: a grant, or the marker of a user who has or had some.
type grantRow struct {
	App       string    `dynamodbav:"pk"`
	Sort      string    `dynamodbav:"sk"`
	Subject   string    `dynamodbav:"subject"`
	Deny      bool      `dynamodbav:"deny"`
	Role      string    `dynamodbav:"role"`
	Set       authz.Set `dynamodbav:"permissions"`
	Group     string    `dynamodbav:"group"`
	Until     int64     `dynamodbav:"until"`
	RevokedAt int64     `dynamodbav:"revoked_at"`
}

// statement is what has to be compiled into the item of the grant's subject, as long as the grant holds.
func (r grantRow) statement() statement {
	return statement{Grant: r.Sort, Deny: r.Deny, Role: r.Role, Set: r.Set, Group: r.Group, Until: r.Until}
}

// of is the subject.
func (r grantRow) of() string { return strings.TrimPrefix(r.Subject, r.App+"#") }

// subject is a key or a user of an app, grantAt a grant of one.
type (
	subject struct {
		app id.App
		id  string
	}
	grantAt struct {
		app   id.App
		grant string
	}
)

// holds tells whether what ends at the time, 0 for never, has not ended. What has counts for nothing: whether its row or its
// statement is still there says nothing.
func holds(until int64) bool { return until == 0 || until > time.Now().UnixMilli() }

const markerPrefix = "subject#"

// readGrants reads the grants and the markers.
func (c *checker) readGrants(ctx context.Context) error {
	return each(ctx, c, "GRANTS", func(row grantRow) error {
		app, where := id.StoredApp(row.App), "GRANTS "+row.App+" "+row.Sort
		if c.leaves(app, where) {
			return nil
		}
		marked, isMarker := strings.CutPrefix(row.Sort, markerPrefix)
		isSubject := row.Subject == row.App+"#"+row.of() && (id.IsKey(row.of()) || id.IsUser(row.of()))
		switch {
		case id.IsApp(row.App) && isMarker && id.IsUser(marked):
			c.marked[subject{app, marked}] = true
		case id.IsApp(row.App) && id.IsGrant(row.Sort) && isSubject:
			c.report.Grants++
			c.grants[grantAt{app, row.Sort}] = row
		default:
			c.problem(Unreadable, where, "neither a grant to a subject of the app nor a user who has had one")
		}
		return nil
	})
}

// checkGrants matches the grants that hold and the statements of their subjects one to one.
func (c *checker) checkGrants() {
	subjects := map[subject]compiled{}
	for key, row := range c.keys {
		subjects[subject{key.App(), string(key)}] = row.compiled
	}
	for who, row := range c.profiles {
		at := subject{who.app, string(who.user)}
		subjects[at] = row.compiled
		if row.Changes > 0 && !c.marked[at] {
			c.problem(Grant, who.app.String()+" "+string(who.user), "has or had grants, and no review would list it")
		}
	}
	for at, row := range c.grants {
		if row.RevokedAt == 0 && holds(row.Until) && !slices.Contains(subjects[subject{at.app, row.of()}].Statements, row.statement()) {
			c.problem(Grant, at.app.String()+" "+at.grant, "does not count for %s as it stands", row.of())
		}
	}
	for at, has := range subjects {
		for _, one := range has.Statements {
			row, ok := c.grants[grantAt{at.app, one.Grant}]
			if holds(one.Until) && (!ok || row.of() != at.id || row.RevokedAt != 0 || row.statement() != one) {
				c.problem(Grant, at.app.String()+" "+at.id, "%s counts, which was not granted so", one.Grant)
			}
		}
	}
}

// checkPolicies checks that what an app has decided is in force: in every key that works.
func (c *checker) checkPolicies() {
	for app, book := range c.books {
		if book.Version != book.Policy.Version {
			c.problem(Policy, app.String(), "the book is version %d, its policy %d", book.Version, book.Policy.Version)
		}
	}
	for key, row := range c.keys {
		want := c.books[key.App()].Policy.Version
		if row.RevokedAt == 0 && holds(row.ExpiresAt) && row.Policy.Version != want {
			c.problem(Policy, row.ID, "has version %d of its app's policy, not %d", row.Policy.Version, want)
		}
	}
}
