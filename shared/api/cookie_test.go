package api

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
)

// from returns the origin of a request to the host; headers come in pairs.
func from(host string, headers ...string) origin {
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Add(headers[i], headers[i+1])
	}
	return origin{header: header, host: host}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "127.0.0.1": true, "127.0.0.1:1": true, "127.9.9.9:80": true, "[::1]:8080": true,
		"": false, "api.example.com": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "localhost:80:80": false, "169.254.169.254": false,
	} {
		if got := from(host).loopback(); got != want {
			t.Errorf("%q: %v", host, got)
		}
		if from(host, "X-Forwarded-Proto", "https").loopback() || from(host, "X-Forwarded-Proto", "HTTPS").loopback() {
			t.Errorf("%q over https is taken for a laptop", host)
		}
	}
}

func TestOwnPage(t *testing.T) {
	const host, own, console = "api.example.com", "https://api.example.com", "X-Tokenim-Console"
	for name, test := range map[string]struct {
		origin origin
		want   bool
	}{
		"a page of ours":              {from(host, "Sec-Fetch-Site", "same-origin", "Origin", own, console, "1"), true},
		"without an origin":           {from(host, "Sec-Fetch-Site", "same-origin", console, "1"), true},
		"an older browser":            {from(host, "Origin", own, console, "1"), true},
		"no header of the console":    {from(host, "Sec-Fetch-Site", "same-origin", "Origin", own), false},
		"an empty one":                {from(host, "Sec-Fetch-Site", "same-origin", console, ""), false},
		"another host of the domain":  {from(host, "Sec-Fetch-Site", "same-site", "Origin", own, console, "1"), false},
		"another site":                {from(host, "Sec-Fetch-Site", "cross-site", console, "1"), false},
		"typed into the browser":      {from(host, "Sec-Fetch-Site", "none", console, "1"), false},
		"a site that nobody knows":    {from(host, "Sec-Fetch-Site", "SAME-ORIGIN", console, "1"), false},
		"two sites":                   {from(host, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Site", "same-origin", console, "1"), false},
		"nothing":                     {from(host, console, "1"), false},
		"an origin that says null":    {from(host, "Origin", "null", console, "1"), false},
		"null and no host":            {from("", "Origin", "null", console, "1"), false},
		"a file and no host":          {from("", "Origin", "file://", console, "1"), false},
		"an origin that is none":      {from(host, "Origin", "%zz", console, "1"), false},
		"a host that begins likewise": {from(host, "Origin", own+".evil.example", console, "1"), false},
		"a host behind a name":        {from(host, "Origin", own+"@evil.example", console, "1"), false},
		"a name before our host":      {from(host, "Origin", "https://evil@api.example.com", console, "1"), true}, // no browser writes it
		"another port":                {from(host, "Origin", own+":444", console, "1"), false},
	} {
		if err := test.origin.ownPage(); (err == nil) != test.want || err != nil && !fault.Is(err, fault.CrossSiteRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	until := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	within := func(o origin) context.Context {
		return context.WithValue(t.Context(), requestKey{}, &request{origin: o})
	}
	for want, o := range map[string]origin{
		"__Host-tokenim=ts_x; Path=/; Expires=Sat, 21 Mar 2026 12:00:00 GMT; HttpOnly; Secure; SameSite=Strict": from("api.example.com"),
		"tokenim=ts_x; Path=/; Expires=Sat, 21 Mar 2026 12:00:00 GMT; HttpOnly; SameSite=Strict":                from("localhost:8080"),
	} {
		if cookie := SessionCookie(within(o), "ts_x", until); cookie.String() != want {
			t.Errorf("%s\nwant %s", cookie.String(), want)
		}
	}
	want := "__Host-tokenim=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	if gone := SessionCookie(within(from("api.example.com")), "", time.Time{}); gone.String() != want {
		t.Errorf("%s\nwant %s", gone.String(), want)
	}
}

// A cookie is read under the name of the place alone.
func TestCookie(t *testing.T) {
	both := []string{"Cookie", "tokenim=plain; __Host-tokenim=bound"}
	for host, want := range map[string]string{"api.example.com": "bound", "localhost:8080": "plain"} {
		if got := from(host, both...).cookie(); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	for _, header := range []string{"", "x=y", "__host-tokenim=a", "__Host-tokenim", "=", ";;;", "__Host-tokenimx=a"} {
		if got := from("api.example.com", "Cookie", header).cookie(); got != "" {
			t.Errorf("%q: %q", header, got)
		}
	}
}
