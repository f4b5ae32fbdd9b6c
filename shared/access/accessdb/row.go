package accessdb

import (
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// row is a grant.
type row struct {
	App string `dynamodbav:"pk"`
	ID  string `dynamodbav:"sk"`
	// Subject is the partition in the index by_subject.
	Subject     string    `dynamodbav:"subject"`
	Deny        bool      `dynamodbav:"deny,omitempty"`
	Role        string    `dynamodbav:"role,omitempty"`
	Set         authz.Set `dynamodbav:"permissions,omitempty"`
	Group       string    `dynamodbav:"group,omitempty"`
	Until       int64     `dynamodbav:"until,omitempty"`
	CreatedAt   int64     `dynamodbav:"created_at"`
	CreatedBy   string    `dynamodbav:"created_by,omitempty"`
	Reason      string    `dynamodbav:"reason,omitempty"`
	Fingerprint string    `dynamodbav:"fingerprint,omitempty"`
	RevokedAt   int64     `dynamodbav:"revoked_at,omitempty"`
	RevokedBy   string    `dynamodbav:"revoked_by,omitempty"`
	Sweep       int64     `dynamodbav:"ttl,omitempty"` // TTL, seconds
}

// marker says that a user has or had grants. It has no subject, and so is not in the index.
type marker struct {
	App  string `dynamodbav:"pk"`
	Sort string `dynamodbav:"sk"`
}

// Where things stand among an app's grants: every grant's ID is between grantLow and grantHigh, every marker's sort key
// between markerPrefix and markerHigh. "`" comes behind "_", "$" behind "#".
const (
	grantLow     = "gr_"
	grantHigh    = "gr`"
	markerPrefix = "subject#"
	markerHigh   = "subject$"
)

func grantKey(app id.App, grant id.Grant) table.Item { return table.Key(app.String(), string(grant)) }

// subjectKey is the partition of a subject in the index by_subject.
func subjectKey(app id.App, subject string) string { return app.String() + "#" + subject }

func rowOf(g access.Grant) row {
	return row{App: g.App.String(), ID: string(g.ID), Subject: subjectKey(g.App, g.Subject), Deny: g.Statement.Deny,
		Role: string(g.Statement.Role), Set: g.Statement.Set, Group: string(g.Statement.Group), Until: table.Millis(g.Statement.Until),
		CreatedAt: table.Millis(g.CreatedAt), CreatedBy: g.CreatedBy, Reason: g.Reason, Fingerprint: g.Fingerprint,
		RevokedAt: table.Millis(g.RevokedAt), RevokedBy: g.RevokedBy, Sweep: sweepAt(g.KeptUntil())}
}

func (r row) grant() access.Grant {
	app := id.StoredApp(r.App)
	return access.Grant{ID: id.Grant(r.ID), App: app, Subject: r.Subject[min(len(r.Subject), len(subjectKey(app, ""))):],
		Statement: authz.Statement{Grant: id.Grant(r.ID), Deny: r.Deny, Role: authz.Role(r.Role), Set: r.Set,
			Group: id.Group(r.Group), Until: table.Instant(r.Until)},
		CreatedAt: table.Instant(r.CreatedAt), CreatedBy: r.CreatedBy, Reason: r.Reason, Fingerprint: r.Fingerprint,
		RevokedAt: table.Instant(r.RevokedAt), RevokedBy: r.RevokedBy}
}

// sweepAt is the time in whole seconds from which the database may delete what is kept until the time: not before it.
func sweepAt(until time.Time) int64 { return (table.Millis(until) + 999) / 1000 }
