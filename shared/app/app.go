// Package app has the settings of an app: one isolated tenant.
package app

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// App is a tenant.
type App struct {
	// ID names it; every key of every table begins with it.
	ID id.App
	// Name is for people.
	Name string
	// Origins lists the web origins whose pages may open sockets, such as "https://chat.example.com". A port of "*"
	// stands for any port.
	Origins []string
	// CreatedAt is when it was made.
	CreatedAt time.Time
}

// Store keeps apps.
type Store interface {
	// Create stores a new app. An app that exists already is left as it is.
	Create(ctx context.Context, app App) error
	// Get returns the app, eventually consistent; found is false where there is none.
	Get(ctx context.Context, app id.App) (found App, ok bool, err error)
}

// AllowsOrigin tells whether a page of the origin may open a socket. A browser always names the origin, so a page of
// someone else's cannot use a ticket that it got hold of; programs that are no browser name none and are not asked.
func (a App) AllowsOrigin(origin string) bool {
	return slices.ContainsFunc(a.Origins, func(allowed string) bool {
		return origin == allowed || sameButPort(origin, allowed)
	})
}

// sameButPort tells whether allowed has the port "*" and origin differs from it in the port only.
func sameButPort(origin, allowed string) bool {
	prefix, anyPort := strings.CutSuffix(allowed, ":*")
	if !anyPort {
		return false
	}
	parsed, err := url.Parse(origin)
	return err == nil && origin == parsed.Scheme+"://"+parsed.Host && parsed.Scheme+"://"+parsed.Hostname() == prefix
}
