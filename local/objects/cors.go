package objects

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tokenim/tokenim/local/template"
)

// preflight tells whether a browser asks before it sends the request itself.
func (c *call) preflight() bool {
	return c.request.Method == http.MethodOptions && c.request.Header.Get("Access-Control-Request-Method") != ""
}

// rule returns the first of the bucket's rules that the request fits, or nil.
func (c *call) rule() *template.BucketCORS {
	origin, method := c.request.Header.Get("Origin"), c.request.Method
	if c.preflight() {
		method = c.request.Header.Get("Access-Control-Request-Method")
	}
	if origin == "" {
		return nil
	}
	for i, rule := range c.bucket.CORS {
		if anyFits(rule.AllowedOrigins, origin) && slices.Contains(rule.AllowedMethods, method) && c.headersFit(rule) {
			return &c.bucket.CORS[i]
		}
	}
	return nil
}

func (c *call) headersFit(rule template.BucketCORS) bool {
	for name := range strings.SplitSeq(c.request.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !anyFits(rule.AllowedHeaders, name) {
			return false
		}
	}
	return true
}

// anyFits tells whether one of the patterns, which may have one star, fits.
func anyFits(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		begin, end, star := strings.Cut(strings.ToLower(pattern), "*")
		value := strings.ToLower(value)
		if !star {
			return begin == value
		}
		return len(value) >= len(begin)+len(end) && strings.HasPrefix(value, begin) && strings.HasSuffix(value, end)
	})
}

// allowOrigin lets the page that a browser shows see the answer.
func (s *Service) allowOrigin(w http.ResponseWriter, c *call) {
	rule := c.rule()
	if rule == nil {
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", c.request.Header.Get("Origin"))
	if slices.Contains(rule.AllowedOrigins, "*") {
		header.Set("Access-Control-Allow-Origin", "*")
	}
	header.Set("Access-Control-Allow-Methods", strings.Join(rule.AllowedMethods, ", "))
	if len(rule.ExposedHeaders) > 0 {
		header.Set("Access-Control-Expose-Headers", strings.Join(rule.ExposedHeaders, ", "))
	}
	if c.preflight() {
		header.Set("Access-Control-Allow-Headers", c.request.Header.Get("Access-Control-Request-Headers"))
		header.Set("Access-Control-Max-Age", strconv.Itoa(rule.MaxAge))
	}
}

// answerPreflight says whether the request itself may come.
func (s *Service) answerPreflight(w http.ResponseWriter, c *call) {
	if c.rule() == nil {
		refuse(w, c.request, failure{http.StatusForbidden, "AccessForbidden", "CORSResponse: This CORS request is not allowed."})
		return
	}
	w.WriteHeader(http.StatusOK)
}
