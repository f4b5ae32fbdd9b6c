//go:build conformance

// Package privilege holds each function's role to what the function really did: it runs after the conformance suite, on
// the same metered runner, and fails where an action was granted and not used, or used and not granted.
package privilege

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/template"
)

// lateSocket is why a function that cuts sockets a second time may find none.
const lateSocket = "only a socket that opened while its key was being refused is left to it"

// grantedUse is why a function may never write to users.
const grantedUse = "that a user uses what it was granted is written down once a day, by the function that it comes to first"

// dividedParts is why a pusher needs no more than the subscriptions.
const dividedParts = "a group's subscriptions are divided when more than 500 devices are online"

// rare are granted actions that a run of the suite need not see, of every function or of the one that is named, each with
// the reason.
var rare = map[string]string{
	"dynamodb:UpdateItem accounts-table": "a session's use is written down when it is five minutes old",
	"dynamodb:UpdateItem keys-table":     "a key's use is written down once an hour, by the function that it comes to first",

	"KeysFunction dynamodb:UpdateItem users-table":     grantedUse,
	"MessagesFunction dynamodb:UpdateItem users-table": grantedUse,
	"GroupsFunction dynamodb:UpdateItem users-table":   grantedUse,
	"RecordsFunction dynamodb:UpdateItem users-table":  grantedUse,
	"PresenceFunction dynamodb:UpdateItem users-table": grantedUse,

	"PusherFunction sqs:SendMessage fanout-queue.fifo":        dividedParts,
	"PusherFunction dynamodb:GetItem groups-table":            dividedParts,
	"PusherFunction dynamodb:UpdateItem groups-table":         dividedParts,
	"PusherFunction dynamodb:PutItem sends-table":             "only a post that the gateway refuses is noted",
	"UserJobsFunction sqs:SendMessage user-jobs-queue":        "only an erasing that takes longer than a minute goes on in another job",
	"UserJobsFunction dynamodb:DeleteItem connections-table":  "only who is deleted while it has devices in a large group has subscriptions to end",
	"UserJobsFunction dynamodb:UpdateItem connections-table":  "mostly the deleted user's sockets are gone when the job comes, and nobody of its groups is noted",
	"MediaFunction dynamodb:UpdateItem users-table":           grantedUse,
	"UserJobsFunction dynamodb:UpdateItem media-table":        "a broadcast's media is kept when it begins; its job keeps it again where its read lags behind that",
	"MediaCheckFunction s3:DeleteObject media-bucket/media/*": "only what was checked while its app was erased is removed",

	"WatchersFunction sqs:SendMessage presence-queue": "only what more than 2,000 watch is told by several jobs",

	"PusherFunction dynamodb:UpdateItem connections-table": "a user's first group is noted by the fan-out only where whoever took the user in did not come to it",

	"dynamodb:UpdateItem sends-table":                "a client-ID record moves only where its message's number was left empty for seconds",
	"ResumeFunction dynamodb:PutItem messages-table": "only a number of a group that its writer has left empty is filled",

	"RevocationsFunction dynamodb:UpdateItem connections-table": lateSocket,
	"RevocationsFunction dynamodb:DeleteItem connections-table": lateSocket,
	"TasksFunction dynamodb:UpdateItem connections-table":       lateSocket,
	"TasksFunction dynamodb:DeleteItem connections-table":       lateSocket,
	"dynamodb:UpdateItem data-keys-table":                       "one seal in 4,096 is counted",
	"dynamodb:PutItem data-keys-table":                          "whichever function is first makes an app's data key",
	"dynamodb:Query data-keys-table":                            "a function that has no need to seal in the run does not ask for the current key",
}

func TestRolesGrantWhatIsUsedAndNothingElse(t *testing.T) {
	stats := read(t)
	tpl, err := template.Load("../../template.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range tpl.Functions {
		granted, used := grants(function), uses(stats, function.Name)
		for _, action := range used {
			if !slices.Contains(granted, action) {
				t.Errorf("%s used %s, which its role does not grant", function.Name, action)
			}
		}
		for _, action := range granted {
			if !excused(function.Name, action) && !slices.Contains(used, action) {
				t.Errorf("%s is granted %s and did not use it", function.Name, action)
			}
		}
	}
}

func excused(function, action string) bool {
	_, everywhere := rare[action]
	_, here := rare[function+" "+action]
	return everywhere || here
}

// counted is what the runner counts of the functions' calls.
type counted struct {
	DynamoDB []meter.Usage
	SQS      []meter.QueueUsage
	S3       []meter.ObjectUsage
}

// read returns what the runner has counted.
func read(t *testing.T) (stats counted) {
	answer, err := http.Get(os.Getenv("TOKENIM_URL") + "/_local/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	if len(stats.DynamoDB) == 0 {
		t.Fatal("the runner counts nothing; start it with -meter")
	}
	return stats
}

// queues begins the names of the runner's queues, in the form that roles have them.
const queues = "arn:aws:sqs:"

// grants lists the actions of a function's role on tables and queues, as "dynamodb:GetItem users-table", "…
// users-table/index/directory" or "sqs:SendMessage jobs", "s3:GetObject bucket/folder/*".
func grants(function *template.Function) (granted []string) {
	for _, statement := range function.Policies {
		for _, action := range statement.Actions {
			for _, resource := range statement.Resources {
				if _, table, ok := strings.Cut(resource, ":table/"); ok {
					granted = append(granted, action+" "+table)
				}
				if bucket, ok := strings.CutPrefix(resource, buckets); ok {
					granted = append(granted, action+" "+bucket)
				}
				if strings.HasPrefix(resource, queues) {
					granted = append(granted, action+" "+resource[strings.LastIndex(resource, ":")+1:])
				}
			}
		}
	}
	return granted
}

// buckets begins the names of buckets.
const buckets = "arn:aws:s3:::"

// uses lists what the function did, in the same form.
func uses(stats counted, function string) (used []string) {
	for _, usage := range stats.DynamoDB {
		if usage.Function != function {
			continue
		}
		target := usage.Table
		if usage.Index != "" {
			target += "/index/" + usage.Index
		}
		used = append(used, fmt.Sprintf("%s %s", usage.Action, target))
	}
	for _, usage := range stats.SQS {
		if usage.Function == function {
			used = append(used, usage.Action+" "+usage.Queue)
		}
	}
	for _, usage := range stats.S3 {
		if usage.Function == function {
			used = append(used, usage.Action+" "+usage.Resource)
		}
	}
	return used
}
