//go:build conformance

package conformance

import (
	"mime"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// wantStatus checks the answer's status. Where all requests come from one source, an earlier run within the hour may have
// used up what one source is allowed: then there is nothing to check.
func wantStatus(t *testing.T, answer client.Answer, status int) {
	t.Helper()
	if !onRunner && status < http.StatusBadRequest && answer.Text("code") == "too_many_attempts" {
		t.Skip("the one source of these tests has made its requests of this hour, in an earlier run")
	}
	if answer.Status != status {
		t.Fatalf("status %d wanted, not %s", status, answer)
	}
}

// wantRefusal checks that the answer is a whole problem document with the status and one of the codes, and returns it.
func wantRefusal(t *testing.T, answer client.Answer, status int, codes ...string) client.Problem {
	t.Helper()
	var problem client.Problem
	if err := answer.Into(&problem); err != nil {
		t.Errorf("no problem document: %v", err)
		return problem
	}
	if answer.Status != status || !contains(codes, problem.Code) {
		t.Errorf("%d %v wanted, not %s", status, codes, answer)
	}
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media != problemType {
		t.Errorf("Content-Type %q, want %s: %s", media, problemType, answer)
	}
	if problem.Status != answer.Status {
		t.Errorf("the document says %d: %s", problem.Status, answer)
	}
	if problem.RequestID != answer.Header.Get("X-Request-Id") {
		t.Errorf("X-Request-Id %q, but %s", answer.Header.Get("X-Request-Id"), answer)
	}
	if answer.Status == http.StatusUnauthorized && answer.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("401 without WWW-Authenticate: %s", answer)
	}
	wantWhole(t, problem, string(answer.Body))
	return problem
}

// wantWhole checks that nothing of a problem is missing.
func wantWhole(t *testing.T, problem client.Problem, shown string) {
	t.Helper()
	complete := problem.Title != "" && problem.Detail != "" && problem.Hint != "" && problem.RequestID != "" &&
		problem.Retryable != nil && problem.Status >= 400
	if !complete {
		t.Errorf("an incomplete problem: %s", shown)
	}
	if problem.Type != "urn:tokenim:error:"+problem.Code {
		t.Errorf("type %q: %s", problem.Type, shown)
	}
	if strings.Contains(problem.Detail, "%!") {
		t.Errorf("the detail is not filled in: %s", shown)
	}
	for _, field := range problem.Errors {
		if field.Code == "" || field.Detail == "" {
			t.Errorf("an incomplete field: %s", shown)
		}
	}
}

// wantField checks that the problem names the field.
func wantField(t *testing.T, problem client.Problem, field, code string) {
	t.Helper()
	for _, found := range problem.Errors {
		if found.Field == field && found.Code == code {
			return
		}
	}
	t.Errorf("errors do not have %s: %s; they are %+v", field, code, problem.Errors)
}

// wantFrameRefusal checks that the frame is an error with one of the codes.
func wantFrameRefusal(t *testing.T, frame client.Frame, codes ...string) {
	t.Helper()
	if frame.Error == nil || !contains(codes, frame.Error.Code) {
		t.Errorf("%v wanted, not %s", codes, frame.Raw)
		return
	}
	wantWhole(t, *frame.Error, string(frame.Raw))
}

func contains(all []string, one string) bool {
	for _, candidate := range all {
		if candidate == one {
			return true
		}
	}
	return false
}

func hasHan(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
}
