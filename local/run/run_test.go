package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/run"
)

const fixture = "local/testdata/template.yaml"

// options run the fixture in a folder of the test's own, with tables in memory.
func options(t *testing.T) run.Options {
	t.Helper()
	folder := t.TempDir()
	return run.Options{
		Root: "../..", Template: fixture, Data: folder, Ready: filepath.Join(folder, "ready.json"), Binaries: binaries,
		Memory: true, Meter: true, DoubleEvery: -1, RetryWait: 10 * time.Millisecond, Log: testLog{t},
	}
}

// binaries is shared by the tests of this package, so that the fixture is built once.
var binaries string

func TestMain(m *testing.M) {
	if os.Getenv("RUN_TEST_MAIN") != "" {
		os.Exit(run.Main(run.Options{Root: "../..", Memory: os.Getenv("RUN_TEST_MEMORY") != "", Binaries: os.Getenv("RUN_TEST_BINARIES")}, os.Args[1:], os.Stdout, os.Stderr))
	}
	folder, err := os.MkdirTemp("", "tokenim-run-")
	if err != nil {
		panic(err)
	}
	binaries = folder
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// testLog writes the runner's output to the test's.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

func start(t *testing.T, o run.Options) *run.Runner {
	t.Helper()
	r, err := run.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// get returns the body of a GET, decoded.
func get(t *testing.T, url string, into any) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
}

// tell posts JSON to one of the runner's own pages.
func tell(t *testing.T, r *run.Runner, page, body string) {
	t.Helper()
	response, err := http.Post(r.Ready().HTTP+"/_local/"+page, "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("POST /_local/%s: %d %s", page, response.StatusCode, text)
	}
}

// await waits until condition holds, 10 s at most.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestOverlappingRequestsRunInProcessesOfTheirOwn(t *testing.T) {
	r := start(t, options(t))
	var mu sync.Mutex
	pids := map[int]bool{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			var answer struct{ PID int }
			get(t, r.Ready().HTTP+"/?do=sleep&ms=300", &answer)
			mu.Lock()
			defer mu.Unlock()
			pids[answer.PID] = true
		})
	}
	all.Wait()
	if len(pids) != 4 {
		t.Errorf("%d processes for 4 overlapping requests", len(pids))
	}
}

func TestReadyFileComesAndGoes(t *testing.T) {
	o := options(t)
	if err := os.WriteFile(o.Ready, []byte("stale"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Bootstrap = func(_ context.Context, env map[string]string, dataDir string) (string, error) {
		if _, err := os.ReadFile(o.Ready); err == nil {
			return "", fmt.Errorf("the stale ready file is still there")
		}
		if env["TABLE_NOTES"] != "notes-table" || env["LOCAL_KEY_FILE"] != filepath.Join(dataDir, "master.key") {
			return "", fmt.Errorf("environment %v", env)
		}
		return "key-1", nil
	}
	r := start(t, o)
	text, err := os.ReadFile(o.Ready)
	if err != nil {
		t.Fatal(err)
	}
	var ready run.Ready
	if err := json.Unmarshal(text, &ready); err != nil || ready != r.Ready() || ready.APIKey != "key-1" {
		t.Errorf("ready.json = %s, %v", text, err)
	}
	if info, err := os.Stat(o.Ready); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	r.Close()
	if _, err := os.Stat(o.Ready); !os.IsNotExist(err) {
		t.Errorf("ready.json is still there: %v", err)
	}
}
