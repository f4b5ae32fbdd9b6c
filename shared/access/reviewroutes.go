package access

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

type explainInput struct {
	Subject    string     `query:"subject" required:"true" maxLength:"64" doc:"The ID of a key, of a user, or of a developer of the account." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Permission string     `query:"permission" required:"true" maxLength:"64" doc:"The permission." example:"users:list"`
	Resource   string     `query:"resource" default:"app" minLength:"1" maxLength:"64" doc:"app for the whole app, or the ID of a group." example:"app"`
	At         api.Moment `query:"at" doc:"A moment of the past, in RFC 3339; absent for now. For developers there is only now." example:"2026-07-01T12:00:00Z"`
}

// since1970 says from when on times are kept: an earlier one is a mistake.
var since1970 = fault.Text{EN: "Times begin with the year 1970.", ZH: "时间从 1970 年开始。"}

// question reads the input.
func (in *explainInput) question() (Question, error) {
	question := Question{Subject: in.Subject, Permission: authz.Permission(in.Permission), Group: id.Group(in.Resource)}
	if in.Resource == wholeApp {
		question.Group = ""
	}
	if in.At.Sent && in.At.Time.Unix() < 0 {
		return question, fault.Invalid(fault.Wrong("at", since1970))
	}
	question.At = in.At.Time
	return question, nil
}

type explainOutput struct{ Body Explanation }

type reviewInput struct {
	api.PageQuery
	UnusedDays int `query:"unused_days" minimum:"1" maximum:"3650" default:"90" doc:"For how many days a permission has to be unused to be found."`
}

type reviewOutput struct{ Body api.Page[Reviewed] }

// ReviewRoutes adds the operations that tell who may do what, why, and whether it is used.
func ReviewRoutes(edge *api.API, service *Service, signer cursor.Signer) {
	r := routes{service, signer}
	api.Register(edge, api.Operation{
		ID: "explain-authorization", Method: http.MethodGet, Path: "/authorizations/explain", Tag: "Authorization", Status: http.StatusOK,
		Summary: "Tell who may do what and why, now or at a moment of the past", Permission: authz.GrantsRead,
		Description: "What holds now is what the next request is judged by. What held at a moment of the past comes from the records, with the grants and roles of that moment; " +
			"records of the last second may not be in it yet, and what a role inside a group gave its owner and admins is not: the group's own log tells who was what.",
		Errors: []fault.Code{fault.SubjectNotFound, fault.PermissionUnknown, fault.GroupNotFound},
	}, r.explain)
	api.Register(edge, api.Operation{
		ID: "review-authorizations", Method: http.MethodGet, Path: "/authorizations/review", Tag: "Authorization", Status: http.StatusOK,
		Summary: "List what each key and user can do, and what it does not use", Permission: authz.GrantsRead,
		Description: "All keys, then the users that have or had grants. A use is written down by the day. POST /grants/revoke takes a list of grants to end and of scopes to take from keys. " +
			"A page may be short before the end: follow next_cursor.",
		Errors: []fault.Code{fault.CursorInvalid},
	}, r.review)
}

func (r routes) explain(ctx context.Context, caller authz.Caller, in *explainInput) (*explainOutput, error) {
	question, err := in.question()
	if err != nil {
		return nil, err
	}
	answer, err := r.Explain(ctx, caller.App, question)
	if err != nil {
		return nil, err
	}
	return &explainOutput{Body: answer}, nil
}

func (r routes) review(ctx context.Context, caller authz.Caller, in *reviewInput) (*reviewOutput, error) {
	list := fmt.Sprintf("review %d", in.UnusedDays)
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Reviewed, string, error) {
		return r.Review(ctx, caller.App, in.UnusedDays, position, in.Limit)
	})
	return &reviewOutput{Body: page}, err
}
