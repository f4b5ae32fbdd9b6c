// Package template reads the parts of template.yaml that a stand-in for AWS needs: functions with their environment,
// HTTP and WebSocket routes, tables, queues, buckets and triggers. Intrinsic functions are resolved on the way, with the account, the
// Region and the names that the laptop runner gives to resources:
//
//	tpl, err := template.Load("template.yaml", nil)
//	for _, route := range tpl.HTTP.Routes {
//		fmt.Println(route.Method, route.Path, route.Function)
//	}
//
// What it does not understand in a place that matters is an error, never a silent difference from a deployed stack.
package template

import (
	"sort"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/pattern"
)

// The pseudo parameters of every stack that the laptop runner stands in for.
const (
	Region    = "us-east-1"    // AWS::Region
	Account   = "000000000000" // AWS::AccountId
	Partition = "aws"          // AWS::Partition
	URLSuffix = "amazonaws.com"
	StackName = "tokenim-local"
)

// Template is what template.yaml declares, with every intrinsic function resolved.
type Template struct {
	Parameters map[string]string // after defaults and overrides
	Resources  map[string]string // logical ID -> CloudFormation type, of every resource
	Functions  []*Function       // by name
	HTTP       *HTTPAPI          // nil when the template has none
	WebSocket  *WebSocketAPI     // nil when the template has none
	Tables     []*Table          // by ID
	Queues     []*Queue          // by ID
	Buckets    []*Bucket         // by ID
	Streams    []*StreamTrigger
	Schedules  []*ScheduleTrigger

	QueueTriggers []*QueueTrigger
}

// Function is one AWS::Serverless::Function.
type Function struct {
	Name        string            // its logical ID, which is its physical name too
	Alias       string            // its FunctionName, by which callers may name it as well; empty where nothing is said
	Folder      string            // CodeUri without a trailing slash, relative to the template
	Handler     string            // as in the template; a Go function's program is its handler
	Timeout     time.Duration     // 3 s where neither the function nor Globals say otherwise, as on AWS
	MemoryMB    int               // 128 where nothing is said
	Environment map[string]string // Globals merged with the function's own, which win
	Policies    []Statement       // the inline statements of Policies
	Retries     int               // asynchronous invocations: further attempts after an error (2 where nothing is said)
	MaximumAge  time.Duration     // asynchronous invocations: 6 h where nothing is said
}

// Statement is one IAM statement. Actions and resources are as in the template, resolved.
type Statement struct {
	Effect    string
	Actions   []string
	Resources []string
	Condition Condition // nil: none
}

// Condition is the Condition of a statement: operator -> condition key -> values.
type Condition map[string]map[string][]string

// HTTPAPI is the AWS::Serverless::HttpApi with the routes that the functions' events declare.
type HTTPAPI struct {
	ID     string
	URL    string // as a deployed API's own address would read, without a slash at the end
	CORS   *CORS  // nil: none configured
	Routes []Route
}

// Route is one HTTP route. Method "ANY" stands for every method, Path "$default" for every path.
type Route struct {
	Method   string
	Path     string
	Function string
}

// Key is the route key as API Gateway writes it, such as "GET /users/{id}" or "$default".
func (r Route) Key() string {
	if r.Path == DefaultRoute {
		return DefaultRoute
	}
	return r.Method + " " + r.Path
}

// DefaultRoute is the key of the route that takes what no other route takes, in both kinds of API.
const DefaultRoute = "$default"

// CORS is the CorsConfiguration of the HTTP API.
type CORS struct {
	AllowOrigins     []string
	AllowMethods     []string
	AllowHeaders     []string
	ExposeHeaders    []string
	MaxAge           int // seconds
	AllowCredentials bool
}

// WebSocketAPI is the AWS::Serverless::WebSocketApi.
type WebSocketAPI struct {
	ID         string
	Stage      string
	Selection  string            // route selection expression, always $request.body.<field>
	Field      string            // the field that Selection names
	Authorizer string            // function; empty when the API has no authorizer
	Routes     map[string]string // route key -> function
}

// Table is one AWS::DynamoDB::Table.
type Table struct {
	ID     string // logical ID
	Name   string // physical name: the logical ID in lower-case kebab
	Create *dynamodb.CreateTableInput
	TTL    string // attribute that holds the expiry in Unix seconds; empty without one
}

// StreamTrigger is an event of type DynamoDB: batches of a table's stream go to a function.
type StreamTrigger struct {
	Function       string
	Table          string // physical name
	BatchSize      int32
	Window         time.Duration      // longest wait for a batch to fill
	FromLatest     bool               // StartingPosition LATEST instead of TRIM_HORIZON
	Retries        int                // -1: for ever
	MaximumAge     time.Duration      // of a record that is still tried; 0: as long as the stream has it
	Bisect         bool               // a batch for which the function fails is halved
	PartialBatches bool               // FunctionResponseTypes has ReportBatchItemFailures
	Discards       string             // physical name of the queue that is told of records that are given up; empty: none
	Filters        []*pattern.Pattern // one of which a record matches; none: all pass
}

// Function returns the function of that name or alias, or nil.
func (t *Template) Function(name string) *Function {
	for _, f := range t.Functions {
		if f.Name == name || name != "" && f.Alias == name {
			return f
		}
	}
	return nil
}

// Environment returns the variables of all functions together. Where functions differ, the last by name wins; the
// template gives one name one meaning.
func (t *Template) Environment() map[string]string {
	all := map[string]string{}
	for _, f := range t.Functions {
		for name, value := range f.Environment {
			all[name] = value
		}
	}
	return all
}

// TableVariables returns the environment variables that hold a table's name, such as TABLE_USERS, with that name.
func (t *Template) TableVariables() map[string]string {
	names := map[string]bool{}
	for _, table := range t.Tables {
		names[table.Name] = true
	}
	variables := map[string]string{}
	for name, value := range t.Environment() {
		if names[value] {
			variables[name] = value
		}
	}
	return variables
}

func (t *Template) sort() {
	sort.Slice(t.Functions, func(i, j int) bool { return t.Functions[i].Name < t.Functions[j].Name })
	sort.Slice(t.Tables, func(i, j int) bool { return t.Tables[i].ID < t.Tables[j].ID })
	sort.Slice(t.Queues, func(i, j int) bool { return t.Queues[i].ID < t.Queues[j].ID })
	sort.Slice(t.Buckets, func(i, j int) bool { return t.Buckets[i].ID < t.Buckets[j].ID })
	if t.HTTP != nil {
		sort.Slice(t.HTTP.Routes, func(i, j int) bool { return t.HTTP.Routes[i].Key() < t.HTTP.Routes[j].Key() })
	}
}
