package objects_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/objects"
	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/bucket"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
)

// world is a stand-in with one bucket, whose events it collects.
type world struct {
	*bucket.Bucket
	url   string
	clock *clocktest.Clock

	mu       sync.Mutex
	events   []string
	counters meter.Counters
}

type callerKey struct{}

// open starts a stand-in on a folder; "" is in memory.
func open(t *testing.T, folder string) *world {
	t.Helper()
	w := &world{clock: clocktest.New(time.Now())}
	media := &template.Bucket{Name: "media", Events: []template.BucketEvent{{Queue: "checks", Prefix: "uploads/"}},
		CORS: []template.BucketCORS{{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"content-type", "x-amz-*"}, MaxAge: 60}}}
	service, err := objects.Open(objects.Options{Buckets: []*template.Bucket{media}, Folder: folder, Log: slog.New(slog.DiscardHandler),
		Send: w.send, Now: w.clock.Now, Count: w.counters.CountObject,
		Caller: func(ctx context.Context) string { name, _ := ctx.Value(callerKey{}).(string); return name }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, "Media"))
		http.StripPrefix("/fn/Media", service).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL + "/fn/Media/s3"
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_S3": w.url, "AWS_REGION": template.Region, "BUCKET": "media",
		"AWS_ACCESS_KEY_ID": lambda.AccessKey, "AWS_SECRET_ACCESS_KEY": lambda.SecretKey, "AWS_SESSION_TOKEN": ""} {
		t.Setenv(name, value)
	}
	w.Bucket = bucket.FromEnvironment("BUCKET")
	return w
}

func (w *world) send(queue, event string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, queue+" "+event)
	return nil
}

var content = []byte("\x89PNG content")

