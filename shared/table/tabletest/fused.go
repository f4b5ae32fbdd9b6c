package tabletest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Fused returns a client like the given one, whose every request that can write passes the fuse.
func Fused(client *dynamodb.Client, fuse *storetest.Fuse) *dynamodb.Client {
	options := client.Options()
	handle := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
		send := func() (err error) {
			out, metadata, err = next.HandleInitialize(ctx, in)
			return err
		}
		switch in.Parameters.(type) {
		case *dynamodb.GetItemInput, *dynamodb.BatchGetItemInput, *dynamodb.QueryInput:
			if err := fuse.Read(); err != nil {
				return out, metadata, err
			}
			err = send()
		default:
			err = fuse.Write(send)
		}
		return out, metadata, err
	}
	options.APIOptions = append(options.APIOptions[:len(options.APIOptions):len(options.APIOptions)], func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("tabletest.Fused", handle), middleware.Before)
	})
	return dynamodb.New(options)
}
