package lambda

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// unhandled is the value of X-Amz-Function-Error for every failure of a function.
const unhandled = "Unhandled"

// invocation is one request to a function.
type invocation struct {
	id       string
	trace    string
	payload  []byte
	timeout  time.Duration
	deadline time.Time // set by begin
	timer    *time.Timer
	result   chan Result // room for the one result
}

func newInvocation(f *function, payload []byte) *invocation {
	id := NewRequestID()
	return &invocation{
		id: id, payload: payload, timeout: f.Timeout, result: make(chan Result, 1),
		trace: fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), compact(id)[:24], compact(id)[16:]),
	}
}

// begin starts the clock: at the deadline the invocation fails and its process is killed.
func (in *invocation) begin(kill func()) {
	in.deadline = time.Now().Add(in.timeout)
	in.timer = time.AfterFunc(in.timeout, func() {
		message := fmt.Sprintf("Task timed out after %.2f seconds", in.timeout.Seconds())
		if in.deliver(failure(in.id, "Sandbox.Timedout", message)) {
			kill()
		}
	})
}

// finish ends an invocation that has begun.
func (in *invocation) finish(result Result) {
	in.timer.Stop()
	in.deliver(result)
}

// deliver hands the result over. Only the first one counts.
func (in *invocation) deliver(result Result) bool {
	select {
	case in.result <- result:
		return true
	default:
		return false
	}
}

// failure is the result that Lambda itself gives for a function that did not answer.
func failure(id, kind, message string) Result {
	payload, _ := json.Marshal(map[string]string{ // two strings always marshal
		"errorType": kind, "errorMessage": fmt.Sprintf("RequestId: %s Error: %s", id, message)})
	return Result{Payload: payload, FunctionError: unhandled}
}

func exitFailure(id, cause string) Result {
	return failure(id, "Runtime.ExitError", "Runtime exited with error: "+cause)
}

// NewRequestID returns a random version 4 UUID, the form of the IDs of Lambda's requests and of EventBridge's events.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// compact returns a UUID's 32 hex digits.
func compact(id string) string { return id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:] }
