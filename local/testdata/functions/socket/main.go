// Command socket is the WebSocket function of the runner's own tests: it posts every frame's event back.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var (
	who  = credentials.NewStaticCredentialsProvider("local", "local", "")
	post = apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region: "us-east-1", Credentials: who, BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")), RetryMaxAttempts: 1})
	notes = dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Credentials: who, BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"))})
)

type answer struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
}

func main() { lambda.Start(handle) }

func handle(ctx context.Context, raw json.RawMessage) (answer, error) {
	var event events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(raw, &event); err != nil {
		return answer{}, err
	}
	switch event.RequestContext.RouteKey {
	case "$connect":
		return connect(ctx, event)
	case "$disconnect":
		return answer{StatusCode: 200}, note(ctx, event.RequestContext.ConnectionID+" disconnect", string(raw))
	case "fail":
		return answer{}, errors.New("on purpose")
	case "slow":
		time.Sleep(300 * time.Millisecond)
	}
	_, err := post.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &event.RequestContext.ConnectionID, Data: raw})
	return answer{StatusCode: 200}, err
}

// connect notes whether a post was possible yet, and answers as the query's "connect" says.
func connect(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (answer, error) {
	_, err := post.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &event.RequestContext.ConnectionID, Data: []byte("too early")})
	outcome := "posted"
	if err != nil {
		outcome = err.Error()
	}
	if err := note(ctx, event.RequestContext.ConnectionID+" connect", outcome); err != nil {
		return answer{}, err
	}
	switch event.QueryStringParameters["connect"] {
	case "refuse":
		return answer{StatusCode: 402}, nil
	case "fail":
		return answer{}, errors.New("on purpose")
	case "protocol":
		return answer{StatusCode: 200, Headers: map[string]string{"Sec-WebSocket-Protocol": "chat.v1"}}, nil
	}
	return answer{StatusCode: 200}, nil
}

func note(ctx context.Context, key, text string) error {
	_, err := notes.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(os.Getenv("TABLE_NOTES")), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}, "text": &types.AttributeValueMemberS{Value: text}}})
	return err
}
