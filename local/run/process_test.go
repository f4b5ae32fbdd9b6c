package run_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/run"
)

// program runs the runner as a program of its own, from this test's binary.
func program(t *testing.T, folder string, flags ...string) (*exec.Cmd, *lines) {
	t.Helper()
	output := &lines{}
	cmd := exec.Command(os.Args[0], "-port", "0", "-template", fixture, "-data", folder, "-ready", filepath.Join(folder, "ready.json"), "-watch=false")
	cmd.Args = append(cmd.Args, flags...)
	cmd.Env = append(os.Environ(), "RUN_TEST_MAIN=1", "RUN_TEST_BINARIES="+binaries)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, output
}

func awaitReady(t *testing.T, folder string, output *lines) run.Ready {
	t.Helper()
	var ready run.Ready
	limit := time.Now().Add(30 * time.Second) // a cold go build
	for time.Now().Before(limit) {
		text, err := os.ReadFile(filepath.Join(folder, "ready.json"))
		if err == nil && json.Unmarshal(text, &ready) == nil {
			return ready
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no ready.json\n%s", output.text.String())
	return ready
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// variable finds a variable in what the probe reports.
func variable(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

type probed struct {
	PID int
	Env []string
}

func TestEverythingDiesWithAKilledRunnerAndTheDataStays(t *testing.T) {
	folder := t.TempDir()
	cmd, output := program(t, folder)
	ready := awaitReady(t, folder, output)
	var idle probed
	go func() { _, _ = http.Get(ready.HTTP + "/?do=spin") }() // never answered
	await(t, "a second process, beside the busy one", func() bool {
		get(t, ready.HTTP+"/?do=pid", &idle)
		return len(children(t, cmd.Process.Pid)) > 1
	})
	endpoint := variable(idle.Env, "AWS_ENDPOINT_URL_DYNAMODB")
	put(t, endpoint, "kept")
	functions := children(t, cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the children's end", func() bool {
		for _, pid := range functions {
			if alive(pid) {
				return false
			}
		}
		return true
	})
	await(t, "the engine's end", func() bool { return !listens(endpoint) })

	if err := os.Remove(filepath.Join(folder, "ready.json")); err != nil {
		t.Errorf("a killed runner cannot remove its ready file: %v", err)
	}
	_, output = program(t, folder)
	again := awaitReady(t, folder, output)
	var probe probed
	get(t, again.HTTP+"/?do=pid", &probe)
	if !has(t, variable(probe.Env, "AWS_ENDPOINT_URL_DYNAMODB"), "kept") {
		t.Error("the item did not survive")
	}
}

// children returns the process IDs of the functions that run under a runner.
func children(t *testing.T, parent int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[1] == strconv.Itoa(parent) && fields[2] == "bootstrap" {
			pid, _ := strconv.Atoi(fields[0])
			pids = append(pids, pid)
		}
	}
	return pids
}

func listens(endpoint string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "http://"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func put(t *testing.T, endpoint, pk string) {
	t.Helper()
	_, err := engine.Client(endpoint).PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("notes-table"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}}})
	if err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, endpoint, pk string) bool {
	t.Helper()
	out, err := engine.Client(endpoint).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("notes-table"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item != nil
}

func TestSIGTERMStopsCleanly(t *testing.T) {
	folder := t.TempDir()
	cmd, output := program(t, folder)
	ready := awaitReady(t, folder, output)
	conn, _, err := websocket.Dial(t.Context(), ready.WebSocket+"?token=allow", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := closeCode(t, conn); code != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %d, want 1001", code)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, output.text.String())
	}
	if _, err := os.Stat(filepath.Join(folder, "ready.json")); !os.IsNotExist(err) {
		t.Errorf("ready.json is still there: %v", err)
	}
	if !output.has("curl -s http://") {
		t.Errorf("no example to paste in\n%s", output.text.String())
	}
}

func TestExecRunsACommandAndTakesItsExitCode(t *testing.T) {
	cmd, output := program(t, t.TempDir(), "-exec", `echo "at $TOKENIM_URL and $TOKENIM_WS, mail $TOKENIM_MAIL, local $TOKENIM_LOCAL"; exit 3`)
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit: %v", err)
	}
	if !output.has("at http://127.0.0.1:") || !output.has("and ws://127.0.0.1:") ||
		!output.has("/_local/mail.json, local http://127.0.0.1:") {
		t.Errorf("the command's environment\n%s", output.text.String())
	}
}

func TestStartSaysWhatIsTaken(t *testing.T) {
	r := start(t, options(t))
	o := options(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.Ready().HTTP, "http://"))
	o.Port, _ = strconv.Atoi(port)
	if _, err := run.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "port "+port+" is taken") {
		t.Errorf("error = %v", err)
	}

	o = options(t)
	start(t, o)
	second := options(t)
	second.Data = o.Data
	if _, err := run.Start(t.Context(), second); err == nil || !strings.Contains(err.Error(), "in use by another runner") {
		t.Errorf("error = %v", err)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	t.Setenv("TOKENIM_DYNOXIDE", filepath.Join(t.TempDir(), "nothing"))
	if _, err := run.Start(t.Context(), options(t)); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "TOKENIM_DYNOXIDE") {
		t.Errorf("error = %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := run.Start(t.Context(), options(t)); err == nil || !strings.Contains(err.Error(), "go is not installed") {
		t.Errorf("error = %v", err)
	}
}
