package run_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/mailbox"
	"github.com/tokenim/tokenim/local/run"
)

// mails returns what was sent to an address.
func mails(t *testing.T, url, to string) []mailbox.Mail {
	t.Helper()
	var answer struct{ Mails []mailbox.Mail }
	get(t, url+"?to="+to, &answer)
	return answer.Mails
}

// invoke calls a function by the Lambda endpoint of another, and returns the answer's status and function error.
func invoke(t *testing.T, lambda, function, kind, payload string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, lambda+"/2015-03-31/functions/"+function+"/invocations", strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Invocation-Type", kind)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, response.Header.Get("X-Amz-Function-Error")
}

// sendMail lets the mailing function mail to an address.
func sendMail(t *testing.T, lambda, to string) {
	t.Helper()
	if status, failed := invoke(t, lambda, "tokenim-local-post", "RequestResponse", `{"to":"`+to+`"}`); status != http.StatusOK || failed != "" {
		t.Fatalf("Post: %d %s", status, failed)
	}
}

// endpoint is where a runner's functions find Lambda.
func endpoint(r *run.Runner) string { return r.Environment("Probe")["AWS_ENDPOINT_URL_LAMBDA"] }

func TestAFunctionsMailIsShown(t *testing.T) {
	r := start(t, options(t))
	sendMail(t, endpoint(r), "ann@example.com")
	got := mails(t, r.Ready().Mail, "ann@example.com")
	if len(got) != 1 || got[0].From != "TokenIM <noreply@tokenim.test>" || got[0].Text != r.Ready().HTTP+"/link" {
		t.Fatalf("mails = %+v", got)
	}
	response, err := http.Get(r.Ready().HTTP + mailbox.PagePath)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, _ := io.ReadAll(response.Body)
	if !strings.Contains(string(page), `<a href="`+r.Ready().HTTP+`/link"`) {
		t.Errorf("the page has no link: %s", page)
	}
	if got := mails(t, r.Ready().Mail, "bob@example.com"); len(got) != 0 {
		t.Errorf("to bob: %+v", got)
	}
}

func TestTheSenderIsTheTemplatesWhereItNamesOne(t *testing.T) {
	o := options(t)
	o.Parameters = map[string]string{"MailFrom": "us@example.com"}
	r := start(t, o)
	sendMail(t, endpoint(r), "ann@example.com")
	if got := mails(t, r.Ready().Mail, ""); len(got) != 1 || got[0].From != "us@example.com" {
		t.Errorf("mails = %+v", got)
	}
}

func TestAMailFailsOnPurposeAndIsTriedAgain(t *testing.T) {
	r := start(t, options(t))
	tell(t, r, "faults", `{"fail_mails":2}`)
	if status, _ := invoke(t, endpoint(r), "Post", "Event", `{"to":"ann@example.com"}`); status != http.StatusAccepted {
		t.Fatalf("Post: %d", status)
	}
	await(t, "the mail of the third attempt", func() bool { return len(mails(t, r.Ready().Mail, "ann@example.com")) == 1 })
}

func TestOwnPagesAreForThisMachine(t *testing.T) {
	r := start(t, options(t))
	for host, want := range map[string]int{"localhost": 200, "localhost:80": 200, "127.0.0.1": 200, "[::1]:80": 200, "evil.example": 403, "127.0.0.1.evil.example:80": 403, "192.0.2.1": 403} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Ready().Mail, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", host, response, err, want)
		}
		_ = response.Body.Close()
	}
}

func TestMailsSurviveARestart(t *testing.T) {
	folder := t.TempDir()
	cmd, output := program(t, folder)
	ready := awaitReady(t, folder, output)
	var probe probed
	get(t, ready.HTTP+"/?do=pid", &probe)
	sendMail(t, variable(probe.Env, "AWS_ENDPOINT_URL_LAMBDA"), "ann@example.com")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := os.Remove(filepath.Join(folder, "ready.json")); err != nil {
		t.Fatal(err)
	}
	_, output = program(t, folder)
	if got := mails(t, awaitReady(t, folder, output).Mail, "ann@example.com"); len(got) != 1 {
		t.Errorf("mails = %+v", got)
	}
	if !output.has("Mail       http://127.0.0.1:") {
		t.Errorf("the page is not announced\n%s", output.text.String())
	}
}

// runSchedule triggers a function's schedule and returns the answer.
func runSchedule(t *testing.T, url, function, body string) (int, string) {
	t.Helper()
	response, err := http.Post(url+"/_local/schedules/"+function, "application/json", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestASchedulesFunctionIsRunOnDemand(t *testing.T) {
	r := start(t, options(t))
	status, text := runSchedule(t, r.Ready().HTTP, "Probe", `{"time":"2027-01-02T03:04:05Z"}`)
	var answer struct{ Event map[string]any }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK ||
		answer.Event["detail-type"] != "Scheduled Event" || answer.Event["time"] != "2027-01-02T03:04:05Z" {
		t.Errorf("%d %s, %v", status, text, err)
	}
	if status, text := runSchedule(t, r.Ready().HTTP, "Gate", ""); status != http.StatusNotFound {
		t.Errorf("a function without a schedule: %d %s", status, text)
	}
	if status, text := runSchedule(t, r.Ready().HTTP, "Probe", `{"when":1}`); status != http.StatusBadRequest {
		t.Errorf("an unknown member: %d %s", status, text)
	}
	response, err := http.Post(r.Ready().HTTP+"/_local/schedules/Probe", "text/plain", nil)
	if err != nil || response.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("a page of another origin could run it: %v, %v", response, err)
	}
	_ = response.Body.Close()
}

// turned is a clock whose waits end when the test says so.
type turned struct{ end chan time.Time }

func (c turned) Now() time.Time                       { return time.Now() }
func (c turned) After(time.Duration) <-chan time.Time { return c.end }

func TestAScheduleRunsItsFunctionEachPeriod(t *testing.T) {
	o := options(t)
	clock := turned{make(chan time.Time)}
	o.Clock = clock
	r := start(t, o)
	for range 3 {
		clock.end <- time.Now()
	}
	await(t, "three runs", func() bool { return r.Stats().Events["async_invokes"]["Probe"] == 3 })
	if n := r.Stats().Events["async_invokes"]["Gate"]; n != 0 {
		t.Errorf("a function without a schedule ran %d times", n)
	}
}

// Each function has its own number of attempts, and its own queue for what fails for good.
func TestFunctionsThatFailInTheBackgroundKeepTheirOwnRetries(t *testing.T) {
	r := start(t, options(t))
	for function, attempts := range map[string]int{"Probe": 2, "Socket": 1} {
		before := r.Stats().Events["invocations"][function]
		if status, _ := invoke(t, endpoint(r), function, "Event", `{"do":"error","requestContext":{"routeKey":"fail"}}`); status != http.StatusAccepted {
			t.Fatalf("invoke %s: %d", function, status)
		}
		failed := func() int { return r.Stats().Events["invocations"][function] - before }
		await(t, function+"'s attempts", func() bool { return failed() >= attempts })
		time.Sleep(50 * time.Millisecond) // five times the wait for another attempt
		if n := failed(); n != attempts {
			t.Errorf("%s was tried %d times, want %d", function, n, attempts)
		}
	}
}
