// Package awsenv reads what every AWS client needs from the environment that Lambda sets. It stands in for the SDK's
// config package, which would add a megabyte to every function.
package awsenv

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// connectionsPerHost keeps that many idle connections to one service: a send posts to a handful of devices and reads
// from a handful of tables at once, and the SDK's 10 would close and reopen the rest.
const connectionsPerHost = 64

// attemptPatience is how long one attempt at a call may take. Services answer within milliseconds; what takes longer is
// better asked again.
const attemptPatience = 3 * time.Second

// httpClient is shared by the clients of all services.
var httpClient = awshttp.NewBuildableClient().WithTimeout(attemptPatience).WithTransportOptions(func(t *http.Transport) {
	t.MaxIdleConnsPerHost = connectionsPerHost
})

// transient knows what is worth another attempt, as the SDK does: throttling, time-outs, lost connections, 5xx.
var transient = retry.IsErrorRetryables(retry.DefaultRetryables)

// Transient tells whether a service was too busy or out of reach, so that the same call can succeed later.
func Transient(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || transient.IsErrorRetryable(err) == aws.TrueTernary
}

// Config returns region, credentials and HTTP client as Lambda's environment has them.
func Config() aws.Config {
	return aws.Config{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		HTTPClient: httpClient,
	}
}

// Endpoint returns the address that AWS_ENDPOINT_URL_<SERVICE> names, nil for the real service. SERVICE is the SDK's
// name in capitals, such as DYNAMODB.
func Endpoint(service string) *string {
	if url := os.Getenv("AWS_ENDPOINT_URL_" + service); url != "" {
		return &url
	}
	return nil
}
