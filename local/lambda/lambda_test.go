package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/tokenim/tokenim/local/lambda"
)

// probe is the compiled fixture, see local/testdata/functions/probe.
var probe string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "tokenim-lambda-")
	if err != nil {
		panic(err)
	}
	probe = filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc,nethttpomithttp2", "-o", probe, "../testdata/functions/probe")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// counts collects what a host counts and logs.
type counts struct {
	mu   sync.Mutex
	n    map[string]int
	text bytes.Buffer
}

func (c *counts) add(what, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}

func (c *counts) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}

func (c *counts) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *counts) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func host(t testing.TB, change func(*lambda.Options)) (*lambda.Host, *counts) {
	c := &counts{n: map[string]int{}}
	o := lambda.Options{
		Functions: []lambda.Function{{Name: "Probe", Binary: probe, Timeout: 5 * time.Second, Retries: 2, Environment: map[string]string{"COLOUR": "blue"}}},
		Log:       c, Count: c.add, DoubleEvery: -1, RetryWait: time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	h := lambda.New(o)
	t.Cleanup(h.Close)
	return h, c
}

type answer struct {
	PID       int
	Calls     int
	Env       []string
	LeftMS    int    `json:"left_ms"`
	RequestID string `json:"request_id"`
	ARN       string
}

func invoke(t testing.TB, h *lambda.Host, payload string) answer {
	t.Helper()
	result, err := h.Invoke(context.Background(), "Probe", []byte(payload))
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s: %s, %v", payload, result.Payload, err)
	}
	var a answer
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// mustFail returns the error type and message of a failed invocation.
func mustFail(t *testing.T, h *lambda.Host, payload string) (kind, message string) {
	t.Helper()
	result, err := h.Invoke(t.Context(), "Probe", []byte(payload))
	if err != nil || result.FunctionError != "Unhandled" {
		t.Fatalf("%s: %s, %q, %v", payload, result.Payload, result.FunctionError, err)
	}
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(result.Payload, &e); err != nil {
		t.Fatal(err)
	}
	return e.ErrorType, e.ErrorMessage
}

func TestOneEnvironmentServesOneInvocationAfterTheOther(t *testing.T) {
	h, c := host(t, nil)
	first := invoke(t, h, `{}`)
	for range 20 {
		if next := invoke(t, h, `{}`); next.PID != first.PID {
			t.Fatalf("process %d after %d", next.PID, first.PID)
		}
	}
	if c.get("cold_starts") != 1 || c.get("invocations") != 21 {
		t.Errorf("counts = %v", c.n)
	}
	if first.LeftMS < 4000 || first.LeftMS > 5000 || len(first.RequestID) != 36 || !strings.HasSuffix(first.ARN, ":function:Probe") {
		t.Errorf("context = %+v", first)
	}
}

func TestTheEnvironmentIsClean(t *testing.T) {
	t.Setenv("SECRET_OF_THE_RUNNER", "x")
	h, _ := host(t, nil)
	env := strings.Join(invoke(t, h, `{}`).Env, "\n")
	for _, want := range []string{"COLOUR=blue", "AWS_REGION=us-east-1", "AWS_LAMBDA_FUNCTION_NAME=Probe", "_HANDLER=bootstrap", "AWS_ACCESS_KEY_ID=local"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %s in\n%s", want, env)
		}
	}
	if strings.Contains(env, "SECRET_OF_THE_RUNNER") || strings.Contains(env, "HOME=") {
		t.Errorf("the runner's environment leaks:\n%s", env)
	}
}

func TestOverlappingInvocationsHaveProcessesOfTheirOwn(t *testing.T) {
	h, _ := host(t, func(o *lambda.Options) { o.Max = 3 })
	pids := make([]int, 6)
	var all sync.WaitGroup
	for i := range pids {
		all.Go(func() { pids[i] = invoke(t, h, `{"do":"sleep","ms":150}`).PID })
	}
	all.Wait()
	distinct := map[int]bool{}
	for _, pid := range pids {
		distinct[pid] = true
	}
	if len(distinct) != 3 {
		t.Errorf("%d processes for 6 overlapping invocations and a maximum of 3", len(distinct))
	}
}

func TestFailuresOfAFunction(t *testing.T) {
	h, _ := host(t, nil)
	for payload, want := range map[string][2]string{
		`{"do":"error","text":"bad"}`:        {"errorString", "bad"},
		`{"do":"panic"}`:                     {"string", "on purpose"},
		`{"do":"exit"}`:                      {"Runtime.ExitError", "exit status 7"},
		`{"do":"big","bytes":6291457}`:       {"Function.ResponseSizeTooLarge", "exceeded maximum"},
		`{"do":"error","text":"once again"}`: {"errorString", "once again"},
	} {
		kind, message := mustFail(t, h, payload)
		if kind != want[0] || !strings.Contains(message, want[1]) {
			t.Errorf("%s: %s, %q; want %v", payload, kind, message, want)
		}
	}
	invoke(t, h, `{}`)
}

