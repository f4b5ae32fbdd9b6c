package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Errors of objects.
var (
	// ErrNoObject says that there is no object of the key.
	ErrNoObject = errors.New("media: no such object")
	// ErrReplaced says that the object is not, or no longer, the content of the ETag.
	ErrReplaced = errors.New("media: the object was replaced")
)

// Objects are the bucket as a check sees it.
type Objects interface {
	// Read returns up to limit bytes of the content of the ETag from an offset on, and how many bytes it has in all. ErrReplaced, ErrNoObject.
	Read(ctx context.Context, key, etag string, from, limit int64) (content []byte, size int64, err error)
	// Put writes an object in one step.
	Put(ctx context.Context, key, contentType string, content []byte) error
	// Copy copies the content of the ETag to another key, under a type. ErrReplaced, ErrNoObject.
	Copy(ctx context.Context, from, etag, to, contentType string) error
	// Delete removes an object; it is no error where there is none.
	Delete(ctx context.Context, key string) error
}

// Drawn is a thumbnail with its bytes.
type Drawn struct {
	Thumbnail
	Content []byte
}

// Inspector looks into contents.
type Inspector interface {
	// Inspect holds a content to its declaration. head is the content's beginning, of a picture all of it; tail is its end, which may
	// be the same bytes. It returns what there is to know and the thumbnails, or why the content is not taken.
	Inspect(declared Declaration, head, tail []byte) (Result, []Drawn)
}

// What of a content that is no picture is read.
const (
	headBytes = 64 << 10
	tailBytes = 66 << 10 // a zip's directory ends at most 65,557 bytes before its end
)

// Checker checks what was uploaded. Any number of checks of one upload may run, at once or after each other, and each may end at
// any point: every write is conditional on the state, or the same as before.
type Checker struct {
	Store     Store
	Objects   Objects
	Inspector Inspector
}

// Uploads is what S3 tells of objects that were put.
type Uploads struct {
	Records []struct {
		S3 struct {
			Object struct {
				Key  string `json:"key"` // as in a form
				ETag string `json:"eTag"`
			} `json:"object"`
		} `json:"s3"`
	}
}

// Check checks the uploads of one event; one without any, as S3 sends when it is told of the queue, is nothing.
func (c *Checker) Check(ctx context.Context, event Uploads) error {
	for _, r := range event.Records {
		key, err := url.QueryUnescape(r.S3.Object.Key)
		app, media, ok := parseUpload(key)
		if err != nil || !ok {
			slog.WarnContext(ctx, "an object that is no upload", "key", r.S3.Object.Key)
			continue
		}
		if err := c.check(ctx, app, media, r.S3.Object.ETag); err != nil {
			return fmt.Errorf("check %s: %w", media, err)
		}
	}
	return nil
}

// check checks one upload. What is settled already needs nothing more.
func (c *Checker) check(ctx context.Context, app id.App, media id.Media, etag string) error {
	found, err := c.Store.Begin(ctx, app, media, etag)
	if errors.Is(err, ErrSettled) || errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	result, err := c.examine(ctx, found)
	if err != nil {
		return err
	}
	err = c.Store.Finish(ctx, app, media, etag, result)
	if errors.Is(err, ErrNotFound) && result.Rejected == "" { // it was erased with its app, or expired
		return c.remove(ctx, found, result)
	}
	if errors.Is(err, ErrSettled) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// examine returns what the upload is. What is taken is in its place by then.
func (c *Checker) examine(ctx context.Context, m Media) (Result, error) {
	if m.Tries > maxTries {
		return Result{Rejected: fault.MediaUnchecked}, nil
	}
	head, tail, size, err := c.read(ctx, m)
	switch {
	case errors.Is(err, ErrReplaced) || errors.Is(err, ErrNoObject):
		return Result{Rejected: fault.MediaReplaced}, nil
	case err != nil:
		return Result{}, err
	case size == 0:
		return Result{Rejected: fault.MediaEmpty}, nil
	case size != m.Declared.Size:
		return Result{Rejected: fault.MediaAltered}, nil
	}
	result, drawn := c.Inspector.Inspect(m.Declared, head, tail)
	if result.Rejected != "" {
		return Result{Rejected: result.Rejected}, nil
	}
	for _, thumbnail := range drawn {
		if err := c.Objects.Put(ctx, Key(m.App, m.ID, thumbnail.Name), thumbnail.ContentType, thumbnail.Content); err != nil {
			return Result{}, err
		}
		result.Thumbnails = append(result.Thumbnails, thumbnail.Thumbnail)
	}
	err = c.Objects.Copy(ctx, UploadKey(m.App, m.ID), m.ETag, Key(m.App, m.ID, Original), result.ContentType)
	if errors.Is(err, ErrReplaced) || errors.Is(err, ErrNoObject) {
		return Result{Rejected: fault.MediaReplaced}, nil
	}
	return result, err
}

// read returns as much of the upload as a check needs: all of a picture, both ends of anything else.
func (c *Checker) read(ctx context.Context, m Media) (head, tail []byte, size int64, err error) {
	key, limit := UploadKey(m.App, m.ID), int64(headBytes)
	if m.Declared.Kind == Image {
		limit = MaxImage
	}
	head, size, err = c.Objects.Read(ctx, key, m.ETag, 0, limit)
	if err != nil || int64(len(head)) == size || size != m.Declared.Size {
		return head, head, size, err
	}
	tail, _, err = c.Objects.Read(ctx, key, m.ETag, max(0, size-tailBytes), tailBytes)
	return head, tail, size, err
}

// remove takes back what was put for a media that is gone.
func (c *Checker) remove(ctx context.Context, m Media, result Result) error {
	names := []string{Original}
	for _, thumbnail := range result.Thumbnails {
		names = append(names, thumbnail.Name)
	}
	for _, name := range names {
		if err := c.Objects.Delete(ctx, Key(m.App, m.ID, name)); err != nil {
			return err
		}
	}
	return nil
}
