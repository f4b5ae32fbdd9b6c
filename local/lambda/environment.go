package lambda

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/tokenim/tokenim/local/template"
)

// What functions sign their requests with. The laptop runner's S3 checks it; nothing else does.
const (
	AccessKey = "local"
	SecretKey = "local"
)

// environment is one process of a function with the Runtime API that serves it.
type environment struct {
	function   *function
	generation int
	answered   bool // guarded by function.mu

	work   chan *invocation // at most one at a time
	cmd    *exec.Cmd
	server *http.Server
	gone   chan struct{} // closed when the process has ended and what it had taken is settled

	mu      sync.Mutex
	started bool        // it has asked for work once
	exit    string      // how the process ended
	current *invocation // taken and not yet answered
}

// startEnvironment starts a process. function.mu is held.
func startEnvironment(f *function) (*environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start function %s: %w", f.Name, err)
	}
	env := &environment{function: f, generation: f.generation, work: make(chan *invocation, 1), gone: make(chan struct{})}
	env.server = &http.Server{Handler: env.runtimeAPI(), ReadHeaderTimeout: 10 * time.Second}
	env.cmd = exec.Command(f.Binary)
	env.cmd.Args = []string{"bootstrap"}
	env.cmd.Env = env.variables(listener.Addr().String())
	env.cmd.SysProcAttr = dieWithParent()
	env.cmd.WaitDelay = time.Second
	reader, writer, err := os.Pipe()
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start function %s: %w", f.Name, err)
	}
	env.cmd.Stdout, env.cmd.Stderr = writer, writer
	err = env.cmd.Start()
	_ = writer.Close() // the process has its own copy
	if err != nil {
		_ = listener.Close()
		_ = reader.Close()
		return nil, fmt.Errorf("start function %s: %w", f.Name, err)
	}
	go func() { _ = env.server.Serve(listener) }()
	go env.forward(reader)
	go env.awaitExit()
	env.watchInit()
	return env, nil
}

// variables are the template's, and those that Lambda sets. Nothing of the runner's own environment leaks in.
func (env *environment) variables(address string) []string {
	f := env.function
	task := filepath.Dir(f.Binary)
	variables := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC",
		"AWS_LAMBDA_RUNTIME_API=" + address,
		"AWS_LAMBDA_FUNCTION_NAME=" + f.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(max(f.MemoryMB, 128)),
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.Name, "AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + template.Region, "AWS_DEFAULT_REGION=" + template.Region,
		"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"_HANDLER=bootstrap", "LAMBDA_TASK_ROOT=" + task, "LAMBDA_RUNTIME_DIR=" + task,
	}
	for name, value := range f.Environment {
		variables = append(variables, name+"="+value)
	}
	return variables
}

// forward copies the process's output to the log, line by line.
func (env *environment) forward(output io.ReadCloser) {
	defer output.Close()
	lines := bufio.NewReaderSize(output, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			text := fmt.Appendf(nil, "%s | %s", env.function.Name, line)
			if line[len(line)-1] != '\n' {
				text = append(text, '\n')
			}
			_, _ = env.function.host.options.Log.Write(text)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// watchInit kills a process that does not ask for work in time.
func (env *environment) watchInit() {
	time.AfterFunc(initLimit, func() {
		env.mu.Lock()
		defer env.mu.Unlock()
		if !env.started {
			env.kill()
		}
	})
}

func (env *environment) kill() { _ = env.cmd.Process.Kill() } // it may have ended by itself

// awaitExit settles what the process leaves behind when it ends. An invocation that it had taken has failed; one that it
// had not taken is left to invoke, which sees that the environment is gone.
func (env *environment) awaitExit() {
	err := env.cmd.Wait()
	env.function.remove(env)
	_ = env.server.Close()
	env.mu.Lock()
	defer env.mu.Unlock()
	env.exit = "exit status 0"
	if err != nil {
		env.exit = err.Error()
	}
	if env.current != nil {
		env.current.finish(exitFailure(env.current.id, env.exit))
		env.current = nil
	}
	close(env.gone)
}

// initFailure is the result of an invocation whose process ended before it ever asked for work. There is no second try:
// a program that cannot start would not start the next time either.
func (env *environment) initFailure(in *invocation) (Result, bool) {
	env.mu.Lock()
	defer env.mu.Unlock()
	return exitFailure(in.id, env.exit), !env.started
}
