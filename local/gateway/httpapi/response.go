package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tokenim/tokenim/local/template"
)

// answer is what a function may return. StatusCode is a pointer to tell an answer in this form from any other JSON,
// which is then the body itself.
type answer struct {
	StatusCode      *int           `json:"statusCode"`
	Headers         map[string]any `json:"headers"`
	Cookies         []string       `json:"cookies"`
	Body            *string        `json:"body"`
	IsBase64Encoded bool           `json:"isBase64Encoded"`
}

// respond writes what the function returned.
func (a *API) respond(w http.ResponseWriter, route template.Route, payload []byte) {
	status, header, body, err := parse(payload)
	if err != nil {
		a.log.Error("the function's answer is not understood", "route", route.Key(), "error", err)
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	for name, values := range header {
		if a.cors != nil && strings.HasPrefix(name, "Access-Control-") {
			continue // the API's own CORS configuration wins over the function's headers
		}
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

func parse(payload []byte) (int, http.Header, []byte, error) {
	header := http.Header{}
	var form answer
	if err := json.Unmarshal(payload, &form); err != nil || form.StatusCode == nil {
		header.Set("Content-Type", "application/json")
		return http.StatusOK, header, payload, invalid(payload, err)
	}
	for name, value := range form.Headers {
		header.Set(name, text(value))
	}
	for _, cookie := range form.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "text/plain;charset=utf-8")
	}
	if form.Body == nil {
		return *form.StatusCode, header, nil, status(*form.StatusCode)
	}
	if !form.IsBase64Encoded {
		return *form.StatusCode, header, []byte(*form.Body), status(*form.StatusCode)
	}
	body, err := base64.StdEncoding.DecodeString(*form.Body)
	if err == nil {
		err = status(*form.StatusCode)
	}
	return *form.StatusCode, header, body, err
}

// invalid reports an answer that has statusCode but not the form around it; any other JSON is a body.
func invalid(payload []byte, err error) error {
	var probe struct {
		StatusCode any `json:"statusCode"`
	}
	if err != nil && json.Unmarshal(payload, &probe) == nil && probe.StatusCode != nil {
		return err
	}
	return nil
}

func status(code int) error {
	if code < 200 || code > 599 {
		return errStatus
	}
	return nil
}

var errStatus = errors.New("statusCode is not between 200 and 599")

// text writes a header value as API Gateway does: strings as they are, numbers and booleans in their JSON form.
func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	encoded, _ := json.Marshal(value) // it came out of JSON
	return string(encoded)
}
