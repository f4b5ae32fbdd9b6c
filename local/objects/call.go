package objects

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/template"
)

// call is one request, taken apart.
type call struct {
	request *http.Request
	bucket  *template.Bucket
	key     string // empty: the bucket itself
}

func (s *Service) read(r *http.Request) (*call, error) {
	path := strings.TrimPrefix(r.URL.Path, Prefix)
	name, key, _ := strings.Cut(path, "/")
	for _, bucket := range s.options.Buckets {
		if bucket.Name == name {
			return &call{request: r, bucket: bucket, key: key}, nil
		}
	}
	return nil, errNoSuchBucket
}

// source takes the header of a copy apart.
func (c *call) source(header string) (bucket, key string, ok bool) {
	plain, err := url.PathUnescape(header)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(strings.TrimPrefix(plain, "/"), "/")
}

func (s *Service) etag(bucket, key string) (string, error) {
	object, err := s.storage.HeadObject(bucket, key)
	if err != nil {
		return "", err
	}
	_ = object.Contents.Close() // a head has none
	return hex.EncodeToString(object.Hash), nil
}

// count tells the meter which actions the request needs, as IAM names them.
func (s *Service) count(c *call) {
	if s.options.Count == nil || s.options.Caller == nil {
		return
	}
	function := s.options.Caller(c.request.Context())
	for _, action := range c.actions() {
		s.options.Count(meter.ObjectOperation{Function: function, Action: action, Resource: c.resource(action)})
	}
}

func (c *call) actions() []string {
	switch {
	case c.request.Header.Get("X-Amz-Copy-Source") != "":
		return []string{"s3:GetObject", "s3:PutObject"}
	case c.key == "" && c.request.URL.Query().Has("delete"):
		return []string{"s3:DeleteObject"}
	case c.key == "":
		return []string{"s3:ListBucket"}
	}
	return map[string][]string{http.MethodPut: {"s3:PutObject"}, http.MethodDelete: {"s3:DeleteObject"},
		http.MethodGet: {"s3:GetObject"}, http.MethodHead: {"s3:GetObject"}}[c.request.Method]
}

// resource is the bucket, or the first part of the key: roles grant by these.
func (c *call) resource(action string) string {
	key := c.key
	if action == "s3:ListBucket" {
		return c.bucket.Name
	}
	if source := c.request.Header.Get("X-Amz-Copy-Source"); source != "" && action == "s3:GetObject" {
		_, key, _ = c.source(source)
	}
	if key == "" { // many keys, in the body
		return c.bucket.Name + "/*"
	}
	folder, _, _ := strings.Cut(key, "/")
	return c.bucket.Name + "/" + folder + "/*"
}

// failure is an answer of S3's that is no success.
type failure struct {
	status        int
	code, message string
}

// Error implements error.
func (f failure) Error() string { return f.code + ": " + f.message }

// What S3 refuses, in its words.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	errNoSuchBucket = failure{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	errNoSuchKey    = failure{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	errPrecondition = failure{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	errUnsigned     = failure{http.StatusForbidden, "AccessDenied", "Access Denied"}
	errSignature    = failure{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	errExpired      = failure{http.StatusForbidden, "AccessDenied", "Request has expired"}
	errSkewed       = failure{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	errQuery        = failure{http.StatusBadRequest, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters, the last at most 604800."}
	errLength       = failure{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	errIncomplete   = failure{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."}
	errTooLarge     = failure{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."}
	errDigest       = failure{http.StatusBadRequest, "BadDigest", "The SHA256 you specified did not match the calculated checksum."}
	errPayload      = failure{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
)

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := err.(failure)
	if !ok {
		f = failure{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>%s</Code><Message>%s</Message></Error>", f.code, f.message)
	}
}
