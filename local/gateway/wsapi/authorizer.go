package wsapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// verdict is what a REQUEST authorizer answers.
type verdict struct {
	PrincipalID    string `json:"principalId"`
	PolicyDocument struct {
		Statement []statement
	} `json:"policyDocument"`
	Context map[string]any `json:"context"`
}

type statement struct {
	Effect           string
	Action, Resource list
}

// list is a string or a list of strings.
type list []string

// UnmarshalJSON takes both forms.
func (l *list) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*l = make(list, 1)
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// authorize runs the authorizer and keeps its context for every later event of the connection.
func (a *API) authorize(ctx context.Context, r *http.Request, c *connection) error {
	begun := time.Now()
	arn := strings.Join([]string{"arn", template.Partition, "execute-api", template.Region, template.Account,
		a.Spec.ID + "/" + a.Spec.Stage + "/" + routeConnect}, ":")
	result, err := a.call(ctx, a.Spec.Authorizer, authorizerEvent(r, c, arn))
	if err != nil {
		if isUnauthorized(result) {
			return refusal{http.StatusUnauthorized, "Unauthorized"}
		}
		return err
	}
	var v verdict
	if err := json.Unmarshal(result.Payload, &v); err != nil {
		a.Log.Error("the authorizer's answer is not understood", "answer", string(result.Payload))
		return refusal{http.StatusInternalServerError, "Internal server error"}
	}
	if !v.allows(arn) {
		return refusal{http.StatusForbidden, "User is not authorized to access this resource"}
	}
	c.authorizer, err = v.flatten()
	if err != nil {
		a.Log.Error("the authorizer's context is not usable", "error", err)
		return refusal{http.StatusInternalServerError, "Internal server error"}
	}
	c.authorizer["integrationLatency"] = time.Since(begun).Milliseconds()
	return nil
}

// isUnauthorized recognises the one error message that API Gateway answers with 401.
func isUnauthorized(result lambda.Result) bool {
	var failure struct {
		Message string `json:"errorMessage"`
	}
	return result.FunctionError != "" && json.Unmarshal(result.Payload, &failure) == nil && failure.Message == "Unauthorized"
}

// flatten is the context as later events carry it: strings only, principalId among them.
func (v verdict) flatten() (map[string]any, error) {
	flat := map[string]any{"principalId": v.PrincipalID}
	for name, value := range v.Context {
		switch value.(type) {
		case string, float64, bool:
			flat[name] = fmt.Sprint(value)
		default:
			return nil, fmt.Errorf("%s is neither string, number nor boolean", name)
		}
	}
	return flat, nil
}

// allows evaluates the policy: a matching Deny wins, and without a matching Allow it is a no.
func (v verdict) allows(arn string) bool {
	allowed := false
	for _, s := range v.PolicyDocument.Statement {
		if !s.Action.matches("execute-api:Invoke") || !s.Resource.matches(arn) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = allowed || s.Effect == "Allow"
	}
	return allowed
}

func (l list) matches(text string) bool {
	for _, pattern := range l {
		quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		if ok, err := regexp.MatchString("^(?i)"+quoted+"$", text); err == nil && ok {
			return true
		}
	}
	return false
}
