package durability_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/run"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

// startLimit includes the build of the functions on a cold machine.
const startLimit = 3 * time.Minute

// program is a runner in a process of its own.
type program struct {
	cmd    *exec.Cmd
	output *output
	app    client.Installation
	// family are the runner and what it had started when it was killed.
	family []int
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns what was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// build compiles the runner, so that it can be started and killed as one process.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "runner")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./local")
	cmd.Dir = "../.."
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the runner: %v\n%s", err, text)
	}
	return binary
}

// start starts the runner on the folder's data and waits until it is ready.
func start(t *testing.T, binary, folder string) *program {
	t.Helper()
	ready := filepath.Join(folder, "ready.json")
	_ = os.Remove(ready) // a killed runner leaves it; none is as good
	p := &program{output: &output{}, cmd: exec.Command(binary, "-port", "0", "-watch=false", "-data", filepath.Join(folder, "data"), "-ready", ready)}
	p.cmd.Dir = "../.."
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(); _ = p.cmd.Wait() })
	var found run.Ready
	client.WaitFor(t, "the runner to be ready", startLimit, func() bool {
		if !alive(p.cmd.Process.Pid) {
			t.Fatalf("the runner has ended\n%s", p.output)
		}
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &found) == nil
	})
	p.app = client.Installation{HTTP: found.HTTP, WebSocket: found.WebSocket, APIKey: found.APIKey}
	return p
}

// alive tells whether there is such a process; one that is dead and waits for its parent's notice is none.
func alive(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}

// kill ends the runner, the engine and every function at once, without a chance to tidy up.
func (p *program) kill() {
	if p.family != nil {
		return
	}
	p.family = family(p.cmd.Process.Pid)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group; those with a group of their own follow
	for _, pid := range p.family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// awaitEnd waits until nothing of the killed platform is left.
func (p *program) awaitEnd(t *testing.T) {
	t.Helper()
	_ = p.cmd.Wait() // killed: that is its error
	client.WaitFor(t, "everything to end", 30*time.Second, func() bool {
		return !slices.ContainsFunc(p.family, alive)
	})
}

// family returns a process and all that descend from it.
func family(root int) []int {
	text, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	if err != nil {
		return []int{root}
	}
	children := map[int][]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		pid, _ := strconv.Atoi(fields[0]) // ps prints numbers
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], pid)
	}
	members := []int{root}
	for i := 0; i < len(members); i++ {
		members = append(members, children[members[i]]...)
	}
	return members
}
