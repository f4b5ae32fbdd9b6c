package recordapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/plainjson"
	"github.com/tokenim/tokenim/shared/record"
)

// Audit is a record on the wire.
type Audit struct {
	RecordID    string          `json:"record_id" doc:"Names the record in its log: \"rec_\", its chain in hexadecimal and its number in it." example:"rec_c_17"`
	At          time.Time       `json:"at" doc:"When it was done."`
	Action      record.Action   `json:"action" doc:"What was done." example:"grant.created"`
	Actor       string          `json:"actor,omitempty" doc:"Who did it: a key, a developer or a user; absent for TokenIM itself."`
	Source      string          `json:"source,omitempty" doc:"The address that it came from."`
	Subject     string          `json:"subject,omitempty" doc:"What or whom it was done to."`
	Permissions []string        `json:"permissions,omitempty" nullable:"false" doc:"The permissions that it is about."`
	Reason      string          `json:"reason,omitempty" doc:"Why, in the words of who did it."`
	Before      json.RawMessage `json:"before,omitempty" doc:"What the subject was, as far as it was changed."`
	After       json.RawMessage `json:"after,omitempty" doc:"What it became."`
}

// shown returns the record as it is shown.
func shown(r record.Record) Audit {
	return Audit{RecordID: r.ID(), At: r.At, Action: r.Action, Actor: r.Actor, Source: r.Source, Subject: r.Subject,
		Permissions: r.Permissions, Reason: r.Reason, Before: r.Before, After: r.After}
}

// format writes records into a file.
type format struct {
	// contentType and extension name it.
	contentType, extension string
	// head is what the file begins with, line a record in it.
	head string
	line func(Audit) string
}

// formats are the forms of an export, by name.
var formats = map[string]format{
	"ndjson": {contentType: "application/x-ndjson", extension: "ndjson", line: ndjson},
	"csv": {contentType: "text/csv; charset=utf-8", extension: "csv", line: csv,
		head: "record_id,at,action,actor,source,subject,permissions,reason,before,after\r\n"},
}

// contentTypes are those of the formats, without what follows the type.
func contentTypes() (types []string) {
	for _, each := range formats {
		kind, _, _ := strings.Cut(each.contentType, ";")
		types = append(types, kind)
	}
	return types
}

// ndjson returns the record as a line of JSON.
func ndjson(a Audit) string {
	return string(plainjson.Must(a)) + "\n" // it was decoded from JSON
}

// csv returns the record as a line of CSV (RFC 4180).
func csv(a Audit) string {
	cells := []string{a.RecordID, a.At.Format(time.RFC3339Nano), string(a.Action), a.Actor, a.Source, a.Subject,
		strings.Join(a.Permissions, " "), a.Reason, string(a.Before), string(a.After)}
	for i, text := range cells {
		cells[i] = cell(text)
	}
	return strings.Join(cells, ",") + "\r\n"
}

// cell quotes a text where it has to be. One that a spreadsheet would take for a formula gets an apostrophe in front: what
// users name themselves must not run in the spreadsheet of whoever reads about them. Where Chinese or Japanese is written,
// spreadsheets take the full-width signs for the others.
func cell(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") == 0 {
		text = "'" + text
	}
	if strings.ContainsAny(text, "\",\r\n") || strings.TrimSpace(text) != text {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}
