package check_test

import (
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var (
	first = is("sk", "0000000000000001")
	head  = is("sk", "head")
)

// auditDamages are what can befall the audit records.
var auditDamages = map[string]damage{
	"a lost record":                {drop("RECORDS", first), only(check.Record)},
	"a lost head":                  {drop("RECORDS", head), only(check.Record)},
	"a head that ran ahead":        {set("RECORDS", head, "seq", table.N(99)), only(check.Record)},
	"a head of another text":       {set("RECORDS", head, "hash", table.S(strings.Repeat("0", 64))), only(check.Record)},
	"a changed record":             {rewrite(`"action"`, ` "action"`), only(check.Record)},
	"a record that is none":        {set("RECORDS", first, "text", table.S("{")), only(check.Record, check.Unreadable)},
	"a record of another log":      {rewrite(`"log":"`, `"log":"x`), only(check.Record, check.Unreadable)},
	"a record of another number":   {rewrite(`"seq":1`, `"seq":2`), only(check.Record, check.Unreadable)},
	"a record in another month":    {set("RECORDS", first, "month", table.S("app_0000000000000001#2026-01")), only(check.Record, check.Unreadable)},
	"a record at another time":     {set("RECORDS", first, "when", table.S("0000000000000#0#0000000000000001")), only(check.Record, check.Unreadable)},
	"a record of another subject":  {set("RECORDS", both(first, has("subject", "#")), "subject", table.S("app_x#u_1")), only(check.Record, check.Unreadable)},
	"a record without its subject": {unset("RECORDS", both(first, has("subject", "#")), "subject"), only(check.Record, check.Unreadable)},
	"a chain that is none":         {set("RECORDS", first, "pk", table.S("app_0000000000000001#g")), only(check.Record, check.Unreadable)},
	"a log of nobody":              {orphan, only(check.Record)},
	"records of an erased app":     {outlast, only(check.App)},
}

// rewrite returns damage that changes the text of a first record.
func rewrite(old, new string) func(*testing.T, items) {
	return func(t *testing.T, all items) {
		row := all["RECORDS"][where(t, all["RECORDS"], both(first, has("text", old)))]
		row["text"] = table.S(strings.Replace(text(row["text"]), old, new, 1))
	}
}

// orphan adds a sound chain of an app that nobody has.
func orphan(_ *testing.T, all items) { addChain(all, id.Source{}.App()) }

// outlast leaves an erased app a sound chain.
func outlast(t *testing.T, all items) {
	addChain(all, id.StoredApp(text(all["KEYS"][where(t, all["KEYS"], tombstone)]["pk"])))
}

func addChain(all items, app id.App) {
	log := record.OfApp(app)
	made, text, head := record.Head{}.Append(record.New(log, storetest.Noon(), record.Origin{}, record.DataRead, "", nil, nil), 3)
	key, end := table.Key(string(log)+"#3", "0000000000000001"), table.Key(string(log)+"#3", "head")
	key["text"], key["month"], key["when"] = table.S(text), table.S(string(log)+"#"+made.At.Format("2006-01")), table.S(made.Position())
	end["seq"], end["hash"] = table.N(head.Seq), table.S(head.Hash.String())
	all["RECORDS"] = append(all["RECORDS"], key, end)
}

func TestDamageOfRecordsIsFound(t *testing.T) { findAll(t, auditDamages) }
