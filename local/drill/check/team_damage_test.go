package check_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Items of a world's developers, accounts and apps.
var (
	annRow      = is("email", "ann@example.com")
	ann         = both(annRow, is("sk", "developer"))
	bob         = both(is("email", "bob@example.com"), is("sk", "developer"))
	factor      = is("sk", "factor")
	owned       = both(is("sk", "account"), is("owners", "1"))
	one         = both(owned, is("members", "2"))
	two         = both(owned, is("members", "1"))
	admin       = both(has("sk", "member#"), is("role", "admin"))
	session     = has("sk", "session#")
	epoch       = both(is("sk", "sessions"), is("epoch", "1"))
	deletedApp  = both(is("name", "deleted"), is("sk", "app"))
	deletedKey  = is("name", "of deleted")
	rotatedApp  = both(is("name", "rotated"), is("sk", "app"))
	oldKey      = has("rotated_to", "key_")
	newKey      = has("rotated_from", "key_")
	tombstone   = func(item table.Item) bool { return item["erased_at"] != nil }
	listed      = both(has("sk", "app#"), func(item table.Item) bool { return item["deleted_at"] == nil })
	listedAsOff = both(has("sk", "app#"), func(item table.Item) bool { return item["deleted_at"] != nil })
	erasing     = is("kind", "app_erase")
)

// stranger is a developer that no world has.
const stranger = "dev_0000000000000000000000"

// only are the kinds that tell of a damage.
func only(kinds ...check.Kind) []check.Kind { return kinds }

// teamDamages are what can befall the tables of developers, accounts, apps and tasks.
var teamDamages = map[string]damage{
	"a lost claim on an address":         {drop("DEVELOPERS", has("pk", "mail#")), only(check.Login)},
	"an address of another":              {set("DEVELOPERS", has("pk", "mail#"), "developer", table.S(stranger)), only(check.Login)},
	"a changed address":                  {set("DEVELOPERS", bob, "email", table.S("eve@example.com")), only(check.Login)},
	"an address that is none":            {set("DEVELOPERS", ann, "email", table.S("Ann@example.com")), lost(check.Unreadable)},
	"a password that is no hash":         {set("DEVELOPERS", ann, "password", table.S("secret")), lost(check.Unreadable)},
	"a lost developer":                   {drop("DEVELOPERS", ann), lost()},
	"a sign-up under another address":    {set("DEVELOPERS", has("pk", "pending#"), "email", table.S("cy@example.com")), only(check.Login)},
	"a link to nobody":                   {set("DEVELOPERS", is("action", "reset"), "developer", table.S(stranger)), only(check.Login)},
	"a link that does nothing":           {set("DEVELOPERS", is("action", "reset"), "action", table.S("erase")), only(check.Unreadable)},
	"a changed second factor":            {set("DEVELOPERS", factor, "secret", bytesOf(65)), only(check.Factor)},
	"a second factor of another":         {moveFactor, only(check.Factor)},
	"a short recovery code":              {set("DEVELOPERS", factor, "recovery", &types.AttributeValueMemberBS{Value: [][]byte{{1}}}), only(check.Unreadable)},
	"a lost data key of the platform":    {drop("DATA_KEYS", is("pk", id.Platform().String())), only(check.Factor)},
	"a lost member":                      {drop("ACCOUNTS", admin), only(check.Team)},
	"a lost membership of the developer": {drop("ACCOUNTS", has("sk", "account#")), only(check.Team)},
	"a member of no role":                {set("ACCOUNTS", admin, "role", table.S("king")), only(check.Unreadable, check.Team)},
	"a lost account":                     {drop("ACCOUNTS", two), only(check.Team, check.Record)},
	"too many members counted":           {set("ACCOUNTS", one, "members", table.N(3)), only(check.Team)},
	"too few owners counted":             {set("ACCOUNTS", one, "owners", table.N(0)), only(check.Team)},
	"too many apps counted":              {set("ACCOUNTS", one, "apps", table.N(3)), only(check.Team)},
	"an account without owner":           {demote, only(check.Team)},
	"an invitation by nobody":            {set("ACCOUNTS", has("sk", "invitation#"), "invited_by", table.S(stranger)), only(check.Team)},
	"a session of nobody":                {set("ACCOUNTS", session, "pk", table.S(stranger)), only(check.Session)},
	"a session with a short hash":        {set("ACCOUNTS", session, "hash", bytesOf(31)), only(check.Unreadable)},
	"an epoch that ran back":             {set("ACCOUNTS", epoch, "epoch", table.N(0)), only(check.Session)},
	"a lost pointer to an app":           {drop("ACCOUNTS", listed), only(check.App, check.Team)},
	"a lost app":                         {drop("KEYS", rotatedApp), only(check.App, check.Key, check.Record)},
	"an app of another account":          {set("KEYS", rotatedApp, "account", table.S("acct_0000000000000000")), only(check.App)},
	"an app deleted in its account only": {set("ACCOUNTS", listed, "deleted_at", table.N(1)), only(check.App)},
	"an app deleted by itself only":      {unset("ACCOUNTS", listedAsOff, "deleted_at"), only(check.App)},
	"an app deleted for ever":            {unset("KEYS", deletedApp, "erase_at"), only(check.App)},
	"a deleted app that nothing erases":  {drop("TASKS", erasing), only(check.Task)},
	"a deleted app whose key works":      {unset("KEYS", deletedKey, "suspended"), only(check.Key)},
	"a suspended key of an app":          {set("KEYS", newKey, "suspended", &types.AttributeValueMemberBOOL{Value: true}), only(check.Key)},
	"a key of a missing developer":       {set("KEYS", deletedKey, "created_by", table.S(stranger)), only(check.Key)},
	"a lost replacement":                 {drop("KEYS", newKey), only(check.Key)},
	"a lost key that was replaced":       {drop("KEYS", oldKey), only(check.Key)},
	"a replacement of another":           {unset("KEYS", newKey, "rotated_from"), only(check.Key)},
	"a tombstone that was not deleted":   {unset("KEYS", tombstone, "deleted_at"), only(check.App)},
	"a tombstone in an account":          {list, only(check.App, check.Team)},
	"a data key of an erased app":        {outlive, only(check.App)},
	"a task under another day":           {set("TASKS", is("kind", "key_rotated"), "pk", table.S("due#2026-01-01")), only(check.Unreadable)},
	"a task of an unknown kind":          {set("TASKS", is("kind", "key_rotated"), "kind", table.S("nap")), only(check.Unreadable)},
	"a swept day that is none":           {set("TASKS", is("sk", "swept"), "day", table.S("today")), only(check.Unreadable)},
}

