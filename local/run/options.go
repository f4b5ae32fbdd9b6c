// Package run is the laptop runner as a value: what `go run ./local` starts, and what tests start too.
//
//	r, err := run.Start(ctx, run.Options{Root: "../..", Port: 0, Data: t.TempDir(), Ready: filepath.Join(t.TempDir(), "ready.json")})
//	defer r.Close()
//	http.Get(r.Ready().HTTP + "/status")
//
// The public listener serves the HTTP API, the WebSocket API under its stage (/v1), and the runner's own pages under
// /_local. An internal listener serves the functions: Lambda's Invoke, @connections, SES, SQS, S3, and DynamoDB when it is metered.
// Both are on loopback only.
package run

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/tokenim/tokenim/local/schedules"
)

// Options say what to run and where.
type Options struct {
	Root     string // the repository; relative paths below are relative to it
	Template string // default template.yaml
	Port     int    // public port; 0 takes a free one
	Data     string // folder of the tables, the queues, the objects, the mails and the master key; default .local/data
	Ready    string // file that says where everything is; default .local/ready.json
	Binaries string // folder of the compiled functions; default .local/bin
	// Endpoint of a DynamoDB to use in place of the engine that the runner starts.
	DynamoDB string
	Memory   bool // keep the tables, the queues, the objects and the mails in memory
	Meter    bool // count DynamoDB operations and units by function
	Watch    bool // build again when a source file changes
	// Bootstrap is called once the tables are there, with every function's environment and the data folder. It
	// returns the API key that ready.json and the printed example show.
	Bootstrap func(ctx context.Context, env map[string]string, dataDir string) (apiKey string, err error)
	Log       io.Writer // what functions and the runner print; nil discards it
	// DoubleEvery makes one in so many asynchronous invocations, and batches of queues, happen twice (default 100; negative:
	// never).
	DoubleEvery int
	RetryWait   time.Duration     // before an asynchronous invocation is tried again; default 1 s
	Parameters  map[string]string // of the template
	Clock       schedules.Clock   // of the schedules; default the machine's
}

func (o Options) withDefaults() (Options, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return o, err
	}
	o.Root = root
	o.Template = o.path(o.Template, "template.yaml")
	o.Data = o.path(o.Data, ".local/data")
	o.Ready = o.path(o.Ready, ".local/ready.json")
	o.Binaries = o.path(o.Binaries, ".local/bin")
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o, nil
}

func (o Options) path(given, otherwise string) string {
	if given == "" {
		given = otherwise
	}
	if filepath.IsAbs(given) {
		return given
	}
	return filepath.Join(o.Root, given)
}
