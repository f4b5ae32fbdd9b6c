package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// page is a page of ListObjectsV2: at most 1,000 keys.
type page struct {
	Contents []struct{ Key string }
}

// DeletePrefix removes up to 1,000 objects whose keys begin so, and tells whether there may be more.
func (b *Bucket) DeletePrefix(ctx context.Context, prefix string) (more bool, err error) {
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	got, err := b.do(ctx, request{method: http.MethodGet, query: query})
	if err != nil {
		return false, fmt.Errorf("list %s: %w", prefix, err)
	}
	var listed page
	if err := xml.Unmarshal(got.body, &listed); err != nil {
		return false, fmt.Errorf("list %s: %w", prefix, err)
	}
	if len(listed.Contents) == 0 {
		return false, nil
	}
	if err := b.deleteAll(ctx, listed); err != nil {
		return false, fmt.Errorf("delete %s: %w", prefix, err)
	}
	return true, nil
}

// deleteAll removes a page's objects with one call.
func (b *Bucket) deleteAll(ctx context.Context, listed page) error {
	body := bytes.NewBufferString(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>`)
	for _, object := range listed.Contents {
		body.WriteString("<Object><Key>")
		if err := xml.EscapeText(body, []byte(object.Key)); err != nil {
			return err
		}
		body.WriteString("</Key></Object>")
	}
	body.WriteString("</Delete>")
	sum := sha256.Sum256(body.Bytes())
	header := http.Header{"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(sum[:])}, "Content-Type": {"application/xml"}}
	got, err := b.do(ctx, request{method: http.MethodPost, query: url.Values{"delete": {""}}, header: header, body: body.Bytes()})
	if err == nil && bytes.Contains(got.body, []byte("<Error>")) {
		err = errors.New("some objects are left")
	}
	return err
}
