// Package invoke starts other functions in the background. Lambda keeps what is to be done in a queue of its own, tries it
// three times, and puts what failed for good into the function's dead letters.
package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/tokenim/tokenim/shared/awsenv"
)

// Target is a function that takes jobs of type J.
type Target[J any] struct {
	client   *lambda.Client
	function string
}

// FromEnvironment returns the function that the variable names, such as MAIL_FUNCTION. A missing variable is a defect of
// the template.
func FromEnvironment[J any](variable string) *Target[J] {
	function := os.Getenv(variable)
	if function == "" {
		panic("invoke: " + variable + " is not set; the function's environment in template.yaml lacks it")
	}
	client := lambda.NewFromConfig(awsenv.Config(), func(o *lambda.Options) { o.BaseEndpoint = awsenv.Endpoint("LAMBDA") })
	return &Target[J]{client: client, function: function}
}

// Enqueue has the job done soon, at least once. What is queued already stays so, whatever becomes of the caller.
func (t *Target[J]) Enqueue(ctx context.Context, job J) error {
	payload, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode a job for %s: %w", t.function, err)
	}
	_, err = t.client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &t.function, InvocationType: types.InvocationTypeEvent, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke %s: %w", t.function, err)
	}
	return nil
}
