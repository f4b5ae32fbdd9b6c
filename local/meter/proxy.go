package meter

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
)

// Proxy returns a handler that passes requests of one function on to the DynamoDB endpoint and counts them.
func (c *Counters) Proxy(function, endpoint string) (http.Handler, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("DynamoDB endpoint: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.MaxIdleConnsPerHost, transport.DisableCompression = nil, 64, true
	p := &counted{counters: c, function: function}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = target.Scheme, target.Host, "/"
			r.Out.Host = target.Host
		},
		Transport: roundTripper{p, transport},
	}, nil
}

type counted struct {
	counters *Counters
	function string
}

// roundTripper reads both bodies on their way; they are at most a few megabytes.
type roundTripper struct {
	*counted
	next http.RoundTripper
}

// RoundTrip passes one request on and counts it once it is answered.
func (t roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	question, err := drain(&request.Body)
	if err != nil {
		return nil, err
	}
	request.Header.Del("Accept-Encoding") // the answer is read here
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	answer, err := drain(&response.Body)
	if err != nil {
		return nil, err
	}
	response.ContentLength = int64(len(answer))
	response.Header.Set("Content-Length", strconv.Itoa(len(answer)))
	_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	t.counters.add(usages(t.function, operation, question, answer))
	return response, nil
}

// drain reads a body and puts a copy in its place.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	text, err := io.ReadAll(*body)
	_ = (*body).Close() // all of it is read
	*body = io.NopCloser(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read a DynamoDB body: %w", err)
	}
	return text, nil
}
