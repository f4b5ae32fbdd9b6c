// Command gate is the authorizer of the runner's own tests: the query's "token" says how it decides.
package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(decide) }

func decide(_ context.Context, event json.RawMessage) (any, error) {
	var request struct {
		MethodArn string            `json:"methodArn"`
		Query     map[string]string `json:"queryStringParameters"`
	}
	if err := json.Unmarshal(event, &request); err != nil {
		return nil, err
	}
	effect := "Deny"
	switch request.Query["token"] {
	case "allow":
		effect = "Allow"
	case "unauthorized":
		return nil, errors.New("Unauthorized")
	case "boom":
		return nil, errors.New("boom")
	}
	return map[string]any{
		"principalId": "user-1",
		"policyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{"Effect": effect, "Action": "execute-api:Invoke", "Resource": request.MethodArn}}},
		"context": map[string]any{"app": "a1", "level": 3, "event": string(event)},
	}, nil
}
