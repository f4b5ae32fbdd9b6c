package template_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/template"
)

func load(t *testing.T) *template.Template {
	t.Helper()
	tpl, err := template.Load("../../template.yaml", map[string]string{"StageName": "v7"})
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func TestLoadReadsTheProjectsTemplate(t *testing.T) {
	tpl := load(t)
	keys := tpl.Function("KeysFunction")
	if keys == nil || keys.Folder != "functions/keys" || keys.Timeout != 29*time.Second || keys.Handler != "bootstrap" {
		t.Fatalf("KeysFunction = %+v", keys)
	}
	if got := keys.Environment["TABLE_DATA_KEYS"]; got != "data-keys-table" {
		t.Errorf("TABLE_DATA_KEYS = %q", got)
	}
	if got := keys.Environment["LOG_SAMPLE_RATE"]; got != "0.01" {
		t.Errorf("LOG_SAMPLE_RATE = %q, want the global value", got)
	}
	if got := keys.Environment["WEBSOCKET_ENDPOINT"]; got != "https://websocketapi.execute-api.us-east-1.amazonaws.com/v7" {
		t.Errorf("WEBSOCKET_ENDPOINT = %q", got)
	}
	own := func(s template.Statement) bool {
		return s.Effect == "Allow" && slices.Equal(s.Resources, []string{"arn:aws:dynamodb:us-east-1:000000000000:table/keys-table"})
	}
	if !slices.ContainsFunc(keys.Policies, own) {
		t.Errorf("policies = %+v", keys.Policies)
	}
	resume := tpl.Function("ResumeFunction")
	if resume.Retries != 2 || resume.MaximumAge != time.Minute {
		t.Errorf("resume: retries %d, age %v", resume.Retries, resume.MaximumAge)
	}
}

func TestLoadReadsRoutes(t *testing.T) {
	tpl := load(t)
	found := map[string]string{}
	for _, r := range tpl.HTTP.Routes {
		found[r.Key()] = r.Function
	}
	for key, function := range map[string]string{
		"$default": "RootFunction", "POST /send": "MessagesFunction",
		"POST /users/{id}/conversations/{conversation}/read": "MessagesFunction",
	} {
		if found[key] != function {
			t.Errorf("route %s = %q, want %q", key, found[key], function)
		}
	}
	if cors := tpl.HTTP.CORS; cors == nil || cors.MaxAge != 3600 || cors.AllowOrigins[0] != "*" {
		t.Errorf("CORS = %+v", cors)
	}
	ws := tpl.WebSocket
	if ws.Stage != "v7" || ws.Field != "action" || ws.Authorizer != "AuthorizerFunction" {
		t.Errorf("WebSocket = %+v", ws)
	}
	if ws.Routes["$connect"] != "ConnectionsFunction" || ws.Routes["send"] != "MessagesFunction" {
		t.Errorf("WebSocket routes = %v", ws.Routes)
	}
}

func TestLoadReadsTables(t *testing.T) {
	tpl := load(t)
	tables := map[string]*template.Table{}
	for _, table := range tpl.Tables {
		tables[table.ID] = table
	}
	connections := tables["ConnectionsTable"]
	if connections.Name != "connections-table" || connections.TTL != "expires" || len(connections.Create.GlobalSecondaryIndexes) != 1 {
		t.Errorf("ConnectionsTable = %+v", connections)
	}
	if tables["MessagesTable"].Create.StreamSpecification == nil {
		t.Error("MessagesTable has no stream")
	}
	if got := tpl.TableVariables()["TABLE_USERS"]; got != "users-table" {
		t.Errorf("TABLE_USERS = %q", got)
	}
	if got := len(tpl.TableVariables()); got != len(tpl.Tables) {
		t.Errorf("%d table variables for %d tables", got, len(tpl.Tables))
	}
}

const streamTemplate = `
Resources:
  EventsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Fanout:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/fanout/
      Events:
        Changes: {Type: DynamoDB, Properties: {Stream: !GetAtt EventsTable.StreamArn, StartingPosition: TRIM_HORIZON, BatchSize: 10, MaximumRetryAttempts: 3, FunctionResponseTypes: [ReportBatchItemFailures]}}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
`

func TestLoadReadsTriggers(t *testing.T) {
	tpl, err := template.Load(write(t, streamTemplate), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := template.StreamTrigger{Function: "Fanout", Table: "events-table", BatchSize: 10, Retries: 3, PartialBatches: true}
	if len(tpl.Streams) != 1 || !reflect.DeepEqual(*tpl.Streams[0], want) {
		t.Errorf("streams = %+v", tpl.Streams)
	}
	nightly := template.ScheduleTrigger{Function: "Fanout", Rule: "tokenim-local-FanoutNightly", Every: 24 * time.Hour}
	if len(tpl.Schedules) != 1 || *tpl.Schedules[0] != nightly {
		t.Errorf("schedules = %+v", tpl.Schedules)
	}
}

// What a deployed event source does with a stream's records, and the runner too.
const streamSettings = `MaximumRetryAttempts: 3, MaximumRecordAgeInSeconds: 3600, ParallelizationFactor: 2, BisectBatchOnFunctionError: true, MaximumBatchingWindowInSeconds: 1,
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt DeadLetters.Arn}},
            FilterCriteria: {Filters: [{Pattern: '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"large":{"N":[{"exists":true}]}}}}'}]}`

// withSettings is the template with those settings and the queues that they may name.
func withSettings(settings string) string {
	return strings.Replace(streamTemplate, "MaximumRetryAttempts: 3", settings, 1) + `
  DeadLetters: {Type: AWS::SQS::Queue}
  OrderedDeadLetters: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
`
}

func TestLoadReadsWhatAStreamsRecordsGoThrough(t *testing.T) {
	tpl, err := template.Load(write(t, withSettings(streamSettings)), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := *tpl.Streams[0]
	if len(got.Filters) != 1 {
		t.Fatalf("filters = %v", got.Filters)
	}
	image := func(name string) map[string]any {
		return map[string]any{"eventName": "INSERT", "dynamodb": map[string]any{"NewImage": map[string]any{name: map[string]any{"N": "1"}}}}
	}
	if !got.Filters[0].Matches(image("large")) || got.Filters[0].Matches(image("small")) {
		t.Error("the filter is another")
	}
	got.Filters = nil
	want := template.StreamTrigger{Function: "Fanout", Table: "events-table", BatchSize: 10, Window: time.Second, Retries: 3, MaximumAge: time.Hour,
		Bisect: true, PartialBatches: true, Discards: "dead-letters"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("trigger = %+v", got)
	}
}

func TestLoadRefusesStreamSettingsThatAWSRefusesOrTheRunnerDoesNotKnow(t *testing.T) {
	filter := `{Pattern: '{"eventName":["INSERT"]}'}`
	for name, c := range map[string]struct{ old, new, want string }{
		"retries":       {"Attempts: 3", "Attempts: 10001", "MaximumRetryAttempts 10001"},
		"age":           {"3600", "59", "MaximumRecordAgeInSeconds 59"},
		"parallel":      {"Factor: 2", "Factor: 11", "ParallelizationFactor 11"},
		"window":        {"InSeconds: 1,", "InSeconds: 301,", "MaximumBatchingWindowInSeconds 301"},
		"batch":         {"BatchSize: 10", "BatchSize: 0", "BatchSize 0"},
		"position":      {"TRIM_HORIZON", "AT_TIMESTAMP", "AT_TIMESTAMP"},
		"response":      {"[ReportBatchItemFailures]", "[All]", "All"},
		"operator":      {`"exists":true`, `"numeric":[">",0]`, "numeric"},
		"filters":       {"Filters: [", "Filters: [" + strings.Repeat(filter+", ", 5), "6 filters"},
		"key":           {`"eventName"`, `"eventID"`, "eventID"},
		"topic":         {"Type: SQS", "Type: SNS", "SNS"},
		"FIFO":          {"DeadLetters.Arn", "OrderedDeadLetters.Arn", "ordered-dead-letters.fifo"},
		"unknown":       {"!GetAtt DeadLetters.Arn", "arn:aws:sqs:us-east-1:000000000000:none", "none"},
		"tumbling time": {"ParallelizationFactor", "TumblingWindowInSeconds", "TumblingWindowInSeconds"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(withSettings(streamSettings), c.old, c.new, 1)
			if text == withSettings(streamSettings) {
				t.Fatal("nothing to replace")
			}
			if _, err := template.Load(write(t, text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}

func TestLoadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"intrinsic": {"!GetAtt EventsTable.StreamArn", "!ImportValue x", "!ImportValue"},
		"attribute": {"EventsTable.StreamArn", "EventsTable.Size", "EventsTable.Size"},
		"reference": {"EventsTable.StreamArn", "Nothing.StreamArn", "Nothing"},
		"event":     {"Type: Schedule,", "Type: Kinesis,", "Kinesis"},
		"property":  {"CodeUri: functions/fanout/", "CodeUri: x\n      VpcConfig: {}", "VpcConfig"},
		"condition": {"Type: AWS::DynamoDB::Table", "Type: AWS::DynamoDB::Table\n    Condition: Never", "Never"},
		"cron":      {"rate(1 day)", "cron(0 5 * * ? *)", "cron"},
		"plural":    {"rate(1 day)", "rate(1 days)", "rate(1 days)"},
		"singular":  {"rate(1 day)", "rate(2 day)", "rate(2 day)"},
		"never":     {"rate(1 day)", "rate(0 days)", "rate(0 days)"},
		"input":     {"rate(1 day)", "rate(1 day), Input: no JSON", "no JSON"},
		"twice":     {"        Nightly:", "        Other: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}\n        Nightly:", "second schedule"},
		"version 2": {"Type: Schedule,", "Type: ScheduleV2,", "ScheduleV2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template.Load(write(t, strings.Replace(streamTemplate, c.old, c.new, 1)), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}

const queueTemplate = `
Globals: {Function: {Timeout: 30}}
Resources:
  JobsQueue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: 5
      VisibilityTimeout: 180
      RedrivePolicy: {deadLetterTargetArn: !GetAtt JobsDead.Arn, maxReceiveCount: 3}
  JobsDead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${AWS::StackName}-dead", MessageRetentionPeriod: 1209600, SqsManagedSseEnabled: true}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker/
      Environment: {Variables: {JOBS: !Ref JobsQueue, NAME: !GetAtt JobsQueue.QueueName, DEAD: !Ref JobsDead, SUB: !Sub "${JobsDead} ${JobsDead.Arn}"}}
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt JobsQueue.Arn, BatchSize: 100, MaximumBatchingWindowInSeconds: 2, FunctionResponseTypes: [ReportBatchItemFailures], ScalingConfig: {MaximumConcurrency: 4}}}
`

func TestLoadReadsQueues(t *testing.T) {
	tpl, err := template.Load(write(t, queueTemplate), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []template.Queue{
		{ID: "JobsDead", Name: "tokenim-local-dead", Visibility: 30 * time.Second, Retention: 14 * 24 * time.Hour, MaximumSize: 1 << 20},
		{ID: "JobsQueue", Name: "jobs-queue", Delay: 5 * time.Second, Visibility: 3 * time.Minute, Retention: 4 * 24 * time.Hour, MaximumSize: 1 << 20, DeadLetters: "tokenim-local-dead", MaxReceives: 3},
	}
	if len(tpl.Queues) != 2 || *tpl.Queues[0] != want[0] || *tpl.Queues[1] != want[1] {
		t.Errorf("queues = %+v, %+v", tpl.Queues[0], tpl.Queues[1])
	}
	trigger := template.QueueTrigger{Function: "Worker", Queue: "jobs-queue", BatchSize: 100, Window: 2 * time.Second, PartialBatches: true, Concurrency: 4}
	if len(tpl.QueueTriggers) != 1 || *tpl.QueueTriggers[0] != trigger {
		t.Errorf("triggers = %+v", tpl.QueueTriggers)
	}
	const base = "https://sqs.us-east-1.amazonaws.com/000000000000/"
	for name, value := range map[string]string{"JOBS": base + "jobs-queue", "NAME": "jobs-queue", "DEAD": base + "tokenim-local-dead",
		"SUB": base + "tokenim-local-dead arn:aws:sqs:us-east-1:000000000000:tokenim-local-dead"} {
		if got := tpl.Function("Worker").Environment[name]; got != value {
			t.Errorf("%s = %s, want %s", name, got, value)
		}
	}
}

func TestLoadRefusesQueuesThatAWSRefusesOrTheRunnerDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"property":    {"DelaySeconds: 5", "Priority: 5", "Priority"},
		"delay":       {"DelaySeconds: 5", "DelaySeconds: 901", "DelaySeconds 901"},
		"receives":    {"maxReceiveCount: 3", "maxReceiveCount: 0", "maxReceiveCount 0"},
		"itself":      {"!GetAtt JobsDead.Arn, max", "!GetAtt JobsQueue.Arn, max", "not another queue"},
		"dead":        {"!GetAtt JobsDead.Arn, max", "\"arn:aws:sqs:us-east-1:000000000000:none\", max", "none"},
		"same name":   {"RedrivePolicy: {deadLetterTargetArn: !GetAtt JobsDead.Arn, maxReceiveCount: 3}", "QueueName: tokenim-local-dead", "named tokenim-local-dead too"},
		"too short":   {"VisibilityTimeout: 180", "VisibilityTimeout: 29", "less than the Timeout"},
		"no ARN":      {"Queue: !GetAtt JobsQueue.Arn", "Queue: !Ref JobsQueue", "not the Arn"},
		"unknown":     {"Queue: !GetAtt JobsQueue.Arn", "Queue: arn:aws:sqs:us-east-1:000000000000:none", "none"},
		"no window":   {"MaximumBatchingWindowInSeconds: 2", "MaximumBatchingWindowInSeconds: 0", "BatchSize 100"},
		"concurrency": {"MaximumConcurrency: 4", "MaximumConcurrency: 1", "MaximumConcurrency 1"},
		"filter":      {"BatchSize: 100", "FilterCriteria: {}", "FilterCriteria"},
		"response":    {"[ReportBatchItemFailures]", "[All]", "All"},
		"attribute":   {"JobsQueue.QueueName", "JobsQueue.Depth", "JobsQueue.Depth"},
		"condition":   {"Type: AWS::SQS::Queue\n    Properties:\n      Delay", "Type: AWS::SQS::Queue\n    Condition: Never\n    Properties:\n      Delay", "Never"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(queueTemplate, c.old, c.new, 1)
			if text == queueTemplate {
				t.Fatal("nothing to replace")
			}
			if _, err := template.Load(write(t, text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}

const fifoTemplate = `
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      ContentBasedDeduplication: true
      DeduplicationScope: messageGroup
      FifoThroughputLimit: perMessageGroupId
      RedrivePolicy: {deadLetterTargetArn: !GetAtt JobsDead.Arn, maxReceiveCount: 3}
  JobsDead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${AWS::StackName}-dead.fifo", FifoQueue: true}
  Other: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker/
      Environment: {Variables: {JOBS: !Ref Jobs}}
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 10, FunctionResponseTypes: [ReportBatchItemFailures], ScalingConfig: {MaximumConcurrency: 8}}}
`

func TestLoadReadsFIFOQueues(t *testing.T) {
	tpl, err := template.Load(write(t, fifoTemplate), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := template.Queue{ID: "Jobs", Name: "jobs.fifo", Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaximumSize: 1 << 20,
		DeadLetters: "tokenim-local-dead.fifo", MaxReceives: 3, FIFO: true, ContentBased: true, PerGroupDedup: true}
	if got := tpl.Queue("jobs.fifo"); got == nil || *got != want {
		t.Errorf("queue = %+v", got)
	}
	if got := tpl.Queue("tokenim-local-dead.fifo"); got == nil || !got.FIFO || got.ContentBased {
		t.Errorf("dead letters = %+v", got)
	}
	if got := tpl.Function("Worker").Environment["JOBS"]; got != "https://sqs.us-east-1.amazonaws.com/000000000000/jobs.fifo" {
		t.Errorf("JOBS = %s", got)
	}
	trigger := template.QueueTrigger{Function: "Worker", Queue: "jobs.fifo", BatchSize: 10, PartialBatches: true, Concurrency: 8}
	if len(tpl.QueueTriggers) != 1 || *tpl.QueueTriggers[0] != trigger {
		t.Errorf("trigger = %+v", tpl.QueueTriggers[0])
	}
}

func TestLoadRefusesFIFOQueuesThatAWSRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"no ending":     {"-dead.fifo", "-dead", "ends with .fifo"},
		"only ending":   {`-dead.fifo", FifoQueue: true`, `-dead.fifo"`, "ends with .fifo"},
		"content":       {"Other: {Type: AWS::SQS::Queue", "Other: {Type: AWS::SQS::Queue, Properties: {ContentBasedDeduplication: true}", "need FifoQueue"},
		"scope":         {"messageGroup", "group", `DeduplicationScope "group"`},
		"limit":         {"perMessageGroupId", "none", `FifoThroughputLimit "none"`},
		"both":          {"DeduplicationScope: messageGroup", "DeduplicationScope: queue", "needs DeduplicationScope"},
		"standard dead": {"JobsDead.Arn", "Other.Arn", "both FIFO"},
		"batch":         {"BatchSize: 10", "BatchSize: 11, MaximumBatchingWindowInSeconds: 1", "BatchSize of 10"},
		"window":        {"BatchSize: 10", "BatchSize: 10, MaximumBatchingWindowInSeconds: 1", "no MaximumBatchingWindowInSeconds"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(fifoTemplate, c.old, c.new, 1)
			if text == fifoTemplate {
				t.Fatal("nothing to replace")
			}
			if _, err := template.Load(write(t, text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}

func TestLoadRefusesAnUnknownParameter(t *testing.T) {
	_, err := template.Load("../../template.yaml", map[string]string{"Nope": "1"})
	if err == nil || !strings.Contains(err.Error(), "Nope") {
		t.Errorf("error = %v", err)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
