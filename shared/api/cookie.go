package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
)

const (
	// sessionCookie is bound by its prefix to this very host, to https and to the whole site, so that no other host of the
	// domain can plant one (RFC 6265bis, 4.1.3.2).
	sessionCookie = "__Host-tokenim"
	// loopbackCookie has its place on a laptop, where there is no https and browsers refuse the prefix.
	loopbackCookie = "tokenim"
	// consoleHeader can be set by scripts only, and by those of other origins only after a preflight, which is never
	// granted for it: forms and links of other sites cannot send it.
	consoleHeader = "X-Tokenim-Console"
)

// origin is what a request says about the page that it comes from.
type origin struct {
	header http.Header
	host   string
}

// loopback tells whether the request came to this machine in plain HTTP. API Gateway writes X-Forwarded-Proto itself.
func (o origin) loopback() bool {
	host := o.host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(host)
	return !strings.EqualFold(o.header.Get("X-Forwarded-Proto"), "https") &&
		(host == "localhost" || err == nil && address.IsLoopback())
}

func (o origin) cookieName() string {
	if o.loopback() {
		return loopbackCookie
	}
	return sessionCookie
}

// cookie returns the session that a browser sent along, "" where there is none.
func (o origin) cookie() string {
	cookie, err := (&http.Request{Header: o.header}).Cookie(o.cookieName())
	if err != nil {
		return ""
	}
	return cookie.Value
}

// ownPage refuses a request that no page of our own origin can have sent. Browsers that say how they came by a request are
// believed; older ones name the origin.
func (o origin) ownPage() error {
	fetched, named := o.header.Get("Sec-Fetch-Site"), o.header.Get("Origin")
	own := fetched == "same-origin" || fetched == "" && named != ""
	if named != "" {
		parsed, err := url.Parse(named)
		own = own && err == nil && parsed.Host != "" && strings.EqualFold(parsed.Host, o.host) // "null" has no host
	}
	if !own || o.header.Get(consoleHeader) == "" {
		return fault.New(fault.CrossSiteRequest)
	}
	return nil
}

// FromOwnPage refuses a request that no page of our own origin can have sent, for operations that set a cookie.
func FromOwnPage(ctx context.Context) error { return requestOf(ctx).origin.ownPage() }

// SessionCookie returns the cookie that keeps the session in a browser until then. An empty session removes it.
func SessionCookie(ctx context.Context, session string, until time.Time) http.Cookie {
	from := requestOf(ctx).origin
	cookie := http.Cookie{Name: from.cookieName(), Value: session, Path: "/", HttpOnly: true, Secure: !from.loopback(),
		SameSite: http.SameSiteStrictMode, Expires: until}
	if session == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// LanguageOf returns the language in which the request is answered.
func LanguageOf(ctx context.Context) fault.Language { return requestOf(ctx).language }
