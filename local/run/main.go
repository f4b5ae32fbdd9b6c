package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/tokenim/tokenim/local/mailbox"
)

// Main is the program: it runs until Ctrl-C or SIGTERM, or until the command of -exec ends, and returns the exit code.
// Options are what the caller wires, such as Bootstrap; flags set the rest.
func Main(o Options, args []string, stdout, stderr io.Writer) int {
	command, err := parseFlags(&o, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
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
	defer r.Close()
	greet(stdout, r.ready)
	if command != "" {
		return execute(ctx, command, r, stdout, stderr)
	}
	<-ctx.Done()
	stop() // a second Ctrl-C ends the program at once
	fmt.Fprintln(stdout, "Stopping ...")
	return 0
}

// parseFlags sets options and returns the command of -exec.
func parseFlags(o *Options, args []string, stderr io.Writer) (command string, err error) {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.Port, "port", 8080, "port of the HTTP and WebSocket API, on loopback; 0 takes a free one")
	flags.StringVar(&o.Data, "data", ".local/data", "folder of the tables, the queues, the objects, the mails and the master key")
	flags.StringVar(&o.Ready, "ready", ".local/ready.json", "file that says where everything is, while the runner runs")
	flags.StringVar(&o.Template, "template", "template.yaml", "the template to run")
	flags.StringVar(&o.DynamoDB, "dynamodb-endpoint", "", "a DynamoDB to use in place of the runner's own engine")
	flags.BoolVar(&o.Memory, "memory", false, "keep the tables, the queues, the objects and the mails in memory")
	flags.BoolVar(&o.Meter, "meter", false, "count DynamoDB operations and units by function (GET /_local/stats)")
	flags.BoolVar(&o.Watch, "watch", true, "build again when a source file changes")
	flags.StringVar(&command, "exec", "", "run this shell command against the platform, then stop with its exit code; "+
		"it finds TOKENIM_URL, TOKENIM_WS, TOKENIM_API_KEY, TOKENIM_MAIL (the mails as JSON), TOKENIM_LOCAL (the base of the "+
		"runner's own pages) and TOKENIM_DYNAMODB in its environment")
	err = flags.Parse(args)
	return command, err
}

// execute runs a command against the platform and returns its exit code. It ends with the runner.
func execute(ctx context.Context, command string, r *Runner, stdout, stderr io.Writer) int {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(os.Environ(), "TOKENIM_URL="+r.ready.HTTP, "TOKENIM_WS="+r.ready.WebSocket, "TOKENIM_API_KEY="+r.ready.APIKey,
		"TOKENIM_MAIL="+r.ready.Mail, "TOKENIM_LOCAL="+r.url()+ownPrefix, "TOKENIM_DYNAMODB="+r.dynamodb)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what the command started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = shutdownLimit
	err := cmd.Run()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	fmt.Fprintf(stderr, "%s: %v\n", command, err)
	return 1
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
  Mail       %s

Try it:
  curl -s %s/register -H 'Content-Type: application/json' -d '{"api_key":"%s","username":"ann"}'
`, ready.HTTP, ready.WebSocket, key, ready.HTTP+mailbox.PagePath, ready.HTTP, key)
}
