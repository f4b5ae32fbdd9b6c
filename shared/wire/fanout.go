package wire

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/time/rate"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanoutdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/push"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/table"
)

// Audience returns what subscribes devices to large groups.
func Audience(db *dynamodb.Client) *fanout.Audience {
	return &fanout.Audience{Subscriptions: &fanoutdb.Store{DB: db, Connections: table.Name("CONNECTIONS")}, Records: &connectiondb.Store{DB: db, Table: table.Name("CONNECTIONS")},
		Members: &messagedb.Members{DB: db, Table: table.Name("CONVERSATIONS")}, Clock: clock.System{}}
}

// Distributor returns what hands the logs of large groups on, to the queue that FANOUT_QUEUE names.
func Distributor(db *dynamodb.Client) *fanout.Distributor {
	return &fanout.Distributor{States: &fanoutdb.Store{DB: db, Groups: table.Name("GROUPS")}, Log: &messagedb.Log{DB: db, Table: table.Name("MESSAGES")},
		Queue: fanoutQueue{queue.FromEnvironment("FANOUT_QUEUE")}}
}

// Pusher returns what posts to the devices that are subscribed, at most POSTS_PER_SECOND.
func Pusher(db *dynamodb.Client) *fanout.Pusher {
	perSecond, err := strconv.Atoi(os.Getenv("POSTS_PER_SECOND"))
	if err != nil || perSecond < 1 {
		panic("wire: POSTS_PER_SECOND is no number of posts; the function's environment in template.yaml lacks it")
	}
	store := &fanoutdb.Store{DB: db, Connections: table.Name("CONNECTIONS"), Groups: table.Name("GROUPS")}
	messages := &message.Service{Log: &messagedb.Log{DB: db, Table: table.Name("MESSAGES")}, Sealer: newKeyring(db), Clock: clock.System{}}
	return &fanout.Pusher{Subscriptions: store, States: store, Queue: fanoutQueue{queue.FromEnvironment("FANOUT_QUEUE")}, Messages: messages,
		Audience: Audience(db), Poster: push.FromEnvironment(),
		Limiter: rate.NewLimiter(rate.Limit(perSecond), 1+perSecond/bursts), Clock: clock.System{}, Failures: Failures(db)}
}

// bursts is the part of a second's posts that may come at once.
const bursts = 4

// fanoutQueue implements fanout.Queue with a FIFO queue.
type fanoutQueue struct{ queue queue.OrderedSender }

// SendInOrder implements fanout.Queue.
func (q fanoutQueue) SendInOrder(ctx context.Context, jobs []fanout.Job) error {
	messages := make([]queue.Ordered, len(jobs))
	for i, job := range jobs {
		messages[i] = queue.Ordered{Body: job, Group: job.Lane(), ID: job.Identity()}
	}
	return q.queue.SendOrdered(ctx, messages)
}

// Entries returns a handler that tells of the entries that a stream of the messages' table has; only of their places in the log
// and what the fan-out asks about. Where it fails Lambda tells of all again.
func Entries(tell func(ctx context.Context, told []message.Entry) error) func(context.Context, events.DynamoDBEvent) (any, error) {
	return func(ctx context.Context, event events.DynamoDBEvent) (any, error) {
		var told []message.Entry
		for _, record := range event.Records {
			entry, err := entryOf(record.Change.NewImage)
			if err != nil {
				return nil, fmt.Errorf("record %s: %w", record.EventID, err)
			}
			told = append(told, entry)
		}
		return nil, tell(ctx, told)
	}
}

// entryOf reads an entry's row. What is not there, as in the record of a row that was removed, is zero.
func entryOf(image map[string]events.DynamoDBAttributeValue) (message.Entry, error) {
	app, conversation, _ := strings.Cut(textOf(image["pk"]), "#")
	entry := message.Entry{App: id.StoredApp(app), Conversation: id.Conversation(conversation)}
	var reach int64
	for name, number := range map[string]*int64{"seq": &entry.Sequence, "base": &entry.Base, "reach": &reach} {
		if value, there := image[name]; there && value.DataType() == events.DataTypeNumber {
			var err error
			if *number, err = strconv.ParseInt(value.Number(), 10, 64); err != nil {
				return message.Entry{}, err
			}
		}
	}
	entry.Reach = message.Reach(reach)
	return entry, nil
}

func textOf(value events.DynamoDBAttributeValue) string {
	if value.IsNull() || value.DataType() != events.DataTypeString {
		return ""
	}
	return value.String()
}