// lost are the kinds that tell of ann's loss, who has whatever a developer can have, and others.
func lost(others ...check.Kind) []check.Kind {
	return append(others, check.Login, check.Factor, check.Team, check.Session, check.Key)
}

// unset returns damage that removes an attribute of an item.
func unset(name string, accept func(table.Item) bool, attribute string) func(*testing.T, items) {
	return func(t *testing.T, all items) { delete(all[name][where(t, all[name], accept)], attribute) }
}

// moveFactor gives ann's second factor to bob, who then has one that ann can use.
func moveFactor(t *testing.T, all items) {
	rows := all["DEVELOPERS"]
	rows[where(t, rows, factor)]["pk"] = rows[where(t, rows, bob)]["pk"]
}

// demote takes the last owner's role, and counts it so.
func demote(t *testing.T, all items) {
	rows := all["ACCOUNTS"]
	account := rows[where(t, rows, two)]
	account["owners"] = table.N(0)
	rows[where(t, rows, both(is("pk", text(account["pk"])), has("sk", "member#")))]["role"] = table.S("auditor")
}

// list puts the tombstone back into its account.
func list(t *testing.T, all items) {
	row := all["KEYS"][where(t, all["KEYS"], tombstone)]
	all["ACCOUNTS"] = append(all["ACCOUNTS"], table.Item{"pk": row["account"], "sk": table.S("app#" + text(row["pk"])), "deleted_at": row["deleted_at"]})
}

// outlive leaves the tombstone's app a data key.
func outlive(t *testing.T, all items) {
	left := maps.Clone(all["DATA_KEYS"][0])
	left["pk"] = all["KEYS"][where(t, all["KEYS"], tombstone)]["pk"]
	all["DATA_KEYS"] = append(all["DATA_KEYS"], left)
}

func TestDamageOfTeamsIsFound(t *testing.T) { findAll(t, teamDamages) }

// An app that is being erased loses its rows in no order that the rules could follow.
func TestAnAppIsBeingErased(t *testing.T) {
	all, wrapper := world(t)
	rows := all["KEYS"]
	first := rows[where(t, rows, both(is("sk", "app"), is("name", "bootstrap")))]
	for _, attribute := range []string{"deleted_at", "erase_at", "erasing"} {
		first[attribute] = table.N(1)
	}
	drop("MESSAGES", is("seq", "4"))(t, all)
	drop("USERS", has("pk", "#name#ann"))(t, all)
	drop("DATA_KEYS", is("pk", text(first["pk"])))(t, all)
	drop("CONVERSATIONS", bobRow)(t, all)
	report, err := check.Run(t.Context(), all, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 1 || report.Of(check.Task) != 1 { // no task goes on with it
		t.Errorf("problems: %v", report.Problems)
	}
}

// What has expired counts as none, whatever it says: DynamoDB deletes it within days.
func TestWhatHasExpiredIsNoProblem(t *testing.T) {
	all, wrapper := world(t)
	past := table.N(time.Now().Add(-time.Minute).UnixMilli())
	for name, accept := range map[string]func(table.Item) bool{
		"DEVELOPERS": is("action", "reset"), "ACCOUNTS": has("sk", "invitation#"),
	} {
		row := all[name][where(t, all[name], accept)]
		row["expires_at"], row["developer"], row["invited_by"] = past, table.S(stranger), table.S(stranger)
	}
	report, err := check.Run(t.Context(), all, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 0 {
		t.Errorf("problems: %v", report.Problems)
	}
}

// A report is shown to people: it names no address.
func TestReportsNameNoAddress(t *testing.T) {
	all, wrapper := world(t)
	for name, each := range teamDamages {
		damaged := all.clone()
		each.do(t, damaged)
		report, err := check.Run(t.Context(), damaged, wrapper)
		storetest.OK(t, name, err)
		for _, problem := range report.Problems {
			if strings.Contains(problem.String(), "@") {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
}
