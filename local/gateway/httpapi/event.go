package httpapi

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tokenim/tokenim/local/template"
)

// timeLayout is the form of requestContext.time.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// event is the event of payload format 2.0. Fields that a request does not have stay away, as on AWS.
type event struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"` // milliseconds
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// event builds the event of a request. An HTTP API decodes the path but for "%25", unlike REST APIs and function URLs, which leave
// it as it came.
func (a *API) event(r *http.Request, route template.Route, parameters map[string]string, body []byte, id string) event {
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	e := event{
		Version:               "2.0",
		RouteKey:              route.Key(),
		RawPath:               strings.ReplaceAll(r.URL.Path, "%", "%25"),
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies(r),
		Headers:               headers(r, source),
		QueryStringParameters: query(r),
		RequestContext:        a.context(r, route, source, id),
		PathParameters:        parameters,
	}
	e.Body, e.IsBase64Encoded = encodeBody(r.Header.Get("Content-Type"), body)
	return e
}

func (a *API) context(r *http.Request, route template.Route, source, id string) requestContext {
	now := time.Now().UTC()
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	prefix, _, _ := strings.Cut(host, ".")
	return requestContext{
		AccountID: template.Account, APIID: a.id, DomainName: host, DomainPrefix: prefix,
		HTTP:      httpContext{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent()},
		RequestID: id, RouteKey: route.Key(), Stage: template.DefaultRoute, Time: now.Format(timeLayout), TimeEpoch: now.UnixMilli(),
	}
}

// headers are lower-cased, repeated ones joined by a comma, and without cookies, which have a field of their own.
func headers(r *http.Request, source string) map[string]string {
	result := make(map[string]string, len(r.Header)+6)
	for name, values := range r.Header {
		result[strings.ToLower(name)] = strings.Join(values, ",")
	}
	delete(result, "cookie")
	result["host"] = r.Host
	if r.ContentLength >= 0 && (r.ContentLength > 0 || r.Header.Get("Content-Length") != "") {
		result["content-length"] = fmt.Sprint(r.ContentLength)
	}
	if forwarded := result["x-forwarded-for"]; forwarded != "" {
		source = forwarded + ", " + source
	}
	result["x-forwarded-for"] = source
	result["x-forwarded-proto"] = "http"
	result["x-forwarded-port"] = "80"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		result["x-forwarded-port"] = port
	}
	if result["x-amzn-trace-id"] == "" {
		result["x-amzn-trace-id"] = fmt.Sprintf("Root=1-%08x-%024x", time.Now().Unix(), time.Now().UnixNano())
	}
	return result
}

func cookies(r *http.Request) []string {
	var all []string
	for _, header := range r.Header.Values("Cookie") {
		for cookie := range strings.SplitSeq(header, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				all = append(all, cookie)
			}
		}
	}
	return all
}

// query joins the values of a repeated parameter by a comma.
func query(r *http.Request) map[string]string {
	values := r.URL.Query()
	if len(values) == 0 {
		return nil
	}
	result := make(map[string]string, len(values))
	for name, list := range values {
		result[name] = strings.Join(list, ",")
	}
	return result
}

// encodeBody passes text as it is and everything else as base64, told apart by the content type as HTTP APIs do. A form
// counts as binary there.
func encodeBody(contentType string, body []byte) (string, bool) {
	if len(body) == 0 {
		return "", false
	}
	if isText(contentType) && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func isText(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType == ""
	}
	switch media {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}
