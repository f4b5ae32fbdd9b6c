package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/input"
)

// Problem is an error as callers see it (RFC 9457), on HTTP and on the socket alike.
type Problem struct {
	Type      string         `json:"type" doc:"A name of the kind of error." example:"urn:tokenim:error:username_taken"`
	Title     string         `json:"title" doc:"What happened, in a few words."`
	Status    int            `json:"status" doc:"The HTTP status." example:"409"`
	Code      fault.Code     `json:"code" doc:"The stable code to program against." example:"username_taken"`
	Detail    string         `json:"detail" doc:"What is wrong with this request."`
	Hint      string         `json:"hint" doc:"What to do about it."`
	Retryable bool           `json:"retryable" doc:"Whether the same request can succeed later."`
	RequestID string         `json:"request_id" doc:"The ID under which the request is logged."`
	Errors    []FieldProblem `json:"errors,omitempty" nullable:"false" doc:"The fields that are wrong."`
	Denial    *Denial        `json:"denial,omitempty" doc:"What is missing, where a permission is."`

	retryAfter time.Duration
}

// FieldProblem is one thing wrong with one field.
type FieldProblem struct {
	Field  string     `json:"field" doc:"The field's path."`
	Code   fault.Code `json:"code" doc:"What is wrong with it."`
	Detail string     `json:"detail" doc:"The same in words."`
}

// Denial is what is missing where a permission is.
type Denial struct {
	Permission string   `json:"permission" doc:"The permission that is missing." example:"users:list"`
	Subject    string   `json:"subject" doc:"Who lacks it: a key, a user or a developer."`
	DeniedBy   string   `json:"denied_by,omitempty" doc:"The grant that denies it, or the role of every user that does; absent where it was merely never given."`
	GrantedBy  []string `json:"granted_by,omitempty" nullable:"false" doc:"Who could give it: members of the account with one of these roles, and keys and users that have all of the permissions that + joins and can hand them on: a user what it has for its own data to users only, and nobody for the whole app what is denied to them in a group." example:"[\"owner\",\"admin\",\"grants:manage+users:list\"]"`
}

// NewProblem describes the refusal in the language.
func NewProblem(refusal *fault.Error, language fault.Language, requestID string) *Problem {
	entry := fault.Lookup(refusal.Code)
	problem := &Problem{
		Type: "urn:tokenim:error:" + string(refusal.Code), Title: entry.Title.In(language), Status: entry.Status,
		Code: refusal.Code, Detail: refusal.Detail(language), Hint: entry.Hint.In(language), Retryable: entry.Retryable,
		RequestID: requestID, retryAfter: refusal.RetryAfter,
	}
	if entry.Retryable && problem.retryAfter == 0 {
		problem.retryAfter = time.Second
	}
	if denial := refusal.Denial; denial != nil {
		problem.Denial = &Denial{Permission: denial.Permission, Subject: denial.Subject, DeniedBy: denial.DeniedBy, GrantedBy: denial.GrantedBy}
	}
	for _, field := range refusal.Fields {
		problem.Errors = append(problem.Errors, FieldProblem{Field: field.Name, Code: field.Code, Detail: field.Detail(language)})
	}
	return problem
}

// ProblemOf describes an error in the language of the request, for answers that tell what became of one of many.
func ProblemOf(ctx context.Context, err error) *Problem {
	seen := requestOf(ctx)
	return NewProblem(fault.Of(err), seen.language, seen.id)
}

// Error, GetStatus, ContentType and GetHeaders make a problem what huma answers errors with.
func (p *Problem) Error() string { return string(p.Code) }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problem documents.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns how long to wait, where waiting helps, and how to authenticate, where that was missing.
func (p *Problem) GetHeaders() http.Header {
	headers := http.Header{}
	if p.retryAfter > 0 {
		headers.Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter.Round(time.Second)/time.Second))))
	}
	if p.Status == http.StatusUnauthorized {
		headers.Set("WWW-Authenticate", "Bearer")
	}
	return headers
}

// refuse records what the request is answered with and returns it as a problem.
func refuse(ctx context.Context, err error) *Problem {
	refusal := fault.Of(err)
	seen := requestOf(ctx)
	seen.refusal = refusal
	return NewProblem(refusal, seen.language, seen.id)
}

// init makes huma answer its own errors, the findings of the validation above all, with our problem documents.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return &Problem{Status: status} // huma asks for one to learn the type, for the description
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		if len(errs) > 0 && status < http.StatusInternalServerError {
			return refuse(ctx.Context(), input.Fault(errs))
		}
		return refuse(ctx.Context(), fromStatus(status, message))
	}
}

// fromStatus reads the few errors that huma has without a finding.
func fromStatus(status int, message string) error {
	switch status {
	case http.StatusBadRequest:
		return fault.New(fault.BodyMissing)
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.BodyTooLarge, maxBody)
	}
	return fmt.Errorf("huma: status %d: %s", status, message)
}
