// Package push reaches open sockets through API Gateway's management API.
package push

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/connection"
)

// Poster implements connection.Poster.
type Poster struct {
	client *apigatewaymanagementapi.Client
}

var _ connection.Poster = (*Poster)(nil)

// FromEnvironment returns a poster for the WebSocket API in WEBSOCKET_ENDPOINT, or for what stands in for it in
// AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI.
func FromEnvironment() *Poster {
	endpoint := awsenv.Endpoint("APIGATEWAYMANAGEMENTAPI")
	if endpoint == nil {
		endpoint = aws.String(os.Getenv("WEBSOCKET_ENDPOINT"))
	}
	return &Poster{client: apigatewaymanagementapi.NewFromConfig(awsenv.Config(), func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = endpoint
		// A push that API Gateway throttles is dropped: the client's version brings it back at a better time.
		o.RetryMaxAttempts = 2
	})}
}

// Post implements connection.Poster.
func (p *Poster) Post(ctx context.Context, id string, frame []byte) error {
	_, err := p.client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: frame})
	return classify("post to a connection", err)
}

// Close implements connection.Poster.
func (p *Poster) Close(ctx context.Context, id string) error {
	_, err := p.client.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
	return classify("close a connection", err)
}

// Exists implements connection.Poster.
func (p *Poster) Exists(ctx context.Context, id string) error {
	_, err := p.client.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	return classify("look at a connection", err)
}

func classify(doing string, err error) error {
	if _, gone := errors.AsType[*types.GoneException](err); gone {
		return connection.ErrGone
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
