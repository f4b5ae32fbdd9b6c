package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main is the program: it runs until Ctrl-C or SIGTERM and returns the exit code. Options are what the caller wires,
// such as Bootstrap; flags set the rest.
func Main(o Options, args []string, stdout, stderr io.Writer) int {
	if err := parseFlags(&o, args, stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o.Log = stderr
	fmt.Fprintln(stdout, "Building the functions ...")
	r, err := Start(ctx, o)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	greet(stdout, r.ready)
	<-ctx.Done()
	stop() // a second Ctrl-C ends the program at once
	fmt.Fprintln(stdout, "Stopping ...")
	r.Close()
	return 0
}

func parseFlags(o *Options, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.Port, "port", 8080, "port of the HTTP and WebSocket API, on loopback; 0 takes a free one")
	flags.StringVar(&o.Data, "data", ".local/data", "folder of the tables and the master key")
	flags.StringVar(&o.Ready, "ready", ".local/ready.json", "file that says where everything is, while the runner runs")
	flags.StringVar(&o.Template, "template", "template.yaml", "the template to run")
	flags.StringVar(&o.DynamoDB, "dynamodb-endpoint", "", "a DynamoDB to use in place of the runner's own engine")
	flags.BoolVar(&o.Memory, "memory", false, "keep the tables in memory")
	flags.BoolVar(&o.Meter, "meter", false, "count DynamoDB operations and units by function (GET /_local/stats)")
	flags.BoolVar(&o.Watch, "watch", true, "build again when a source file changes")
	return flags.Parse(args)
}

// greet prints where everything is, and a first request to paste.
func greet(w io.Writer, ready Ready) {
	key := ready.APIKey
	if key == "" {
		key = "<api key>"
	}
	fmt.Fprintf(w, `TokenIM runs on this machine. Ctrl-C stops it.
  HTTP       %s
  WebSocket  %s
  API key    %s

Try it:
  curl -s %s/register -H 'Content-Type: application/json' -d '{"api_key":"%s","username":"ann"}'
`, ready.HTTP, ready.WebSocket, key, ready.HTTP, key)
}
