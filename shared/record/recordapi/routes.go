// Package recordapi shows records over HTTP: lists, exports and verifies them. It is apart from package record because the
// edge itself records what it serves.
package recordapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

const (
	// mostExported and largestExport bound an export; Lambda answers with 6 MB at most, and quotes cost two.
	mostExported  = 5_000
	largestExport = 3 << 20
	// exportReads bounds how often an export reads on for records that its filter chooses.
	exportReads = 10
	// mostVerified bounds a verification.
	mostVerified = 5_000
)

// FilterQuery are the parameters that choose records.
type FilterQuery struct {
	Subject    string             `query:"subject" maxLength:"128" doc:"What or whom it was done to: the ID of a key, a user, a role, a developer, an app; or \"defaults\", for the roles that every user has."`
	Actor      string             `query:"actor" maxLength:"128" doc:"Who did it: the ID of a key, a developer or a user."`
	Action     api.OneOf[actions] `query:"action" maxLength:"64" doc:"What was done." example:"grant.created"`
	Permission string             `query:"permission" maxLength:"64" doc:"A permission that it is about." example:"messages:send"`
	From       api.Moment         `query:"from" doc:"The earliest time, in RFC 3339." example:"2026-11-01T00:00:00Z"`
	Until      api.Moment         `query:"until" doc:"The first time that is too late." example:"2026-12-01T00:00:00Z"`
	Order      string             `query:"order" enum:"asc,desc" default:"desc" doc:"asc for the oldest first, desc for the newest."`
}

// actions are those that there are.
type actions struct{}

// Choices returns them as they stand in a query.
func (actions) Choices() (names []string) {
	for _, each := range record.Actions {
		names = append(names, string(each))
	}
	return names
}

type listInput struct {
	FilterQuery
	api.PageQuery
}

type listOutput struct{ Body api.Page[Audit] }

type exportInput struct {
	FilterQuery
	Format string `query:"format" enum:"ndjson,csv" default:"ndjson" doc:"One JSON object a line, or CSV."`
	Cursor string `query:"cursor" maxLength:"512" doc:"X-Next-Cursor of the answer before; nothing for the first."`
}

type exportOutput struct {
	ContentType string `header:"Content-Type" doc:"The form of the file."`
	Disposition string `header:"Content-Disposition" doc:"A name for the file."`
	NextCursor  string `header:"X-Next-Cursor" doc:"The cursor of the next part; absent on the last."`
	Body        []byte
}

type verifyInput struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the answer before; nothing to begin."`
}

// ChainState is what a verification found of a chain, on the wire.
type ChainState struct {
	Chain    int            `json:"chain" doc:"The number of the chain, 0 to 15."`
	Records  int64          `json:"records" doc:"How many of its records are good, from the first on; a chain that the answer has not come to the end of goes on in the next."`
	Head     string         `json:"head" doc:"The SHA-256 of the last of them, in hex; empty where there is none. Keep it: no later change of these records can have the same."`
	OK       bool           `json:"ok" doc:"Whether nothing is wrong so far."`
	BrokenAt string         `json:"broken_at,omitempty" doc:"The first record that is not as it was written."`
	Problem  record.Problem `json:"problem,omitempty" enum:"edited,missing,reordered,head_mismatch,unreadable" doc:"What is wrong with it."`
}

type verifyOutput struct {
	Body struct {
		OK         bool         `json:"ok" doc:"Whether nothing is wrong in this answer."`
		Checked    int          `json:"checked" doc:"How many records this answer is about."`
		Chains     []ChainState `json:"chains" nullable:"false" doc:"What was found, by chain."`
		NextCursor string       `json:"next_cursor,omitempty" doc:"The cursor to go on with; absent at the end of the log."`
	}
}

// scope is one of the two kinds of logs: that of the app, or that of the account.
type scope struct {
	// of is in the operations' names, path in front of theirs.
	of, path, title string
	permission      authz.Permission
	// log returns the caller's log, and the app that its cursors are sealed for.
	log func(authz.Caller) (record.Log, id.App)
}

var scopes = []scope{
	{"", "/records", "the app's", authz.RecordsRead, func(c authz.Caller) (record.Log, id.App) { return record.OfApp(c.App), c.App }},
	{"account-", "/account/records", "the account's", authz.AccountAudit, func(c authz.Caller) (record.Log, id.App) { return record.OfAccount(c.Account), id.Platform() }},
}

// Routes adds the operations on records: the app's, and for developers the account's.
func Routes(edge *api.API, store record.Store, signer cursor.Signer) {
	for _, each := range scopes {
		each.routes(edge, &reader{scope: each, store: store, signer: signer})
	}
}

func (s scope) routes(edge *api.API, r *reader) {
	api.Register(edge, api.Operation{
		ID: "list-" + s.of + "records", Method: http.MethodGet, Path: s.path, Tag: "Records", Status: http.StatusOK,
		Summary: "List " + s.title + " audit records", Permission: s.permission, Errors: []fault.Code{fault.CursorInvalid},
		Description: "A filter other than subject, from and until is applied to what is read, so a page can be short, or even empty, before the last.",
	}, r.list)
	api.Register(edge, api.Operation{
		ID: "export-" + s.of + "records", Method: http.MethodGet, Path: s.path + "/export", Tag: "Records", Status: http.StatusOK, Types: contentTypes(),
		Summary: "Export " + s.title + " audit records", Permission: s.permission, Errors: []fault.Code{fault.CursorInvalid},
		Description: "An answer has up to 5,000 records or 3 MB. Its parts can be joined as they are: only the first has the header line of CSV. " +
			"In CSV, permissions are joined by spaces, and a cell that a spreadsheet would take for a formula begins with an apostrophe.",
	}, r.export)
	api.Register(edge, api.Operation{
		ID: "verify-" + s.of + "records", Method: http.MethodGet, Path: s.path + "/verify", Tag: "Records", Status: http.StatusOK,
		Summary: "Verify " + s.title + " audit records", Permission: s.permission, Errors: []fault.Code{fault.CursorInvalid},
		Description: "A log is 16 chains; each record carries the SHA-256 of the one before. This finds records that were edited, removed or reordered, " +
			"up to 5,000 records an answer. That a whole chain was written anew is found by who keeps the heads; `make audit-verify` does.",
	}, r.verify)
}