// upload returns a link for the content.
func (w *world) upload(t *testing.T, key string) bucket.Link {
	t.Helper()
	link, err := w.PresignPut(t.Context(), key, bucket.Upload{Size: int64(len(content)), ContentType: "image/png", SHA256: sha256.Sum256(content)}, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// follow makes the request of a link, with changes, and returns status and body.
func follow(t *testing.T, link bucket.Link, body []byte, change ...func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), link.Method, link.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range link.Header {
		request.Header.Set(name, value)
	}
	for _, c := range change {
		c(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

func TestALinkPutsOnceAndTellsTheQueue(t *testing.T) {
	w := open(t, t.TempDir())
	link := w.upload(t, "uploads/app/m")
	if status, body, _ := follow(t, link, content); status != http.StatusOK {
		t.Fatalf("put: %d %s", status, body)
	}
	if status, body, _ := follow(t, link, content); status != http.StatusPreconditionFailed {
		t.Errorf("the second put: %d %s", status, body)
	}
	if len(w.events) != 1 {
		t.Fatalf("events = %q", w.events)
	}
	var event struct {
		Records []struct {
			EventName string
			S3        struct {
				Bucket struct{ Name string }
				Object struct {
					Key, ETag string
					Size      int
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(w.events[0], "checks ")), &event); err != nil {
		t.Fatal(err)
	}
	r := event.Records[0]
	if r.EventName != "ObjectCreated:Put" || r.S3.Bucket.Name != "media" || r.S3.Object.Key != "uploads%2Fapp%2Fm" || r.S3.Object.Size != len(content) {
		t.Errorf("event = %+v", r)
	}
	got, object, err := w.Read(t.Context(), "uploads/app/m", r.S3.Object.ETag, 0, 4)
	if err != nil || string(got) != "\x89PNG" || object.Size != int64(len(content)) || object.ContentType != "image/png" {
		t.Errorf("read %q %+v, %v", got, object, err)
	}
	if _, _, err := w.Read(t.Context(), "uploads/app/m", strings.Repeat("0", 32), 0, 4); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("read of another ETag: %v", err)
	}
}

func TestLinksAreHeldToWhatWasSigned(t *testing.T) {
	w := open(t, "")
	for name, c := range map[string]struct {
		body   []byte
		change func(*http.Request)
		code   string
	}{
		"another content of the same size": {body: []byte("\x89PNG CONTENT"), code: "BadDigest"},
		"a longer content":                 {body: append(slices.Clone(content), '!'), code: "SignatureDoesNotMatch"},
		"another type":                     {change: func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }, code: "SignatureDoesNotMatch"},
		"without the checksum":             {change: func(r *http.Request) { r.Header.Del("X-Amz-Checksum-Sha256") }, code: "SignatureDoesNotMatch"},
		"over what is there":               {change: func(r *http.Request) { r.Header.Del("If-None-Match") }, code: "SignatureDoesNotMatch"},
		"another key":                      {change: func(r *http.Request) { r.URL.Path += "x" }, code: "SignatureDoesNotMatch"},
		"another method":                   {change: func(r *http.Request) { r.Method = http.MethodGet; r.Body, r.ContentLength = nil, 0 }, code: "SignatureDoesNotMatch"},
		"a longer life":                    {change: func(r *http.Request) { query(r, "X-Amz-Expires", "9999") }, code: "SignatureDoesNotMatch"},
		"a life beyond a week":             {change: func(r *http.Request) { query(r, "X-Amz-Expires", "604801") }, code: "AuthorizationQueryParametersError"},
		"another signer":                   {change: func(r *http.Request) { query(r, "X-Amz-Credential", "other"+r.URL.Query().Get("X-Amz-Credential")) }, code: "SignatureDoesNotMatch"},
		"no signature":                     {change: func(r *http.Request) { r.URL.RawQuery = "" }, code: "AccessDenied"},
		"another bucket":                   {change: func(r *http.Request) { r.URL.Path = "/fn/Media/s3/other/key" }, code: "NoSuchBucket"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.body == nil {
				c.body = content
			}
			if c.change == nil {
				c.change = func(*http.Request) {}
			}
			if status, body, _ := follow(t, w.upload(t, "uploads/x"), c.body, c.change); status < 400 || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
				t.Errorf("%d %s, want %s", status, body, c.code)
			}
		})
	}
	if len(w.events) != 0 {
		t.Errorf("events = %q", w.events)
	}
}

func query(r *http.Request, name, value string) {
	q := r.URL.Query()
	q.Set(name, value)
	r.URL.RawQuery = q.Encode()
}

func TestLinksExpire(t *testing.T) {
	w := open(t, "")
	link := w.upload(t, "uploads/x")
	w.clock.Advance(15*time.Minute + 2*time.Second)
	if status, body, _ := follow(t, link, content); status != http.StatusForbidden || !strings.Contains(body, "Request has expired") {
		t.Errorf("%d %s", status, body)
	}
}

func TestALinkReadsUnderTheTypeThatItNames(t *testing.T) {
	w := open(t, "")
	if err := w.Put(t.Context(), "media/x", "text/html", content); err != nil {
		t.Fatal(err)
	}
	link, err := w.PresignGet(t.Context(), "media/x", "image/png", `attachment; filename="a.png"`, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	status, body, header := follow(t, link, nil)
	if status != http.StatusOK || body != string(content) || header.Get("Content-Type") != "image/png" || header.Get("Content-Disposition") != `attachment; filename="a.png"` {
		t.Errorf("%d %q %v", status, body, header)
	}
	status, body, _ = follow(t, link, nil, func(r *http.Request) { query(r, "response-content-type", "text/html") })
	if status != http.StatusForbidden {
		t.Errorf("another type: %d %s", status, body)
	}
}

func TestCopiesAreOfWhatWasNamed(t *testing.T) {
	w := open(t, "")
	if status, body, _ := follow(t, w.upload(t, "uploads/x"), content); status != http.StatusOK {
		t.Fatalf("put: %d %s", status, body)
	}
	const etag = "3d2f3fa3be9b85a7a6d3e7ab8ba4b5f3"
	if err := w.Copy(t.Context(), "uploads/x", etag, "media/x", "image/png"); !errors.Is(err, bucket.ErrChanged) {
		t.Errorf("copy of another ETag: %v", err)
	}
	if err := w.Copy(t.Context(), "uploads/none", etag, "media/x", "image/png"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("copy of nothing: %v", err)
	}
	_, body, _ := strings.Cut(w.events[0], `"eTag":"`)
	if err := w.Copy(t.Context(), "uploads/x", body[:32], "media/x", "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	got, object, err := w.Read(t.Context(), "media/x", body[:32], 0, 1000)
	if err != nil || !bytes.Equal(got, content) || object.ContentType != "image/jpeg" {
		t.Errorf("the copy: %q %+v %v", got, object, err)
	}
}

func TestObjectsSurviveARestartAndAreDeletedByPrefix(t *testing.T) {
	folder := t.TempDir()
	w := open(t, folder)
	for _, key := range []string{"media/a/1", "media/a/2", "media/b/1"} {
		if err := w.Put(t.Context(), key, "image/png", []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	w = open(t, folder)
	if more, err := w.DeletePrefix(t.Context(), "media/a/"); err != nil || !more {
		t.Fatalf("delete: %v %v", more, err)
	}
	if more, err := w.DeletePrefix(t.Context(), "media/a/"); err != nil || more {
		t.Errorf("delete of nothing: %v %v", more, err)
	}
	link, err := w.PresignGet(t.Context(), "media/b/1", "image/png", "inline", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if status, body, _ := follow(t, link, nil); status != http.StatusOK || body != "media/b/1" {
		t.Errorf("what was to stay: %d %s", status, body)
	}
	if err := w.Delete(t.Context(), "media/b/1"); err != nil {
		t.Error(err)
	}
	if status, _, _ := follow(t, link, nil); status != http.StatusNotFound {
		t.Errorf("what was deleted: %d", status)
	}
}

func TestBrowsersMayPutWhereTheTemplateSaysSo(t *testing.T) {
	w := open(t, "")
	link := w.upload(t, "uploads/x")
	ask := func(method, headers string) (int, http.Header) {
		status, _, header := follow(t, bucket.Link{Method: http.MethodOptions, URL: link.URL}, nil, func(r *http.Request) {
			r.Header.Set("Origin", "https://example.com")
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", headers)
		})
		return status, header
	}
	if status, header := ask("PUT", "content-type, x-amz-checksum-sha256"); status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("PUT: %d %v", status, header)
	}
	if status, _ := ask("DELETE", ""); status != http.StatusForbidden {
		t.Errorf("DELETE: %d", status)
	}
	if status, _ := ask("PUT", "authorization"); status != http.StatusForbidden {
		t.Errorf("another header: %d", status)
	}
}

func TestTheMeterCountsObjectsByFunction(t *testing.T) {
	w := open(t, "")
	if err := w.Put(t.Context(), "media/x", "image/png", content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeletePrefix(t.Context(), "media/"); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, usage := range w.counters.Snapshot().S3 {
		got[usage.Function+" "+usage.Action+" "+usage.Resource] = true
	}
	want := []string{"Media s3:DeleteObject media/*", "Media s3:ListBucket media", "Media s3:PutObject media/media/*"}
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
		t.Errorf("counted %q, want %q", keys, want)
	}
}
