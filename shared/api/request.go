package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/netip"

	"golang.org/x/text/language"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/strictjson"
)

// maxBody bounds the body of a request, unless its operation says otherwise. The largest is a message of 4 KB with every character
// escaped.
const maxBody = 64 << 10

// request is what the edge knows about the request that is being answered.
type request struct {
	id       string
	language fault.Language
	// source is the address that it came from, origin the page.
	source netip.Addr
	origin origin
	// body is the whole body, members its top-level strings, malformed what is wrong with its form.
	body      []byte
	members   map[string]string
	malformed error
	// query is what is wrong with the form of the query.
	query error
	// refusal is what the request was answered with, nil for success.
	refusal *fault.Error
}

type requestKey struct{}

// requestOf returns the request of the context.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{language: fault.English}
}

type sourceKey struct{}

// WithSource returns a context that carries the address that the request came from, as API Gateway saw it. What a header
// says of it is anybody's claim.
func WithSource(ctx context.Context, address string) context.Context {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, sourceKey{}, parsed.Unmap())
}

type requestIDKey struct{}

// WithRequestID returns a context that carries the request's ID, as API Gateway gave it.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// newRequest reads the request's language, and its body up to the limit in bytes.
func newRequest(r *http.Request, limit int) (*request, *http.Request) {
	seen := &request{language: Language(r.Header.Get("Accept-Language")), origin: origin{header: r.Header.Clone(), host: r.Host},
		query: checkQuery(r.URL.RawQuery)}
	seen.source, _ = r.Context().Value(sourceKey{}).(netip.Addr)
	seen.id, _ = r.Context().Value(requestIDKey{}).(string)
	if seen.id == "" {
		seen.id = randomID()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	switch {
	case err != nil:
		seen.malformed = fault.New(fault.BodyNotJSON, 0)
	case len(body) > limit:
		seen.malformed = fault.New(fault.BodyTooLarge, limit)
	default:
		seen.members, seen.malformed = strictjson.Object(body)
	}
	if fault.Is(seen.malformed, fault.BodyMissing) {
		body = nil // blank is none, where a body may be left out
	}
	seen.body = body
	return seen, r.WithContext(context.WithValue(r.Context(), requestKey{}, seen))
}

func randomID() string {
	var id [12]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// Language returns the catalogue's language that fits an Accept-Language header best.
func Language(header string) fault.Language {
	if _, index := language.MatchStrings(languages, header); index == 1 {
		return fault.Chinese
	}
	return fault.English
}
