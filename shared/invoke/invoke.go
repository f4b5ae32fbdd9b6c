// Package invoke starts other functions in the background.
package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/session"
)

// Invoker implements session.Invoker.
type Invoker struct {
	client *lambda.Client
	resume string
}

var _ session.Invoker = (*Invoker)(nil)

// FromEnvironment returns an invoker of the function in RESUME_FUNCTION.
func FromEnvironment() *Invoker {
	client := lambda.NewFromConfig(awsenv.Config(), func(o *lambda.Options) { o.BaseEndpoint = awsenv.Endpoint("LAMBDA") })
	return &Invoker{client: client, resume: os.Getenv("RESUME_FUNCTION")}
}

// Resume implements session.Invoker.
func (i *Invoker) Resume(ctx context.Context, request session.ResumeRequest) error {
	payload, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode the resume request: %w", err)
	}
	_, err = i.client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &i.resume, InvocationType: types.InvocationTypeEvent, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke resume: %w", err)
	}
	return nil
}
