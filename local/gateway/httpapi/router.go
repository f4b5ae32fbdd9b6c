package httpapi

import (
	"net/http"
	"strings"

	"github.com/tokenim/tokenim/local/template"
)

// router finds the most specific route: a fixed segment before {name}, that before {name+}, all before $default; and
// the method itself before ANY.
type router struct{ routes []pattern }

type pattern struct {
	route    template.Route
	segments []string
}

func newRouter(routes []template.Route) router {
	var r router
	for _, route := range routes {
		r.routes = append(r.routes, pattern{route, strings.Split(strings.Trim(route.Path, "/"), "/")})
	}
	return r
}

// match returns the route for a decoded path, with its path parameters.
func (r router) match(method, path string) (template.Route, map[string]string, bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	var best *pattern
	bestScore := ""
	for i, p := range r.routes {
		if p.route.Method != method && p.route.Method != "ANY" {
			continue
		}
		if score, ok := p.score(segments); ok && (best == nil || score > bestScore) {
			best, bestScore = &r.routes[i], score
		}
	}
	if best == nil {
		return template.Route{}, nil, false
	}
	return best.route, best.parameters(segments), true
}

// score compares as a string: one digit per segment, the greater the more specific, and the method at the end.
func (p pattern) score(segments []string) (string, bool) {
	if p.route.Path == template.DefaultRoute {
		return "", true
	}
	var score strings.Builder
	for i, segment := range p.segments {
		switch {
		case greedy(segment):
			score.WriteByte('1')
			return p.withMethod(&score), len(segments) > i && segments[i] != ""
		case i >= len(segments):
			return "", false
		case strings.HasPrefix(segment, "{"):
			if segments[i] == "" {
				return "", false
			}
			score.WriteByte('2')
		case segment == segments[i]:
			score.WriteByte('3')
		default:
			return "", false
		}
	}
	return p.withMethod(&score), len(p.segments) == len(segments)
}

func (p pattern) withMethod(score *strings.Builder) string {
	if p.route.Method == "ANY" {
		score.WriteByte('0')
	} else {
		score.WriteByte('1')
	}
	return score.String()
}

func greedy(segment string) bool { return strings.HasSuffix(segment, "+}") }

func (p pattern) parameters(segments []string) map[string]string {
	var parameters map[string]string
	for i, segment := range p.segments {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		if parameters == nil {
			parameters = map[string]string{}
		}
		if greedy(segment) {
			parameters[strings.TrimSuffix(name, "+}")] = strings.Join(segments[i:], "/")
			break
		}
		parameters[strings.TrimSuffix(name, "}")] = segments[i]
	}
	return parameters
}

// isPreflight tells a CORS preflight from an OPTIONS request of another kind.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
