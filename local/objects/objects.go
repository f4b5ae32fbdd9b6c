// Package objects stands in for Amazon S3: the buckets of a template, kept in a folder or in memory, with the events that
// tell a queue of what was put into them.
//
//	service, err := objects.Open(objects.Options{Buckets: tpl.Buckets, Folder: ".local/data/objects", Send: queues.Put, Log: log})
//	http.Handle("/fn/Media/s3/", service) // http://…/fn/Media/s3/<bucket>/<key>, by SDK or by a presigned link
//
// The objects themselves are kept by gofakes3, which believes every request. What S3 refuses is refused here, before it: a
// request without a signature, or with another than its credentials make; a presigned one after its time; a body that is
// not what the signed headers say; a put that has to be the first of its key and is not.
package objects

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/spf13/afero"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/template"
)

// Prefix is where S3 begins in a path: /s3/<bucket>/<key>, behind whatever says who is calling.
const Prefix = "/s3/"

// MaxObject bounds one put, in bytes, as S3 does.
const MaxObject = 5 << 30

// Options configure a Service.
type Options struct {
	Buckets []*template.Bucket
	Folder  string // where objects are kept; empty: in memory only
	Log     *slog.Logger
	// Send puts an event into the queue of that name.
	Send func(queue, event string) error
	// Now tells the time by which presigned requests expire; default the machine's.
	Now func() time.Time
	// Caller returns the function that makes a request, or signed it; Count is told of its requests. Both may be nil.
	Caller func(context.Context) string
	Count  func(meter.ObjectOperation)
}

// Service is the buckets. Its methods may be called at the same time.
type Service struct {
	options  Options
	spool    string // folder of bodies that are not yet checked
	storage  gofakes3.Backend
	kept     http.Handler // gofakes3
	verifier verifier
}

// Open returns the buckets with the objects that an earlier Service has kept in the folder.
func Open(o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{options: o, verifier: newVerifier()}
	files := afero.NewMemMapFs()
	if o.Folder != "" {
		s.spool = filepath.Join(o.Folder, "incoming")
		if err := s.openFolder(); err != nil {
			return nil, fmt.Errorf("open the objects: %w", err)
		}
		files = afero.NewBasePathFs(afero.NewOsFs(), o.Folder)
	}
	storage, err := s3afero.MultiBucket(files)
	if err != nil {
		return nil, fmt.Errorf("open the objects: %w", err)
	}
	s.storage = storage
	for _, bucket := range o.Buckets {
		if err := s.make(bucket.Name); err != nil {
			return nil, fmt.Errorf("make bucket %s: %w", bucket.Name, err)
		}
	}
	// The times are checked here already, with the signature.
	s.kept = gofakes3.New(storage, gofakes3.WithTimeSkewLimit(0)).Server()
	return s, nil
}

// openFolder makes the folder, and forgets the bodies that an earlier process was in the middle of.
func (s *Service) openFolder() error {
	if err := os.RemoveAll(s.spool); err != nil {
		return err
	}
	return os.MkdirAll(s.spool, 0o700)
}

func (s *Service) make(bucket string) error {
	there, err := s.storage.BucketExists(bucket)
	if err != nil || there {
		return err
	}
	return s.storage.CreateBucket(bucket)
}

// Takes tells whether a request is for S3.
func Takes(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, Prefix) }

// ServeHTTP answers /s3/<bucket>/<key>, path style. What stands before it may have been stripped off the path, but not off
// the RequestURI, over which the caller has signed.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.read(r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	s.allowOrigin(w, c)
	if c.preflight() {
		s.answerPreflight(w, c)
		return
	}
	s.count(c)
	if err := s.serve(w, c); err != nil {
		refuse(w, r, err)
	}
}

// serve checks a request and lets gofakes3 answer it.
func (s *Service) serve(w http.ResponseWriter, c *call) error {
	signed, err := s.verifier.verify(c.request, s.options.Now())
	if err != nil {
		return err
	}
	if err := s.checkConditions(c); err != nil {
		return err
	}
	if c.request.Method != http.MethodPut {
		s.pass(w, c)
		return nil
	}
	body, err := s.receive(c.request, signed)
	if err != nil {
		return err
	}
	defer body.remove()
	c.request.Body, c.request.ContentLength = body, body.size
	if status := s.pass(w, c); status == http.StatusOK {
		s.announce(c, body.size)
	}
	return nil
}

// pass hands a request over to gofakes3 and returns the status of its answer.
func (s *Service) pass(w http.ResponseWriter, c *call) int {
	inner := c.request.Clone(c.request.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+c.bucket.Name+"/"+c.key, ""
	inner.Body = c.request.Body
	recorder := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	s.kept.ServeHTTP(recorder, inner)
	return recorder.status
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// checkConditions refuses what is only for an object of a certain content, which gofakes3 does for puts alone.
func (s *Service) checkConditions(c *call) error {
	bucket, key, want := c.bucket.Name, c.key, c.request.Header.Get("If-Match")
	if source := c.request.Header.Get("X-Amz-Copy-Source"); source != "" {
		var ok bool
		if bucket, key, ok = c.source(source); !ok {
			return errNoSuchKey
		}
		want = c.request.Header.Get("X-Amz-Copy-Source-If-Match")
	}
	if want == "" {
		return nil
	}
	etag, err := s.etag(bucket, key)
	if err != nil {
		return errNoSuchKey
	}
	if strings.Trim(want, `"`) != etag {
		return errPrecondition
	}
	return nil
}
