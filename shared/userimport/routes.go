package userimport

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/input"
	"github.com/tokenim/tokenim/shared/profile"
)

// maxBody bounds the body of an import: 1,000 rows of 512 bytes.
const maxBody = 512 << 10

type importInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Users []json.RawMessage `json:"users" nullable:"false" minItems:"1" maxItems:"1000" doc:"A user each: an object with username, and if you like name, avatar and custom, as in PATCH /users/{id}. A row that is wrong is refused alone."`
	}
}

// candidate is the form of a row. Its texts are bounded where all profiles are.
type candidate struct {
	Username string                     `json:"username"`
	Name     *string                    `json:"name,omitempty"`
	Avatar   *string                    `json:"avatar,omitempty"`
	Custom   map[string]json.RawMessage `json:"custom,omitempty" nullable:"false"`
}

// ImportStatus is an import on the wire.
type ImportStatus struct {
	ImportID   id.Import  `json:"import_id" doc:"The import's ID." example:"import_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Status     string     `json:"status" enum:"running,done" doc:"done when every row is registered or refused." example:"running"`
	Total      int        `json:"total" doc:"How many rows it has." example:"250"`
	Registered int        `json:"registered" doc:"How many users are registered so far, of the rows that are counted." example:"198"`
	Refused    int        `json:"refused" doc:"How many rows are refused so far." example:"2"`
	CreatedAt  time.Time  `json:"created_at" doc:"When it was asked for. It is kept for 7 days."`
	FinishedAt *time.Time `json:"finished_at,omitempty" doc:"When the last row was done; absent until then."`
}

// ImportResult is a row on the wire.
type ImportResult struct {
	Row    int        `json:"row" doc:"The row's place among users, from 1." example:"1"`
	Status string     `json:"status" enum:"pending,registered,refused" doc:"What became of it." example:"registered"`
	UserID id.User    `json:"user_id,omitempty" doc:"Who was registered." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Code   fault.Code `json:"code,omitempty" doc:"Why nobody was: a code of the list of errors." example:"username_taken"`
	Field  string     `json:"field,omitempty" doc:"The member of the row that is wrong." example:"username"`
}

type importOutput struct{ Body ImportStatus }

type importRowsInput struct {
	api.PageQuery
	ID id.Import `path:"id" doc:"The import's ID."`
}

type importRowsOutput struct {
	Body struct {
		ImportStatus
		Items      []ImportResult `json:"items" nullable:"false" doc:"The rows, in their order."`
		NextCursor string         `json:"next_cursor,omitempty" doc:"The cursor of the next page; absent on the last."`
	}
}

// Routes adds the operations on imports.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	decoder := input.NewDecoder[candidate]()
	api.Register(edge, api.Operation{
		ID: "import-users", Method: http.MethodPost, Path: "/users/import", Tag: "Users", Status: http.StatusAccepted,
		Summary: "Register up to 1,000 users", Permission: authz.UsersRegister, MaxBody: maxBody,
		Description: "The users are registered one by one, within seconds mostly; GET /users/import/{id}/rows tells what became of each row. " +
			"A row whose name is taken, or that is wrong in itself, does not keep the others from being registered. The body is at most 512 KB.",
		Errors: []fault.Code{fault.IdempotencyConflict},
	}, func(ctx context.Context, caller authz.Caller, in *importInput) (*importOutput, error) {
		rows := Judge(candidates(decoder, in.Body.Users))
		begun, err := service.Begin(ctx, caller.App, rows, in.IdempotencyKey.IdempotencyKey)
		return &importOutput{Body: begun.status()}, err
	})
	api.Register(edge, api.Operation{
		ID: "get-import", Method: http.MethodGet, Path: "/users/import/{id}/rows", Tag: "Users", Status: http.StatusOK,
		Summary: "Show how far an import has come, and what became of its rows", Permission: authz.UsersRegister,
		Errors: []fault.Code{fault.ImportNotFound, fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *importRowsInput) (*importRowsOutput, error) {
		return service.results(ctx, caller.App, signer, in)
	})
}

func candidates(decoder input.Decoder[candidate], texts []json.RawMessage) []Candidate {
	read := make([]Candidate, len(texts))
	for i, text := range texts {
		found, err := decoder.Decode(text)
		read[i] = Candidate{Username: found.Username, Wish: profile.Wish{Name: found.Name, Avatar: found.Avatar, Custom: found.Custom}, Wrong: err}
	}
	return read
}

func (s *Service) results(ctx context.Context, app id.App, signer cursor.Signer, in *importRowsInput) (*importRowsOutput, error) {
	found, err := s.Find(ctx, app, in.ID)
	if err != nil {
		return nil, err
	}
	page, err := api.Paged(ctx, signer, app, "import "+string(found.ID), in.Cursor, func(position string) ([]ImportResult, string, error) {
		after, _ := strconv.Atoi(position) // our own, signed; "" is 0
		rows, err := s.Store.Rows(ctx, found, after, in.Limit)
		if err != nil || len(rows) == 0 {
			return nil, "", err
		}
		var results []ImportResult
		for _, row := range rows {
			results = append(results, row.result())
		}
		last := rows[len(rows)-1].Number
		if last == found.Total {
			return results, "", nil
		}
		return results, strconv.Itoa(last), nil
	})
	output := &importRowsOutput{}
	output.Body.ImportStatus, output.Body.Items, output.Body.NextCursor = found.status(), page.Items, page.NextCursor
	return output, err
}

// status returns the import as it is shown.
func (i Import) status() ImportStatus {
	shown := ImportStatus{ImportID: i.ID, Status: "running", Total: i.Total, Registered: i.Registered, Refused: i.Refused, CreatedAt: i.CreatedAt}
	if !i.FinishedAt.IsZero() {
		shown.Status, shown.FinishedAt = "done", &i.FinishedAt
	}
	return shown
}

// result returns the row as it is shown.
func (r Row) result() ImportResult {
	shown := ImportResult{Row: r.Number, Status: "pending", UserID: r.User, Code: r.Code, Field: r.Field}
	switch {
	case r.User != "":
		shown.Status = "registered"
	case r.Decided():
		shown.Status = "refused"
	}
	return shown
}
