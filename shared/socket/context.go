package socket

import (
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// The names under which the authorizer's context carries the caller. Values are strings, as API Gateway wants them.
const (
	contextApp     = "app"
	contextUser    = "user"
	contextKey     = "key"
	contextDevice  = "device"
	contextEpoch   = "epoch"
	contextExpires = "expires"
	contextLang    = "language"
)

// Context returns what rides on every frame of a socket that the caller opens: identity, never a right, and the language
// that its errors are told in.
func Context(caller authz.Caller, language fault.Language) map[string]any {
	return map[string]any{
		contextApp: caller.App.String(), contextUser: string(caller.User), contextKey: string(caller.Key),
		contextDevice: caller.Device, contextEpoch: strconv.FormatInt(caller.Epoch, 10),
		contextExpires: strconv.FormatInt(caller.ExpiresAt.Unix(), 10), contextLang: string(language),
	}
}

// languageOf returns the language of a socket's errors.
func languageOf(event events.APIGatewayWebsocketProxyRequest) fault.Language {
	values, _ := event.RequestContext.Authorizer.(map[string]any)
	language, _ := values[contextLang].(string)
	return fault.Language(language)
}

// FromContext reads Context back from an event.
func FromContext(event events.APIGatewayWebsocketProxyRequest) connection.Socket {
	values, _ := event.RequestContext.Authorizer.(map[string]any)
	text := func(name string) string { value, _ := values[name].(string); return value }
	number := func(name string) int64 { value, _ := strconv.ParseInt(text(name), 10, 64); return value }
	connectionID := event.RequestContext.ConnectionID
	return connection.Socket{
		App: id.StoredApp(text(contextApp)), User: id.User(text(contextUser)), Key: id.Key(text(contextKey)), Connection: connectionID,
		Device: connection.DeviceName(text(contextDevice), connectionID), Epoch: number(contextEpoch),
		ExpiresAt: time.Unix(number(contextExpires), 0).UTC(),
	}
}
