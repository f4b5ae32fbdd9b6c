package api

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// API Gateway decodes paths but for the percent sign: what looks like an escape after that is a text, and not decoded again.
func TestPathsAreDecodedOnce(t *testing.T) {
	for raw, want := range map[string]string{"/users/ann": "/users/ann", "/users/周杰": "/users/周杰", "/users/vic%2574im": "/users/vic%74im",
		"/users/vic%74im": "/users/vic%74im", "/users/100%25": "/users/100%", "/users/a?b": "/users/a?b"} {
		if got := address(events.APIGatewayV2HTTPRequest{RawPath: raw}); got.Path != want {
			t.Errorf("%s is %s, want %s", raw, got.Path, want)
		}
	}
	staged := events.APIGatewayV2HTTPRequest{RawPath: "/prod/users/ann", RequestContext: events.APIGatewayV2HTTPRequestContext{Stage: "prod"}}
	if got := address(staged); got.Path != "/users/ann" {
		t.Errorf("behind a stage: %s", got.Path)
	}
}
