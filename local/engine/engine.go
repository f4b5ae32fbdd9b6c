// Package engine runs dynoxide, a DynamoDB-compatible program of one file, as a child process.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/template"
)

// startLimit is how long a start may take. It takes 10 to 40 ms on an idle machine.
const startLimit = 15 * time.Second

// Options say how to run the engine.
type Options struct {
	Binary   string        // from Binary()
	DataFile string        // SQLite file; empty keeps everything in memory
	Sweep    time.Duration // how often expired items are deleted; 0: never
	Log      io.Writer     // the engine's own messages; nil discards them
}

// Engine is a running engine on a loopback port.
type Engine struct {
	endpoint string
	cmd      *exec.Cmd
	lifeline io.Closer // while it is open the engine lives
	done     chan struct{}
	stop     context.CancelFunc
}

// lifelineScript runs a program as long as its standard input stays open. The kernel closes that pipe when the runner
// dies, of SIGKILL too, so the program never outlives it; this works on every POSIX system.
const lifelineScript = `exec 3<&0; "$@" </dev/null & program=$!
(while read -r _ <&3; do :; done; kill "$program" 2>/dev/null) >/dev/null 2>&1 & watch=$!
exec 3<&-; wait "$program"; code=$?; kill "$watch" 2>/dev/null; exit "$code"`

// Start runs the engine and returns once it answers. It lives until Close, or until this process dies.
func Start(ctx context.Context, o Options) (*Engine, error) {
	var failed error
	for range 3 { // another program may take the free port before the engine does
		e, err := start(ctx, o)
		if err == nil {
			return e, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func start(ctx context.Context, o Options) (*Engine, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	args := []string{"-c", lifelineScript, "engine", o.Binary, "serve", "--host", "127.0.0.1", "-p", ports[0]}
	if o.DataFile != "" {
		args = append(args, "--db-path", o.DataFile)
	}
	if o.Sweep > 0 {
		args = append(args, "--mcp", "--mcp-no-auth", "--mcp-port", ports[1])
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = o.Log, o.Log
	cmd.WaitDelay = time.Second
	// A group of its own: Ctrl-C reaches the runner only, which stops the engine last.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the DynamoDB engine: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the DynamoDB engine: %w", err)
	}
	e := &Engine{endpoint: "http://127.0.0.1:" + ports[0], cmd: cmd, lifeline: lifeline, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the exit code says nothing: the engine is always ended by a signal
		close(e.done)
	}()
	if err := e.awaitAnswer(ctx); err != nil {
		e.Close()
		return nil, err
	}
	e.startSweeping(o.Sweep, "http://127.0.0.1:"+ports[1]+"/mcp")
	return e, nil
}

// awaitAnswer returns once the engine lists its tables.
func (e *Engine) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	client := Client(e.endpoint)
	for {
		if _, err := client.ListTables(ctx, &dynamodb.ListTablesInput{}, once); err == nil {
			return nil
		}
		select {
		case <-e.done:
			return errors.New("the DynamoDB engine ended while it started")
		case <-ctx.Done():
			return fmt.Errorf("the DynamoDB engine does not answer: %w", ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// Endpoint is the engine's base URL.
func (e *Engine) Endpoint() string { return e.endpoint }

// Done is closed when the engine has ended, for whatever reason.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Close ends the engine and waits until it is gone. What it had answered is on disk already.
func (e *Engine) Close() {
	if e.stop != nil {
		e.stop()
	}
	_ = e.lifeline.Close() // the script answers by ending the engine
	select {
	case <-e.done:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // its own group, made in start
		<-e.done
	}
}

// Client returns a client for an engine, with the made-up credentials that every local program uses.
func Client(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       template.Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// Binary finds the engine's program: the file that TOKENIM_DYNOXIDE names, or the one that `make tools` installed
// under the repository that holds the current folder.
func Binary() (string, error) {
	if path := os.Getenv("TOKENIM_DYNOXIDE"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("TOKENIM_DYNOXIDE: %w", err)
		}
		return path, nil
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".tools/node_modules/@dynoxide", platform(), "dynoxide")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the DynamoDB engine is not installed (looked for %s): run `make tools`", path)
	}
	return path, nil
}

// platform names this machine as npm does, such as linux-x64.
func platform() string {
	if runtime.GOARCH == "amd64" {
		return runtime.GOOS + "-x64"
	}
	return runtime.GOOS + "-" + runtime.GOARCH
}

// Repository returns the nearest folder, from the current one upwards, that holds a go.mod.
func Repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		up := filepath.Dir(folder)
		if up == folder {
			return "", errors.New("no go.mod here or above: run this inside the repository")
		}
		folder = up
	}
}

// freePorts returns loopback ports that nobody listens on at the moment.
func freePorts(n int) ([]string, error) {
	ports := make([]string, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
