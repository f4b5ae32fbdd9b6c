package bucket

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// unsignedPayload says that a signature does not cover the body: whoever signs a link does not have it.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// Upload is what a link is for: S3 refuses every other size, type and content, and a second put.
type Upload struct {
	Size        int64 // bytes, at least 1
	ContentType string
	SHA256      [32]byte
}

// Link is a signed request that somebody without credentials can make until it expires.
type Link struct {
	Method string
	URL    string
	// Header has to be sent as it is. Content-Length is signed too, and sent by every client by itself.
	Header    map[string]string
	ExpiresAt time.Time
}

// PresignPut returns a link that writes an object if there is none of that key yet. Size, type and checksum are among the
// signed headers.
func (b *Bucket) PresignPut(ctx context.Context, key string, upload Upload, life time.Duration) (Link, error) {
	header := map[string]string{"Content-Type": upload.ContentType, "If-None-Match": "*",
		"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(upload.SHA256[:])}
	return b.presign(ctx, http.MethodPut, key, url.Values{}, header, upload.Size, life)
}

// PresignGet returns a link that reads an object. The answer has the type and the disposition that are given here, whatever
// the object was stored with.
func (b *Bucket) PresignGet(ctx context.Context, key, contentType, disposition string, life time.Duration) (Link, error) {
	query := url.Values{"response-content-type": {contentType}, "response-content-disposition": {disposition}}
	return b.presign(ctx, http.MethodGet, key, query, nil, 0, life)
}

func (b *Bucket) presign(ctx context.Context, method, key string, query url.Values, header map[string]string, length int64, life time.Duration) (Link, error) {
	query.Set("X-Amz-Expires", strconv.FormatInt(int64(life/time.Second), 10))
	target := b.base.JoinPath(key)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return Link{}, fmt.Errorf("sign a link: %w", err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	request.ContentLength = length
	credentials, err := b.credentials.Retrieve(ctx)
	if err != nil {
		return Link{}, fmt.Errorf("sign a link: %w", err)
	}
	now := b.now()
	signed, _, err := b.signer.PresignHTTP(ctx, credentials, request, unsignedPayload, "s3", b.region, now)
	if err != nil {
		return Link{}, fmt.Errorf("sign a link: %w", err)
	}
	return Link{Method: method, URL: signed, Header: header, ExpiresAt: now.Add(life).UTC().Truncate(time.Second)}, nil
}
