package lambda

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/tokenim/tokenim/local/template"
)

// runtimeAPI serves the Lambda Runtime API, version 2018-06-01, to one process.
func (env *environment) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", env.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", env.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", env.functionError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", env.initError)
	return mux
}

// next hands the next invocation to the process. From its second call on, asking for work is what makes an environment
// available: an invocation is over only then.
func (env *environment) next(w http.ResponseWriter, r *http.Request) {
	env.mu.Lock()
	first := !env.started
	env.started = true
	env.mu.Unlock()
	if !first && !env.function.free(env) {
		env.kill()
		return
	}
	select {
	case in := <-env.work:
		if env.take(in, r) {
			env.deliver(w, in)
		}
	case <-r.Context().Done(): // the process ended
	}
}

// take notes that the process has the invocation, unless the process is gone.
func (env *environment) take(in *invocation, r *http.Request) bool {
	env.mu.Lock()
	defer env.mu.Unlock()
	if env.exit != "" || r.Context().Err() != nil {
		return false
	}
	env.current = in
	in.begin(env.kill)
	return true
}

func (env *environment) deliver(w http.ResponseWriter, in *invocation) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(in.payload)))
	header.Set("Lambda-Runtime-Aws-Request-Id", in.id)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", template.FunctionARN(env.function.Name))
	header.Set("Lambda-Runtime-Trace-Id", in.trace)
	_, _ = w.Write(in.payload) // a process that does not read it any more has ended, which awaitExit settles
}

// response takes the function's answer.
func (env *environment) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", "the response could not be read")
		return
	}
	result := Result{Payload: body}
	status := http.StatusAccepted
	if len(body) > MaxPayload {
		result = failure(r.PathValue("id"), "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes).")
		status = http.StatusRequestEntityTooLarge
	} else if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		result = failure(r.PathValue("id"), kind, "the function failed while it wrote its answer")
	}
	env.answer(w, r, result, status)
}

// functionError takes the error that the function ended with.
func (env *environment) functionError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", "the error could not be read")
		return
	}
	env.answer(w, r, Result{Payload: body, FunctionError: unhandled}, http.StatusAccepted)
}

// answer ends the current invocation. The result goes out before the process is told, which costs the caller least.
func (env *environment) answer(w http.ResponseWriter, r *http.Request, result Result, status int) {
	env.mu.Lock()
	in := env.current
	if in == nil || in.id != r.PathValue("id") {
		env.mu.Unlock()
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "this is not the current invocation")
		return
	}
	env.current = nil
	env.mu.Unlock()
	env.function.hasAnswered(env)
	in.finish(result)
	if status != http.StatusAccepted {
		refuse(w, status, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

// initError is what a runtime reports when it cannot start; the process ends after that.
func (env *environment) initError(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}
