package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// preflight answers a CORS preflight from the API's configuration. No function hears of it.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) bool {
	if a.cors == nil || !isPreflight(r) {
		return false
	}
	header := w.Header()
	if a.allowOrigin(header, r) {
		header.Del("Access-Control-Expose-Headers")
		setList(header, "Access-Control-Allow-Methods", a.cors.AllowMethods)
		setList(header, "Access-Control-Allow-Headers", a.cors.AllowHeaders)
		if a.cors.MaxAge > 0 {
			header.Set("Access-Control-Max-Age", strconv.Itoa(a.cors.MaxAge))
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowOrigin sets the headers that let the page of an allowed origin read the answer.
func (a *API) allowOrigin(header http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if a.cors == nil || origin == "" || !a.allows(origin) {
		return false
	}
	if slices.Contains(a.cors.AllowOrigins, "*") {
		origin = "*"
	} else {
		header.Add("Vary", "Origin")
	}
	header.Set("Access-Control-Allow-Origin", origin)
	setList(header, "Access-Control-Expose-Headers", a.cors.ExposeHeaders)
	if a.cors.AllowCredentials {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

func (a *API) allows(origin string) bool {
	for _, allowed := range a.cors.AllowOrigins {
		before, after, wildcard := strings.Cut(allowed, "*")
		if allowed == origin || wildcard && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after) {
			return true
		}
	}
	return false
}

func setList(header http.Header, name string, values []string) {
	if len(values) > 0 {
		header.Set(name, strings.Join(values, ","))
	}
}