func TestAFunctionThatTakesTooLongIsKilled(t *testing.T) {
	h, _ := host(t, func(o *lambda.Options) { o.Functions[0].Timeout = 500 * time.Millisecond })
	before := invoke(t, h, `{}`).PID
	kind, message := mustFail(t, h, `{"do":"spin"}`)
	if kind != "Sandbox.Timedout" || !strings.Contains(message, "Task timed out after 0.50 seconds") {
		t.Errorf("%s, %q", kind, message)
	}
	await(t, func() bool { return syscall.Kill(before, 0) != nil })
	invoke(t, h, `{}`)
}

func TestABinaryThatCannotStartFails(t *testing.T) {
	h, _ := host(t, func(o *lambda.Options) { o.Functions[0].Binary = "/bin/false" })
	kind, _ := mustFail(t, h, `{}`)
	if kind != "Runtime.ExitError" {
		t.Errorf("error type %s", kind)
	}
}

func TestAnIdleProcessThatDiedIsReplaced(t *testing.T) {
	h, _ := host(t, nil)
	for range 20 {
		pid := invoke(t, h, `{}`).PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for syscall.Kill(pid, 0) == nil { // until the host has noticed
			time.Sleep(time.Millisecond)
		}
		if next := invoke(t, h, `{}`).PID; next == pid {
			t.Fatal("the dead process answered")
		}
	}
}

func TestRequestsAreLimited(t *testing.T) {
	h, _ := host(t, nil)
	if _, err := h.Invoke(t.Context(), "Probe", make([]byte, lambda.MaxPayload+1)); !errors.Is(err, lambda.ErrTooLarge) {
		t.Errorf("a request over 6 MB: %v", err)
	}
	if _, err := h.Invoke(t.Context(), "Nobody", nil); !errors.Is(err, lambda.ErrUnknownFunction) {
		t.Errorf("an unknown function: %v", err)
	}
}

func TestRenewStartsNewProcessesAndLetsOldOnesFinish(t *testing.T) {
	h, c := host(t, nil)
	before := invoke(t, h, `{}`).PID
	running := make(chan answer)
	go func() { running <- invoke(t, h, `{"do":"sleep","ms":300}`) }()
	await(t, func() bool { return c.get("invocations") == 2 })
	h.Renew()
	after := invoke(t, h, `{}`).PID
	if old := <-running; old.PID != before || after == before {
		t.Errorf("before %d, running %d, after %d", before, old.PID, after)
	}
	await(t, func() bool { return syscall.Kill(before, 0) != nil })
}

func TestOutputIsForwardedWithTheFunctionsName(t *testing.T) {
	h, c := host(t, nil)
	invoke(t, h, `{"do":"print","text":"hello there"}`)
	await(t, func() bool { return strings.Contains(c.log(), "Probe | hello there\n") })
}

func TestAsynchronousInvocationsAreTriedAgainAndDoubled(t *testing.T) {
	h, c := host(t, nil)
	notes := filepath.Join(t.TempDir(), "notes")
	payload, _ := json.Marshal(map[string]string{"do": "note", "text": notes})
	h.DoubleNext(1)
	if err := h.InvokeAsync("Probe", payload); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return attempts(notes) == 6 }) // two invocations of three attempts
	if err := h.InvokeAsync("Probe", payload); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return attempts(notes) == 9 })
	if c.get("async_invokes") != 2 {
		t.Errorf("counts = %v", c.n)
	}
}

func attempts(path string) int {
	text, _ := os.ReadFile(path) // not there before the first attempt
	return bytes.Count(text, []byte("\n"))
}

func TestTheServiceAPIForTheSDK(t *testing.T) {
	h, c := host(t, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	client := sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	out, err := client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("Probe"), Payload: []byte(`{"do":"error","text":"bad"}`)})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "bad") {
		t.Errorf("Invoke = %+v, %v", out, err)
	}
	out, err = client.Invoke(t.Context(), &sdk.InvokeInput{
		FunctionName: aws.String("arn:aws:lambda:us-east-1:000000000000:function:Probe"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`)})
	if err != nil || out.StatusCode != 202 {
		t.Errorf("Invoke Event = %+v, %v", out, err)
	}
	_, err = client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("Nobody")})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) {
		t.Errorf("an unknown function: %v", err)
	}
	await(t, func() bool { return c.get("invocations") == 2 })
}

// await waits until condition holds, 10 s at most.
func await(t *testing.T, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(limit) {
			t.Fatal("the condition did not come true")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func BenchmarkInvoke(b *testing.B) {
	h, _ := host(b, nil)
	invoke(b, h, `{}`)
	for b.Loop() {
		invoke(b, h, `{}`)
	}
}
