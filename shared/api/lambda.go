package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Lambda answers an event of an HTTP API (payload format 2.0).
func (a *API) Lambda(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	request, err := toRequest(ctx, event)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	written := &answerWriter{header: http.Header{}, status: http.StatusOK}
	a.ServeHTTP(written, request)
	answer := events.APIGatewayV2HTTPResponse{StatusCode: written.status, Headers: map[string]string{}, Body: written.body.String()}
	answer.Cookies = written.header.Values("Set-Cookie")
	written.header.Del("Set-Cookie")
	for name, values := range written.header {
		answer.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return answer, nil
}

// toRequest turns the event into the request that it was.
func toRequest(ctx context.Context, event events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return nil, fmt.Errorf("decode the event's body: %w", err)
		}
		body = decoded
	}
	ctx = WithRequestID(ctx, event.RequestContext.RequestID)
	ctx = WithSource(ctx, event.RequestContext.HTTP.SourceIP)
	request, err := http.NewRequestWithContext(ctx, event.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	request.URL = address(event)
	for name, value := range event.Headers {
		request.Header.Set(name, value)
	}
	if len(event.Cookies) > 0 {
		request.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	request.Host = request.Header.Get("Host")
	return request, nil
}

// address returns the path and the query of the event. The path is set, not parsed: a "?" that was escaped in it stays one
// of its characters. API Gateway has decoded it, but for the escape of the percent sign, which is decoded here: decoding all of it
// would take a name for another.
func address(event events.APIGatewayV2HTTPRequest) *url.URL {
	path := event.RawPath
	if stage := event.RequestContext.Stage; stage != "" && stage != "$default" {
		path = strings.TrimPrefix(path, "/"+stage)
	}
	return &url.URL{Path: strings.ReplaceAll(path, "%25", "%"), RawQuery: event.RawQueryString}
}

// answerWriter collects an answer.
type answerWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answerWriter) Header() http.Header { return w.header }

func (w *answerWriter) WriteHeader(status int) { w.status = status }

func (w *answerWriter) Write(part []byte) (int, error) { return w.body.Write(part) }
