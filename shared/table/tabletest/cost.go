package tabletest

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Cost adds up the capacity units that a client's requests consume. It is safe for concurrent use.
type Cost struct {
	mutex sync.Mutex
	units float64
}

// Watch returns a client like the given one, whose requests are added to the cost. Only what asks for
// ReturnConsumedCapacity counts, as everything in shared/ does.
func Watch(client *dynamodb.Client) (*dynamodb.Client, *Cost) {
	cost, options := &Cost{}, client.Options()
	options.APIOptions = append(options.APIOptions[:len(options.APIOptions):len(options.APIOptions)], cost.middleware)
	return dynamodb.New(options), cost
}

// Take returns the units since the last call, of reads and writes together.
func (c *Cost) Take() float64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	units := c.units
	c.units = 0
	return units
}

func (c *Cost) middleware(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("tabletest.Cost", c.handle), middleware.Before)
}

func (c *Cost) handle(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, consumed := range consumedBy(out.Result) {
		if consumed.CapacityUnits != nil {
			c.units += *consumed.CapacityUnits
		}
	}
	return out, metadata, err
}

// consumedBy returns what an answer says about its capacity; nothing for a request that failed.
func consumedBy(answer any) []types.ConsumedCapacity {
	var one *types.ConsumedCapacity
	switch a := answer.(type) {
	case *dynamodb.GetItemOutput:
		one = a.ConsumedCapacity
	case *dynamodb.PutItemOutput:
		one = a.ConsumedCapacity
	case *dynamodb.UpdateItemOutput:
		one = a.ConsumedCapacity
	case *dynamodb.DeleteItemOutput:
		one = a.ConsumedCapacity
	case *dynamodb.QueryOutput:
		one = a.ConsumedCapacity
	case *dynamodb.BatchGetItemOutput:
		return a.ConsumedCapacity
	case *dynamodb.TransactWriteItemsOutput:
		return a.ConsumedCapacity
	}
	if one == nil {
		return nil
	}
	return []types.ConsumedCapacity{*one}
}
