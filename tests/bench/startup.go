package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/run"
)

// starts is how often each function is started; the median is printed.
const starts = 11

// printStartup prints how much CPU each function uses until it asks for its first event: the part of a cold start that
// is ours. The design allows 8 ms.
func printStartup(ctx context.Context, runner *run.Runner, binaries string) error {
	fmt.Printf("\n## CPU to the first event of a cold start\n\n| function | median of %d |\n|---|---|\n", starts)
	for _, function := range runner.Template().Functions {
		binary := filepath.Join(binaries, filepath.Base(function.Folder), "bootstrap")
		var took []time.Duration
		for range starts {
			cpu, err := coldStart(ctx, binary, runner.Environment(function.Name))
			if err != nil {
				return fmt.Errorf("start %s: %w", function.Name, err)
			}
			took = append(took, cpu)
		}
		slices.Sort(took)
		fmt.Printf("| %s | %.1f ms |\n", strings.TrimSuffix(function.Name, "Function"), float64(took[starts/2].Microseconds())/1000)
	}
	return nil
}

// coldStart starts the function, waits until it asks for an event, ends it, and returns the CPU time that it has used.
func coldStart(ctx context.Context, binary string, environment map[string]string) (time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	asked := make(chan struct{}, 1)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})}
	go server.Serve(listener)
	defer server.Close()
	command := exec.CommandContext(ctx, binary)
	command.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}
	for name, value := range environment {
		command.Env = append(command.Env, name+"="+value)
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	select {
	case <-asked:
	case <-ctx.Done():
	}
	_ = command.Process.Kill()
	_ = command.Wait() // it was killed: the error says so
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), ctx.Err()
}
