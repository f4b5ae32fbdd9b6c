package template

import (
	"fmt"
	"strings"
)

func (l *loader) http(id string, tree any) error {
	var p struct {
		StageName            string
		CorsConfiguration    *CORS
		Name, Description    ignored
		DefaultRouteSettings ignored
		RouteSettings        ignored
		AccessLogSettings    ignored
		Tags                 ignored
	}
	if err := decode(tree, &p); err != nil {
		return err
	}
	if l.tpl.HTTP != nil {
		return fmt.Errorf("a second HTTP API is not supported by the laptop runner")
	}
	if p.StageName != "" && p.StageName != DefaultRoute {
		return fmt.Errorf("stage %q: only $default is supported by the laptop runner", p.StageName)
	}
	name := physical(typeHTTP, id)
	l.tpl.HTTP = &HTTPAPI{ID: name, URL: endpoint(name), CORS: p.CorsConfiguration}
	return nil
}

// endpoint is the address of an HTTP API.
func endpoint(id string) string { return "https://" + id + ".execute-api." + Region + "." + URLSuffix }

func (l *loader) webSocket(id string, tree any) error {
	var p struct {
		StageName                string
		RouteSelectionExpression string
		Auth                     struct {
			AuthType, AuthArn, Name string
			IdentitySource          []string
		}
		Routes map[string]struct {
			FunctionArn        string
			IntegrationTimeout int
			OperationName      string
		}
		Name, Description    ignored
		DefaultRouteSettings ignored
		RouteSettings        ignored
		AccessLogSettings    ignored
		Tags                 ignored
	}
	if err := decode(tree, &p); err != nil {
		return err
	}
	if l.tpl.WebSocket != nil {
		return fmt.Errorf("a second WebSocket API is not supported by the laptop runner")
	}
	if len(p.Auth.IdentitySource) > 0 {
		return fmt.Errorf("IdentitySource is not supported by the laptop runner")
	}
	api := &WebSocketAPI{ID: physical(typeWebSocket, id), Stage: first(p.StageName, "default"),
		Selection: p.RouteSelectionExpression, Routes: map[string]string{}}
	var ok bool
	if api.Field, ok = strings.CutPrefix(api.Selection, "$request.body."); !ok || strings.Contains(api.Field, ".") {
		return fmt.Errorf("RouteSelectionExpression %q: only $request.body.<field> is supported by the laptop runner", api.Selection)
	}
	for key, route := range p.Routes {
		api.Routes[key] = functionName(route.FunctionArn)
	}
	l.tpl.WebSocket = api
	switch p.Auth.AuthType {
	case "CUSTOM":
		api.Authorizer = functionName(p.Auth.AuthArn)
	case "", "NONE":
	default:
		return fmt.Errorf("AuthType %q is not supported by the laptop runner", p.Auth.AuthType)
	}
	return nil
}
