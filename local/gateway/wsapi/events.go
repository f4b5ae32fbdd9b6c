package wsapi

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// event is what a route's function or the authorizer receives. Fields that a kind of event does not have stay away.
type event struct {
	Type              string              `json:"type,omitempty"` // authorizer
	MethodArn         string              `json:"methodArn,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Query             map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	StageVariables    map[string]string   `json:"stageVariables,omitempty"`
	RequestContext    requestContext      `json:"requestContext"`
	Body              string              `json:"body,omitempty"`
	IsBase64Encoded   *bool               `json:"isBase64Encoded,omitempty"`
}

type requestContext struct {
	RouteKey          string         `json:"routeKey"`
	Authorizer        map[string]any `json:"authorizer,omitempty"`
	MessageID         string         `json:"messageId,omitempty"`
	DisconnectStatus  *int           `json:"disconnectStatusCode,omitempty"`
	DisconnectReason  *string        `json:"disconnectReason,omitempty"`
	EventType         string         `json:"eventType"`
	ExtendedRequestID string         `json:"extendedRequestId"`
	RequestTime       string         `json:"requestTime"`
	MessageDirection  string         `json:"messageDirection"`
	Stage             string         `json:"stage"`
	ConnectedAt       int64          `json:"connectedAt"`
	RequestTimeEpoch  int64          `json:"requestTimeEpoch"`
	Identity          identity       `json:"identity"`
	RequestID         string         `json:"requestId"`
	DomainName        string         `json:"domainName"`
	ConnectionID      string         `json:"connectionId"`
	APIID             string         `json:"apiId"`
}

type identity struct {
	UserAgent string `json:"userAgent"`
	SourceIP  string `json:"sourceIp"`
}

// context fills what every event has.
func (c *connection) context(kind, route string) requestContext {
	now := time.Now().UTC()
	id := newID()
	return requestContext{
		RouteKey: route, EventType: kind, Authorizer: c.authorizer,
		ExtendedRequestID: id, RequestID: id, MessageDirection: "IN",
		RequestTime: now.Format("02/Jan/2006:15:04:05 -0700"), RequestTimeEpoch: now.UnixMilli(),
		Stage: c.api.Spec.Stage, APIID: c.api.Spec.ID, DomainName: c.domain,
		ConnectedAt: c.connectedAt, ConnectionID: c.id, Identity: c.identity,
	}
}

func connectEvent(r *http.Request, c *connection) event {
	e := event{RequestContext: c.context("CONNECT", routeConnect), IsBase64Encoded: new(bool)}
	e.describe(r)
	return e
}

func authorizerEvent(r *http.Request, c *connection, arn string) event {
	e := event{Type: "REQUEST", MethodArn: arn, RequestContext: c.context("CONNECT", routeConnect)}
	e.describe(r)
	return e
}

// describe adds the handshake's headers and query.
func (e *event) describe(r *http.Request) {
	e.MultiValueHeaders = map[string][]string{"Host": {r.Host}}
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, values := range r.Header {
		e.MultiValueHeaders[wireName(name)] = values
	}
	delete(e.MultiValueHeaders, "Connection") // they end at API Gateway
	delete(e.MultiValueHeaders, "Upgrade")
	e.MultiValueHeaders["X-Forwarded-For"] = append(r.Header.Values("X-Forwarded-For"), source)
	e.MultiValueHeaders["X-Forwarded-Proto"] = []string{"http"}
	e.Headers = last(e.MultiValueHeaders)
	if query := r.URL.Query(); len(query) > 0 {
		e.MultiValueQuery = query
		e.Query = last(query)
	}
}

// wireName undoes net/http's spelling of the WebSocket headers: API Gateway keeps the client's, which is RFC 6455's.
func wireName(name string) string {
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest
	}
	return name
}

// last keeps the last of several values, as API Gateway does in its single-value maps.
func last(values map[string][]string) map[string]string {
	result := make(map[string]string, len(values))
	for name, list := range values {
		if len(list) > 0 {
			result[name] = list[len(list)-1]
		}
	}
	return result
}

// messageEvent is the event of one message; binary ones travel as base64.
func messageEvent(c *connection, route string, body []byte, binary bool) event {
	e := event{RequestContext: c.context("MESSAGE", route), IsBase64Encoded: &binary, Body: string(body)}
	e.RequestContext.MessageID = newID()
	if binary {
		e.Body = base64.StdEncoding.EncodeToString(body)
	}
	return e
}

func disconnectEvent(c *connection, code int, reason string) event {
	e := event{RequestContext: c.context("DISCONNECT", routeDisconnect), IsBase64Encoded: new(bool),
		MultiValueHeaders: map[string][]string{"Host": {c.domain}, "x-api-key": {""}, "X-Forwarded-For": {""}, "x-restapi": {""}}}
	e.Headers = last(e.MultiValueHeaders)
	e.RequestContext.DisconnectStatus, e.RequestContext.DisconnectReason = &code, &reason
	return e
}

// route selects a message's route: the string in the field that the API's expression names, if it is a route.
func (a *API) route(body []byte, binary bool) string {
	var fields map[string]json.RawMessage
	var key string
	if binary || !utf8.Valid(body) || json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields[a.Spec.Field], &key) != nil {
		return routeDefault
	}
	if _, ok := a.Spec.Routes[key]; !ok || strings.HasPrefix(key, "$") {
		return routeDefault
	}
	return key
}
