// Command post is the mailing function of the runner's own tests: it mails the link base of its environment.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
)

var client = sesv2.New(sesv2.Options{
	Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_SESV2")), RetryMaxAttempts: 1})

type job struct {
	To string `json:"to"`
}

func main() { lambda.Start(handle) }

func handle(ctx context.Context, work job) error {
	text := func(data string) *types.Content { return &types.Content{Data: &data, Charset: aws.String("UTF-8")} }
	_, err := client.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: aws.String(os.Getenv("MAIL_FROM")), Destination: &types.Destination{ToAddresses: []string{work.To}},
		Content: &types.EmailContent{Simple: &types.Message{Subject: text("Hello"), Body: &types.Body{Text: text(os.Getenv("LINK_BASE") + "/link")}}}})
	return err
}
