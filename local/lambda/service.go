package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ServeHTTP is the one operation of the Lambda service API that functions use:
// POST /2015-03-31/functions/{name}/invocations, with X-Amz-Invocation-Type Event, RequestResponse (or nothing) or DryRun.
// The name may be an ARN.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/invocations")
	if !ok || r.Method != http.MethodPost {
		fail(w, http.StatusNotFound, "UnknownOperationException", "the laptop runner knows only Invoke")
		return
	}
	name = name[strings.LastIndexByte(name, ':')+1:]
	payload, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidRequestContentException", "the payload could not be read")
		return
	}
	w.Header().Set("X-Amzn-Requestid", NewRequestID())
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "Event":
		if err := h.InvokeAsync(name, payload); err != nil {
			failWith(w, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	case "", "RequestResponse":
		h.serveSynchronous(w, r, name, payload)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusBadRequest, "InvalidParameterValueException", "unknown invocation type "+kind)
	}
}

func (h *Host) serveSynchronous(w http.ResponseWriter, r *http.Request, name string, payload []byte) {
	result, err := h.Invoke(r.Context(), name, payload)
	if err != nil {
		failWith(w, err)
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Header().Set("Content-Type", "application/json")
	if result.FunctionError != "" {
		w.Header().Set("X-Amz-Function-Error", result.FunctionError)
	}
	_, _ = w.Write(result.Payload)
}

func failWith(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrUnknownFunction):
		fail(w, http.StatusNotFound, "ResourceNotFoundException", err.Error())
	case errors.Is(err, ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", err.Error())
	default:
		fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
	}
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "message": message, "Message": message})
}
