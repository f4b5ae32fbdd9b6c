// Package client speaks TokenIM's public API for tests and measurements. It reports what came over the wire and judges
// nothing, so that a test can see every mistake of the other side.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// requestLimit is longer than API Gateway waits for a function (30 s), so that its own answer is seen.
const requestLimit = 35 * time.Second

// Installation is where a TokenIM runs, and a key of an app of it.
type Installation struct {
	// HTTP is the base URL of the HTTP API, WebSocket the URL of the WebSocket API.
	HTTP, WebSocket string
	// APIKey is the credential of requests that name none.
	APIKey string
	// source is the address that requests come from, "" for whichever the system takes.
	source string
	// app is what X-App-Id names, "" for none.
	app string
}

// FromEnvironment reads TOKENIM_URL, TOKENIM_WS and TOKENIM_API_KEY; the error names what is missing.
func FromEnvironment() (Installation, error) {
	var missing []string
	read := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}
	found := Installation{HTTP: strings.TrimRight(read("TOKENIM_URL"), "/"), WebSocket: read("TOKENIM_WS"), APIKey: read("TOKENIM_API_KEY")}
	if len(missing) > 0 {
		return Installation{}, errors.New("not set: " + strings.Join(missing, ", "))
	}
	return found, nil
}

// With returns the same installation under another credential: another key, or a user token.
func (i Installation) With(credential string) Installation {
	i.APIKey = credential
	return i
}

// From returns the same installation as seen from another address of this machine, such as one of 127.0.0.0/8. It has
// connections of its own.
func (i Installation) From(source string) Installation {
	i.source = source
	return i
}

// In returns the same installation with an app chosen for every request, as a developer's session needs it.
func (i Installation) In(app string) Installation {
	i.app = app
	return i
}

// Request is an HTTP request.
type Request struct {
	// Method is GET where it is empty and there is no body, POST where there is one.
	Method string
	// Path is the path with its query.
	Path string
	// Body is nil for none; a string and bytes go out as they are, anything else as JSON.
	Body any
	// Header has headers besides Authorization, which carries the installation's credential where that is not "".
	Header map[string]string
}

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status, Header the headers, Body the whole body.
	Status int
	Header http.Header
	Body   []byte
}

// connections are shared by all that comes from one address, so that a test with many clients does not run out of ports.
var connections sync.Map // source → *http.Client

func connectionsFrom(source string) *http.Client {
	if known, found := connections.Load(source); found {
		return known.(*http.Client)
	}
	made, _ := connections.LoadOrStore(source, &http.Client{Timeout: requestLimit, Transport: transport(source)})
	return made.(*http.Client)
}

func transport(source string) *http.Transport {
	shared := http.DefaultTransport.(*http.Transport).Clone()
	shared.Proxy, shared.MaxIdleConns, shared.MaxIdleConnsPerHost = nil, 0, 256
	if source != "" {
		shared.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}).DialContext
	}
	return shared
}

// Do sends the request. The error is the network's; whatever the other side answers is no error.
func (i Installation) Do(ctx context.Context, r Request) (Answer, error) {
	body, err := encode(r.Body)
	if err != nil {
		return Answer{}, err
	}
	method := r.Method
	switch {
	case method == "" && r.Body == nil:
		method = http.MethodGet
	case method == "":
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, i.HTTP+r.Path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make the request: %w", err)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if i.APIKey != "" {
		request.Header.Set("Authorization", "Bearer "+i.APIKey)
	}
	if i.app != "" {
		request.Header.Set("X-App-Id", i.app)
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	return do(connectionsFrom(i.source), request)
}

func do(connections *http.Client, request *http.Request) (Answer, error) {
	response, err := connections.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

func encode(body any) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(body), nil
	case []byte:
		return body, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the body: %w", err)
	}
	return text, nil
}

// Into decodes the body.
func (a Answer) Into(value any) error {
	if err := json.Unmarshal(a.Body, value); err != nil {
		return fmt.Errorf("status %d with %.200q: %w", a.Status, a.Body, err)
	}
	return nil
}

// members are the body's top-level members; none where it is no object.
func (a Answer) members() map[string]any {
	var members map[string]any
	_ = json.Unmarshal(a.Body, &members) // what is no object has no members, and the caller compares those
	return members
}

// Text returns a top-level member that is a string, "" where there is none.
func (a Answer) Text(member string) string {
	text, _ := a.members()[member].(string)
	return text
}

// Number returns a top-level member that is a number, 0 where there is none.
func (a Answer) Number(member string) int64 {
	number, _ := a.members()[member].(float64)
	return int64(number)
}

// Has tells whether the body has the top-level member.
func (a Answer) Has(member string) bool {
	_, has := a.members()[member]
	return has
}

// String shows an answer in a test's message.
func (a Answer) String() string { return fmt.Sprintf("%d %.500s", a.Status, a.Body) }
