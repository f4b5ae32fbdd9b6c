// Package bucket reads and writes the objects of one bucket of S3, and signs links with which others do.
//
//	media := bucket.FromEnvironment("MEDIA_BUCKET") // its name, !Ref MediaBucket in template.yaml
//	link, err := media.PresignPut(ctx, "uploads/x", bucket.Upload{Size: 5, ContentType: "image/png", SHA256: sum}, 15*time.Minute)
//
// It speaks S3's REST API itself, signed by the SDK's signer, which every function has already: the SDK's module for S3
// would add more to a zip than a function has left (docs/decisions/0019-media.md).
package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/tokenim/tokenim/shared/awsenv"
)

// Errors of objects.
var (
	// ErrNotFound says that there is no object of that key.
	ErrNotFound = errors.New("bucket: no such object")
	// ErrChanged says that the object is not, or no longer, what the ETag names.
	ErrChanged = errors.New("bucket: the object has changed")

	errBeyond = errors.New("bucket: nothing lies in the range")
)

const (
	// attempts and firstPause are for what S3 was too busy for: it asks to try again, with pauses that grow.
	attempts   = 3
	firstPause = 100 * time.Millisecond
	// answerBytes bounds an answer that is not an object: a page of a list has at most 1,000 keys of 1 KB.
	answerBytes = 4 << 20
)

// Bucket is one bucket.
type Bucket struct {
	name        string
	base        *url.URL // of the keys
	region      string
	credentials aws.CredentialsProvider
	client      *http.Client
	signer      *v4.Signer
	now         func() time.Time
}

// FromEnvironment returns the bucket whose name the variable holds. A missing variable is a defect of the template.
func FromEnvironment(variable string) *Bucket {
	name := os.Getenv(variable)
	if name == "" {
		panic("bucket: " + variable + " is not set; the function's environment in template.yaml lacks it")
	}
	config := awsenv.Config()
	base, err := address(name, config.Region, awsenv.Endpoint("S3"))
	if err != nil {
		panic(fmt.Sprintf("bucket: %v", err))
	}
	return &Bucket{name: name, base: base, region: config.Region, credentials: config.Credentials, client: &http.Client{}, signer: newSigner(), now: time.Now}
}

// newSigner signs as S3 wants it. Headers stay headers: a value that is moved to the query could be left out of the request.
func newSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true })
}

// address is the bucket's own host on AWS, and a path behind whatever stands in for S3.
func address(name, region string, endpoint *string) (*url.URL, error) {
	if endpoint != nil {
		return url.Parse(strings.TrimSuffix(*endpoint, "/") + "/" + name)
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return url.Parse("https://" + name + ".s3." + region + "." + domain)
}

// Object is what is known of an object without its content.
type Object struct {
	Size        int64 // bytes of all of it
	ContentType string
	ETag        string // without quotes
}

// Read returns up to limit bytes of an object from an offset on, if it is still what the ETag names; else ErrChanged. ErrNotFound
// where there is none.
func (b *Bucket) Read(ctx context.Context, key, etag string, from, limit int64) ([]byte, Object, error) {
	header := http.Header{"If-Match": {quoted(etag)}, "Range": {fmt.Sprintf("bytes=%d-%d", from, from+limit-1)}}
	answer, err := b.do(ctx, request{method: http.MethodGet, key: key, header: header})
	if errors.Is(err, errBeyond) { // of an object without bytes every range is
		return nil, Object{ETag: etag}, nil
	}
	if err != nil {
		return nil, Object{}, fmt.Errorf("read %s: %w", key, err)
	}
	object := Object{Size: answer.length, ContentType: answer.header.Get("Content-Type"), ETag: unquoted(answer.header.Get("ETag"))}
	if _, total, ok := strings.Cut(answer.header.Get("Content-Range"), "/"); ok {
		if _, err := fmt.Sscan(total, &object.Size); err != nil {
			return nil, Object{}, fmt.Errorf("read %s: size %q", key, total)
		}
	}
	return answer.body, object, nil
}

// Put writes an object in one step, over whatever is there.
func (b *Bucket) Put(ctx context.Context, key, contentType string, content []byte) error {
	if _, err := b.do(ctx, request{method: http.MethodPut, key: key, header: http.Header{"Content-Type": {contentType}}, body: content}); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// Copy copies an object within the bucket, under another type, if it is still what the ETag names; else ErrChanged. Nothing
// passes through the caller.
func (b *Bucket) Copy(ctx context.Context, from, etag, to, contentType string) error {
	header := http.Header{"Content-Type": {contentType}, "X-Amz-Metadata-Directive": {"REPLACE"},
		"X-Amz-Copy-Source": {"/" + b.name + "/" + from}, "X-Amz-Copy-Source-If-Match": {quoted(etag)}}
	answer, err := b.do(ctx, request{method: http.MethodPut, key: to, header: header})
	if err == nil && bytes.Contains(answer.body, []byte("<Error>")) { // S3 may say 200 before it is done
		err = errors.New("the copy failed half-way")
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// Delete removes an object; it is no error where there is none.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if _, err := b.do(ctx, request{method: http.MethodDelete, key: key}); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

func quoted(etag string) string { return `"` + etag + `"` }

func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// request is one call of S3's API.
type request struct {
	method, key string
	query       url.Values
	header      http.Header
	body        []byte
}

// answer is what S3 said.
type answer struct {
	header http.Header
	body   []byte
	length int64
}

// do makes a call, and again where S3 was too busy or out of reach.
func (b *Bucket) do(ctx context.Context, r request) (answer, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		got, again, err := b.attempt(ctx, r)
		if !again || attempt == attempts {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// attempt makes a call once, and tells whether another may help.
func (b *Bucket) attempt(ctx context.Context, r request) (got answer, again bool, err error) {
	outgoing, err := b.signed(ctx, r)
	if err != nil {
		return answer{}, false, err
	}
	response, err := b.client.Do(outgoing)
	if err != nil {
		return answer{}, true, err
	}
	defer response.Body.Close()
	got = answer{header: response.Header, length: response.ContentLength}
	if got.body, err = io.ReadAll(io.LimitReader(response.Body, max(answerBytes, response.ContentLength))); err != nil {
		return answer{}, true, err
	}
	switch status := response.StatusCode; {
	case status < 300:
		return got, false, nil
	case status == http.StatusNotFound:
		return got, false, ErrNotFound
	case status == http.StatusPreconditionFailed:
		return got, false, ErrChanged
	case status == http.StatusRequestedRangeNotSatisfiable:
		return got, false, errBeyond
	default:
		return got, status >= 500 || status == http.StatusTooManyRequests, fmt.Errorf("S3 answers %d: %.300s", status, got.body)
	}
}

// signed returns the call as an HTTP request with the signature in its header.
func (b *Bucket) signed(ctx context.Context, r request) (*http.Request, error) {
	target := b.base.JoinPath(r.key)
	target.RawQuery = r.query.Encode()
	outgoing, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	outgoing.Header = r.header.Clone()
	if outgoing.Header == nil {
		outgoing.Header = http.Header{}
	}
	sum := sha256.Sum256(r.body)
	payload := hex.EncodeToString(sum[:])
	outgoing.Header.Set("X-Amz-Content-Sha256", payload)
	credentials, err := b.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return outgoing, b.signer.SignHTTP(ctx, credentials, outgoing, payload, "s3", b.region, b.now())
}
