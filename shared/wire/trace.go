package wire

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/trace/tracedb"
)

// Failures returns what notes the pushes that failed.
func Failures(db *dynamodb.Client) connection.Failures {
	return &trace.Notes{Store: failedPushes(db), Clock: clock.System{}}
}

// Traces returns the service that tells where messages are.
func (c *Core) Traces(messages *message.Service) *trace.Service {
	return &trace.Service{Messages: messages, Devices: c.ConnectionStore(), Store: failedPushes(c.DB), Clock: clock.System{}}
}

func failedPushes(db *dynamodb.Client) *tracedb.Store {
	return &tracedb.Store{DB: db, Table: table.Name("SENDS")}
}
