package check_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// desk grants in one app.
type desk struct {
	*testing.T
	store *accessdb.Store
	app   id.App
}

// decide gives the app roles, and grants to its second key and to cy: for good, until a time, in a group, and denials, of
// which some have been revoked and one has ended.
func decide(t *testing.T, db *dynamodb.Client, tables map[string]string, app id.App) {
	d := desk{t, &accessdb.Store{DB: db, Keys: tables["TABLE_KEYS"], Users: tables["TABLE_USERS"], Grants: tables["TABLE_GRANTS"],
		Records: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}}, app}
	book := access.Book{Version: 1, Roles: []access.Role{{ID: "role_0123456789", Name: "support"}}, Defaults: []authz.Role{authz.Member}}
	storetest.OK(t, "SetBook", d.store.SetBook(t.Context(), access.Grantor{}, app, book, d.note()))
	storetest.OK(t, "Align", d.store.Align(t.Context(), app, book.Policy(), time.Now()))
	keys, _, err := d.store.Subjects(t.Context(), app, "", 100)
	storetest.OK(t, "Subjects", err)
	cy, err := (&userdb.Store{DB: db, Table: tables["TABLE_USERS"]}).ByName(t.Context(), app, "cy", true)
	storetest.OK(t, "ByName", err)
	for _, key := range keys {
		if key.Name == "second" {
			d.grant(key.ID, authz.Statement{Role: authz.Auditor, Until: time.Now().Add(time.Hour)})
			d.grant(key.ID, authz.Statement{Deny: true, Set: authz.SetOf(authz.UsersList), Group: "g_0000000000000000000000"})
			d.revoke(d.grant(key.ID, authz.Statement{Role: authz.Bot}))
		}
	}
	d.grant(string(cy), authz.Statement{Role: "role_0123456789"})
	d.grant(string(cy), authz.Statement{Role: authz.Moderator, Until: time.Now().Add(-time.Second)})
}

func (d desk) note() record.Record {
	return record.New(record.OfApp(d.app), time.Now(), record.Origin{}, record.GrantCreated, "it", nil, nil)
}

func (d desk) grant(subject string, statement authz.Statement) access.Grant {
	statement.Grant = id.Source{}.Grant()
	was, err := d.store.Subject(d.Context(), d.app, subject)
	storetest.OK(d, "Subject", err)
	made, err := d.store.Put(d.Context(), access.Grantor{}, access.Grant{ID: statement.Grant, App: d.app, Subject: subject, Statement: statement,
		CreatedAt: time.Now()}, was, append(was.Rights.Statements, statement), d.note())
	storetest.OK(d, "Put", err)
	return made
}

// revoke takes the subject's last grant.
func (d desk) revoke(grant access.Grant) {
	was, err := d.store.Subject(d.Context(), d.app, grant.Subject)
	storetest.OK(d, "Subject", err)
	grant.RevokedAt, grant.RevokedBy = time.Now(), "somebody"
	statements := was.Rights.Statements
	_, err = d.store.Revoke(d.Context(), access.Grantor{}, grant, was, statements[:len(statements)-1], d.note())
	storetest.OK(d, "Revoke", err)
}

// Items of a world's grants.
var (
	limited  = is("role", "auditor")
	denial   = has("group", "g_")
	taken    = is("role", "bot")
	ofUser   = is("role", "role_0123456789")
	marked   = has("sk", "subject#")
	book     = is("sk", "policy")
	grantee  = is("name", "second")
	cyRow    = is("username", "cy")
	yes      = &types.AttributeValueMemberBOOL{Value: true}
	outdated = &types.AttributeValueMemberM{Value: table.Item{"v": table.N(0)}}
)

// elsewhere is a subject of another app.
const elsewhere = "app_0000000000000000#u_0000000000000000000000"

// grantDamages are what can befall the grants and the roles of an app.
var grantDamages = map[string]damage{
	"a lost grant":                         {drop("GRANTS", limited), only(check.Grant)},
	"a lost denial":                        {drop("GRANTS", denial), only(check.Grant)},
	"a lost grant of a user":               {drop("GRANTS", ofUser), only(check.Grant)},
	"a grant of another role":              {set("GRANTS", limited, "role", table.S("owner")), only(check.Grant)},
	"a grant for longer":                   {set("GRANTS", limited, "until", table.N(time.Now().Add(2*time.Hour).UnixMilli())), only(check.Grant)},
	"a grant for good":                     {unset("GRANTS", limited, "until"), only(check.Grant)},
	"a denial of something else":           {set("GRANTS", denial, "permissions", table.N(1)), only(check.Grant)},
	"a denial in another group":            {set("GRANTS", denial, "group", table.S("g_0000000000000000000001")), only(check.Grant)},
	"a denial that allows":                 {unset("GRANTS", denial, "deny"), only(check.Grant)},
	"a grant that denies":                  {set("GRANTS", limited, "deny", yes), only(check.Grant)},
	"a grant revoked in its row only":      {set("GRANTS", limited, "revoked_at", table.N(1)), only(check.Grant)},
	"a revocation in the key only":         {unset("GRANTS", taken, "revoked_at"), only(check.Grant)},
	"a grant of another subject":           {giveAway, only(check.Grant)},
	"a grant of a subject in another app":  {set("GRANTS", ofUser, "subject", table.S(elsewhere)), only(check.Unreadable, check.Grant)},
	"a grant to nobody":                    {set("GRANTS", ofUser, "sk", table.S("gr_1")), only(check.Unreadable, check.Grant)},
	"a key that has lost its statements":   {unset("KEYS", grantee, "grants"), only(check.Grant)},
	"a user that has lost its statements":  {unset("USERS", cyRow, "grants"), only(check.Grant)},
	"a key with the statements of another": {borrow, only(check.Grant)},
	"a user whom no review lists":          {drop("GRANTS", marked), only(check.Grant)},
	"a key that a policy has not reached":  {set("KEYS", grantee, "policy", outdated), only(check.Policy)},
	"a key with a policy of the future":    {ahead, only(check.Policy)},
	"a lost book":                          {drop("KEYS", book), only(check.Policy)},
	"a book with another policy":           {set("KEYS", book, "v", table.N(2)), only(check.Policy)},
}

// giveAway names cy as whom a grant of the key's is for.
func giveAway(t *testing.T, all items) {
	rows := all["GRANTS"]
	rows[where(t, rows, limited)]["subject"] = rows[where(t, rows, ofUser)]["subject"]
}

// borrow has the bootstrap key do what was granted to the second.
func borrow(t *testing.T, all items) {
	rows := all["KEYS"]
	rows[where(t, rows, both(is("name", "bootstrap"), has("sk", "key_")))]["grants"] = rows[where(t, rows, grantee)]["grants"]
}

// ahead takes the book back to before its change.
func ahead(t *testing.T, all items) {
	row := all["KEYS"][where(t, all["KEYS"], book)]
	row["v"], row["policy"] = table.N(0), outdated
}

func TestDamageOfGrantsIsFound(t *testing.T) { findAll(t, grantDamages) }

// What has ended counts for nothing, whether its row and its statement are still there or not.
func TestEndedGrantsAreNoProblem(t *testing.T) {
	all, wrapper := world(t)
	drop("GRANTS", is("role", "moderator"))(t, all)
	past := table.N(time.Now().Add(-time.Minute).UnixMilli())
	set("KEYS", grantee, "expires_at", past)(t, all)
	set("KEYS", grantee, "policy", outdated)(t, all)
	report, err := check.Run(t.Context(), all, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 0 {
		t.Errorf("problems: %v", report.Problems)
	}
}