// reader answers the requests about one kind of logs.
type reader struct {
	scope
	store  record.Store
	signer cursor.Signer
}

// noPermission says that a permission is none.
var noPermission = fault.Text{EN: "It is one of those that GET /permissions lists.", ZH: "须为 GET /permissions 列出的权限之一。"}

// filter checks the parameters.
func (q FilterQuery) filter() (record.Filter, error) {
	if _, known := authz.Lookup(authz.Permission(q.Permission)); q.Permission != "" && !known {
		return record.Filter{}, fault.Invalid(fault.Wrong("permission", noPermission))
	}
	return record.Filter{Subject: q.Subject, Actor: q.Actor, Action: record.Action(q.Action), Permission: q.Permission, From: q.From.Time, Until: q.until()}, nil
}

// until is the first time that is too late; zero for none. The zero time itself is one before all records.
func (q FilterQuery) until() time.Time {
	if q.Until.Sent && q.Until.Time.IsZero() {
		return time.Unix(0, 0)
	}
	return q.Until.Time
}

// list names the list that a cursor is good for: the filter and the order are part of it.
func (q FilterQuery) list(log record.Log) string {
	return fmt.Sprintf("records of %s %q %q %q %q %d %d %s", log, q.Subject, q.Actor, q.Action, q.Permission,
		q.From.Time.UnixNano(), q.until().UnixNano(), q.Order)
}

func (r *reader) list(ctx context.Context, caller authz.Caller, in *listInput) (*listOutput, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	log, app := r.log(caller)
	page, err := api.Paged(ctx, r.signer, app, in.FilterQuery.list(log), in.Cursor, func(after string) (page []Audit, next string, err error) {
		entries, next, err := r.store.List(ctx, log, filter, in.Order == "asc", after, in.Limit)
		for _, each := range entries {
			page = append(page, shown(each.Record))
		}
		return page, next, err
	})
	return &listOutput{Body: page}, err
}

func (r *reader) export(ctx context.Context, caller authz.Caller, in *exportInput) (*exportOutput, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	log, app := r.log(caller)
	list := "export of " + in.FilterQuery.list(log)
	position, err := cursor.Decode(ctx, r.signer, app, list, in.Cursor)
	if err != nil {
		return nil, err
	}
	form := formats[in.Format]
	out := &exportOutput{ContentType: form.contentType, Disposition: "attachment; filename=\"records." + form.extension + `"`, Body: []byte{}}
	if position == "" {
		out.Body = []byte(form.head)
	}
	next, err := r.fill(ctx, log, filter, in.Order == "asc", position, func(each Audit) bool {
		out.Body = append(out.Body, form.line(each)...)
		return len(out.Body) < largestExport
	})
	if err == nil {
		out.NextCursor, err = cursor.Encode(ctx, r.signer, app, list, next)
	}
	return out, err
}

// fill takes records behind the position until there are no more, or enough for an answer. It returns where to go on.
func (r *reader) fill(ctx context.Context, log record.Log, filter record.Filter, oldestFirst bool, position string, take func(Audit) bool) (string, error) {
	taken := 0
	for range exportReads {
		entries, next, err := r.store.List(ctx, log, filter, oldestFirst, position, min(record.MostRead, mostExported-taken))
		if err != nil {
			return "", err
		}
		for i, each := range entries {
			if more := take(shown(each.Record)); !more && (next != "" || i < len(entries)-1) {
				return each.Position(), nil
			}
		}
		taken, position = taken+len(entries), next
		if next == "" || taken >= mostExported {
			break
		}
	}
	return position, nil
}

func (r *reader) verify(ctx context.Context, caller authz.Caller, in *verifyInput) (*verifyOutput, error) {
	log, app := r.log(caller)
	list := "verification of " + string(log)
	position, err := cursor.Decode(ctx, r.signer, app, list, in.Cursor)
	if err != nil {
		return nil, err
	}
	results, next, err := record.VerifyLog(ctx, r.store, log, position, mostVerified)
	if err != nil {
		return nil, err
	}
	out := &verifyOutput{}
	out.Body.OK, out.Body.Chains = true, []ChainState{}
	for _, each := range results {
		ok := each.Problem == ""
		out.Body.OK, out.Body.Checked = out.Body.OK && ok, out.Body.Checked+each.Checked
		out.Body.Chains = append(out.Body.Chains, ChainState{Chain: each.Chain, Records: each.Head.Seq, Head: each.Head.Hash.String(),
			OK: ok, BrokenAt: each.BrokenAt, Problem: each.Problem})
	}
	out.Body.NextCursor, err = cursor.Encode(ctx, r.signer, app, list, next)
	return out, err
}
