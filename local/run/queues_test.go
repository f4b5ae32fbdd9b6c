package run_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/run"
)

// depth asks a runner for a queue's.
func depth(t *testing.T, url, name string) queues.Depth {
	t.Helper()
	var all []queues.Depth
	get(t, url+"/_local/queues", &all)
	for _, d := range all {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("no queue %s: %+v", name, all)
	return queues.Depth{}
}

// enqueue lets the worker function queue jobs.
func enqueue(t *testing.T, lambda, payload string) {
	t.Helper()
	if status, failed := invoke(t, lambda, "Worker", "RequestResponse", payload); status != http.StatusOK || failed != "" {
		t.Fatalf("Worker: %d %s", status, failed)
	}
}

func TestAFIFOQueueAndAFilteredStreamReachTheirFunction(t *testing.T) {
	r := start(t, options(t))
	enqueue(t, endpoint(r), `{"lines":["l1","m1","l2","l1"]}`)
	const queue = "arn:aws:sqs:us-east-1:000000000000:lines-queue.fifo"
	var sequence [2]string
	for i, key := range []string{"l1 1", "l2 1"} {
		await(t, key, func() bool { sequence[i], _ = strings.CutPrefix(note(t, r, key), queue+"l"); return sequence[i] != "" })
	}
	if sequence[0] >= sequence[1] {
		t.Errorf("the second is sent first: %v", sequence)
	}
	await(t, "the other group", func() bool { return strings.HasPrefix(note(t, r, "m1 1"), queue+"m") })
	await(t, "the end", func() bool {
		return depth(t, r.Ready().HTTP, "lines-queue.fifo") == queues.Depth{Name: "lines-queue.fifo"}
	})
	for _, key := range []string{"change of l1 1", "change of l2 1"} {
		await(t, key, func() bool { return note(t, r, key) == "INSERT" })
	}
	if got := note(t, r, "change of m1 1"); got != "" {
		t.Errorf("a change comes that the filter drops: %s", got)
	}
}

func TestAQueuesMessagesReachTheirFunction(t *testing.T) {
	r := start(t, options(t))
	for name, want := range map[string]string{
		"JOBS_QUEUE": "https://sqs.us-east-1.amazonaws.com/000000000000/jobs-queue", "NAMES": "jobs-queue tokenim-local-dead",
	} {
		if got := r.Environment("Worker")[name]; got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	enqueue(t, endpoint(r), `{"jobs":[{"name":"one"},{"name":"fails","fails":true},{"name":"two \uffff"}]}`)
	for _, key := range []string{"one 1", "two \uffff 1", "fails 1"} {
		await(t, key, func() bool { return note(t, r, key) == "arn:aws:sqs:us-east-1:000000000000:jobs-queue" })
	}
	await(t, "the end of what succeeds", func() bool {
		return depth(t, r.Ready().HTTP, "jobs-queue") == queues.Depth{Name: "jobs-queue", InFlight: 1}
	})
	tell(t, r, "queues/clock", `{"advance_seconds":31}`)
	await(t, "the second receive", func() bool { return note(t, r, "fails 2") != "" })
	await(t, "its end", func() bool { return depth(t, r.Ready().HTTP, "jobs-queue").InFlight == 1 })
	tell(t, r, "queues/clock", `{"advance_seconds":31}`)
	await(t, "the dead letter", func() bool { return depth(t, r.Ready().HTTP, "tokenim-local-dead").Visible == 1 })
	if d := depth(t, r.Ready().HTTP, "jobs-queue"); d.InFlight+d.Visible != 0 || note(t, r, "fails 3") != "" || note(t, r, "one 2") != "" {
		t.Errorf("after the dead letter: %+v", d)
	}
}

func TestADelayedMessageWaits(t *testing.T) {
	r := start(t, options(t))
	enqueue(t, endpoint(r), `{"jobs":[{"name":"late"}],"delay":900}`)
	if d := depth(t, r.Ready().HTTP, "jobs-queue"); d.Delayed != 1 {
		t.Errorf("depth = %+v", d)
	}
	tell(t, r, "queues/clock", `{"advance_seconds":901}`)
	await(t, "the message", func() bool { return note(t, r, "late 1") != "" })
}

func TestQueuesFailOnPurpose(t *testing.T) {
	r := start(t, options(t))
	tell(t, r, "faults", `{"fail_queues":3}`)
	if _, failed := invoke(t, endpoint(r), "Worker", "RequestResponse", `{"jobs":[{"name":"lost"}]}`); failed == "" {
		t.Error("the SDK's three attempts do not fail")
	}
	tell(t, r, "faults", `{"double_queued":1}`)
	before := r.Stats().Events["invocations"]["Worker"]
	enqueue(t, endpoint(r), `{"jobs":[{"name":"twice"}]}`)
	await(t, "both", func() bool { return r.Stats().Events["invocations"]["Worker"] == before+3 })
}

func TestTheMeterCountsQueuesByFunction(t *testing.T) {
	r := start(t, options(t))
	enqueue(t, endpoint(r), `{"jobs":[{"name":"a"}]}`)
	enqueue(t, endpoint(r), `{"jobs":[{"name":"b"},{"name":"c"}]}`)
	usage := r.Stats().SQS
	if len(usage) != 1 || usage[0].Function != "Worker" || usage[0].Action != "sqs:SendMessage" || usage[0].Queue != "jobs-queue" || usage[0].Calls != 2 || usage[0].Messages != 3 {
		t.Errorf("usage = %+v", usage)
	}
}

func TestQueuedMessagesSurviveARestart(t *testing.T) {
	folder := t.TempDir()
	cmd, output := program(t, folder)
	var probe probed
	get(t, awaitReady(t, folder, output).HTTP+"/?do=pid", &probe)
	var jobs []string
	for i := range 12 { // more than one request takes
		jobs = append(jobs, `{"name":"`+strconv.Itoa(i)+`","fails":true}`)
	}
	enqueue(t, variable(probe.Env, "AWS_ENDPOINT_URL_LAMBDA"), `{"jobs":[`+strings.Join(jobs, ",")+`]}`)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := os.Remove(filepath.Join(folder, "ready.json")); err != nil {
		t.Fatal(err)
	}
	_, output = program(t, folder)
	ready := awaitReady(t, folder, output)
	d := depth(t, ready.HTTP, "jobs-queue")
	dead := depth(t, ready.HTTP, "tokenim-local-dead")
	if all := d.Visible + d.InFlight + dead.Visible; all != 12 {
		t.Errorf("depths %+v, %+v, want 12 messages", d, dead)
	}
}

func TestATemplateWithoutQueuesHasNone(t *testing.T) {
	root := repository(t)
	r := start(t, run.Options{Root: root, Memory: true})
	var all json.RawMessage
	if get(t, r.Ready().HTTP+"/_local/queues", &all); string(all) != "[]" {
		t.Errorf("queues = %s", all)
	}
}
