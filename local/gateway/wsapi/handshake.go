package wsapi

import (
	"context"
	"crypto/sha1" // RFC 6455 asks for it; it protects nothing here
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
)

// The routes that API Gateway itself calls.
const (
	routeConnect    = "$connect"
	routeDisconnect = "$disconnect"
	routeDefault    = "$default"
)

// refusal ends a handshake with a status.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return fmt.Sprintf("handshake refused: %d %s", r.status, r.message) }

// ServeHTTP takes one handshake and, when it succeeds, serves the connection until it ends.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := a.newConnection(r)
	if !a.enter() {
		a.refuse(w, c, refusal{http.StatusServiceUnavailable, "Service Unavailable"})
		return
	}
	defer a.running.Done()
	protocol, err := a.admit(r, c)
	if err != nil {
		a.refuse(w, c, err)
		return
	}
	if err := c.upgrade(w, r, protocol); err != nil {
		a.disconnected(c, ending{codeAbnormal, reasonAbnormal})
		return
	}
	a.add(c)
	c.serve()
}

// admit asks the authorizer and $connect. It returns the subprotocol that $connect chose, or a refusal.
func (a *API) admit(r *http.Request, c *connection) (string, error) {
	if strings.Trim(r.URL.Path, "/") != a.Spec.Stage {
		return "", refusal{http.StatusForbidden, "Forbidden"}
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key")); err != nil || len(key) != 16 || r.Header.Get("Sec-Websocket-Version") != "13" {
		return "", refusal{http.StatusBadRequest, "Bad Request"}
	}
	// A client that goes away does not end the functions that decide about it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), integrationTimeout)
	defer cancel()
	if a.Spec.Authorizer != "" {
		if err := a.authorize(ctx, r, c); err != nil {
			return "", err
		}
	}
	return a.connect(ctx, r, c)
}

// connect calls the $connect route.
func (a *API) connect(ctx context.Context, r *http.Request, c *connection) (string, error) {
	function, ok := a.Spec.Routes[routeConnect]
	if !ok {
		return "", nil
	}
	result, err := a.call(ctx, function, connectEvent(r, c))
	if err != nil {
		return "", err
	}
	var answer struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(result.Payload, &answer); err != nil || answer.StatusCode == 0 {
		a.Log.Error("$connect did not answer with a statusCode", "function", function, "answer", string(result.Payload))
		return "", refusal{http.StatusBadGateway, "Internal server error"}
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return "", refusal{answer.StatusCode, http.StatusText(answer.StatusCode)}
	}
	for name, value := range answer.Headers {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			return value, nil
		}
	}
	return "", nil
}

// call runs a function; a failure is a refusal with 500.
func (a *API) call(ctx context.Context, function string, event any) (lambda.Result, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return lambda.Result{}, fmt.Errorf("encode the event: %w", err)
	}
	result, err := a.Invoker.Invoke(ctx, function, payload)
	if err != nil {
		a.Log.Error("the function could not be called", "function", function, "error", err)
		return result, refusal{http.StatusInternalServerError, "Internal server error"}
	}
	if result.FunctionError != "" {
		a.Log.Error("the function failed", "function", function, "answer", string(result.Payload))
		return result, refusal{http.StatusInternalServerError, "Internal server error"}
	}
	return result, nil
}

func (a *API) refuse(w http.ResponseWriter, c *connection, err error) {
	r := refusal{http.StatusInternalServerError, "Internal server error"}
	errors.As(err, &r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": r.message, "connectionId": c.id, "requestId": newID()})
}

// upgrade takes the connection over from the HTTP server and answers 101.
func (c *connection) upgrade(w http.ResponseWriter, r *http.Request, protocol string) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the connection: %w", err)
	}
	c.conn, c.reader = conn, buffered.Reader
	_ = conn.SetDeadline(time.Time{}) // the HTTP server's limits end here
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if protocol != "" {
		answer += "Sec-WebSocket-Protocol: " + strings.NewReplacer("\r", "", "\n", "").Replace(protocol) + "\r\n"
	}
	if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
		_ = conn.Close()
		return fmt.Errorf("answer the handshake: %w", err)
	}
	return nil
}
