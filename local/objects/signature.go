package objects

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	// unsignedPayload is the hash of a body that the signature does not cover.
	unsignedPayload = "UNSIGNED-PAYLOAD"
	amzTime         = "20060102T150405Z"
	// maxExpiry and maxSkew are S3's.
	maxExpiry = 7 * 24 * time.Hour
	maxSkew   = 15 * time.Minute
)

// verifier checks Signature Version 4, in the Authorization header or in the query. It signs what the request says was
// signed once more, with the SDK's own signer, and compares.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
type verifier struct{ signer *v4.Signer }

func newVerifier() verifier {
	return verifier{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true })}
}

// claim is what a request says of its signature.
type claim struct {
	credential, signature string
	headers               map[string]bool // the signed ones, in lower case
	at                    time.Time
	payload               string // SHA-256 of the body in hex, or unsignedPayload
}

// verify returns what is signed, or what is wrong with it.
func (v verifier) verify(r *http.Request, now time.Time) (claim, error) {
	if r.URL.Query().Has("X-Amz-Signature") || r.URL.Query().Has("X-Amz-Algorithm") {
		return v.verifyQuery(r, now)
	}
	return v.verifyHeader(r, now)
}

func (v verifier) verifyQuery(r *http.Request, now time.Time) (claim, error) {
	query := r.URL.Query()
	c := claim{credential: query.Get("X-Amz-Credential"), signature: query.Get("X-Amz-Signature"),
		headers: set(query.Get("X-Amz-SignedHeaders")), payload: unsignedPayload}
	at, err := time.Parse(amzTime, query.Get("X-Amz-Date"))
	seconds, notNumber := strconv.Atoi(query.Get("X-Amz-Expires"))
	life := time.Duration(seconds) * time.Second
	if err != nil || notNumber != nil || query.Get("X-Amz-Algorithm") != algorithm || life < 1 || life > maxExpiry {
		return claim{}, errQuery
	}
	c.at = at
	if now.After(at.Add(life)) || now.Before(at.Add(-maxSkew)) {
		return claim{}, errExpired
	}
	request, err := c.original(r, "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
	if err != nil {
		return claim{}, err
	}
	signed, _, err := v.signer.PresignHTTP(context.Background(), credentials, request, c.payload, "s3", template.Region, at)
	if err != nil {
		return claim{}, errSignature
	}
	again, err := url.Parse(signed)
	if err != nil {
		return claim{}, errSignature
	}
	return c, c.compare(again.Query().Get("X-Amz-Credential"), again.Query().Get("X-Amz-Signature"))
}

var authorization = regexp.MustCompile(`^` + algorithm + ` Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$`)

func (v verifier) verifyHeader(r *http.Request, now time.Time) (claim, error) {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	at, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if parts == nil || err != nil {
		return claim{}, errUnsigned
	}
	if now.Sub(at).Abs() > maxSkew {
		return claim{}, errSkewed
	}
	c := claim{credential: parts[1], headers: set(parts[2]), signature: parts[3], at: at, payload: r.Header.Get("X-Amz-Content-Sha256")}
	request, err := c.original(r)
	if err != nil {
		return claim{}, err
	}
	if err := v.signer.SignHTTP(context.Background(), credentials, request, c.payload, "s3", template.Region, at); err != nil {
		return claim{}, errSignature
	}
	again := authorization.FindStringSubmatch(request.Header.Get("Authorization"))
	return c, c.compare(again[1], again[3])
}

// credentials are those that the functions run with.
var credentials = aws.Credentials{AccessKeyID: lambda.AccessKey, SecretAccessKey: lambda.SecretKey}

// original returns the request as it was before it was signed: with the signed headers only, and without the parameters of
// the query that are named.
func (c claim) original(r *http.Request, without ...string) (*http.Request, error) {
	target, err := url.ParseRequestURI(r.RequestURI)
	if err != nil || !c.headers["host"] {
		return nil, errSignature
	}
	query := target.Query()
	for _, name := range without {
		query.Del(name)
	}
	target.Scheme, target.Host, target.RawQuery = "http", r.Host, query.Encode()
	request := &http.Request{Method: r.Method, URL: target, Host: r.Host, Header: http.Header{}}
	for name, values := range r.Header {
		if c.headers[strings.ToLower(name)] {
			request.Header[name] = values
		}
	}
	if c.headers["content-length"] {
		request.ContentLength = r.ContentLength
	}
	return request, nil
}

func (c claim) compare(credential, signature string) error {
	if credential != c.credential || subtle.ConstantTimeCompare([]byte(signature), []byte(c.signature)) != 1 {
		return errSignature
	}
	return nil
}

func set(list string) map[string]bool {
	names := map[string]bool{}
	for name := range strings.SplitSeq(list, ";") {
		names[name] = true
	}
	return names
}
