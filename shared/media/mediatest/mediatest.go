// Package mediatest has what tests of media share: a store and a bucket in memory, and the suite that every store passes.
package mediatest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements media.Store in memory. Like the table it keeps CreatedAt to the millisecond and Expires to the second.
type Store struct {
	rows *storetest.Table[place, media.Media]
}

type place struct {
	app   id.App
	media id.Media
}

var _ media.Store = (*Store)(nil)

// NewStore returns an empty store, whose weak reads see older states.
func NewStore(stale storetest.Staleness) *Store {
	return &Store{rows: storetest.NewTable[place, media.Media](stale)}
}

// Create implements media.Store.
func (s *Store) Create(_ context.Context, made media.Media) (media.Media, error) {
	kept := made
	kept.CreatedAt, kept.Expires = made.CreatedAt.Truncate(time.Millisecond), made.Expires.Truncate(time.Second)
	standing, inserted := s.rows.Insert(place{made.App, made.ID}, kept)
	if !inserted {
		return standing, media.ErrExists
	}
	return made, nil
}

// Get implements media.Store.
func (s *Store) Get(_ context.Context, app id.App, mediaID id.Media, strong bool) (media.Media, error) {
	found, ok := s.rows.Get(place{app, mediaID}, strong)
	if !ok {
		return media.Media{}, media.ErrNotFound
	}
	return found, nil
}

// change lets one step change a media that may take it.
func (s *Store) change(app id.App, mediaID id.Media, may func(media.Media) bool, step func(*media.Media)) (media.Media, error) {
	taken := false
	after, exists := s.rows.Do(place{app, mediaID}, func(now media.Media, exists bool) (media.Media, bool) {
		if taken = exists && may(now); taken {
			step(&now)
		}
		return now, taken
	})
	switch {
	case !exists:
		return media.Media{}, media.ErrNotFound
	case !taken:
		return after, media.ErrSettled
	}
	return after, nil
}

// Begin implements media.Store.
func (s *Store) Begin(_ context.Context, app id.App, mediaID id.Media, etag string) (media.Media, error) {
	return s.change(app, mediaID, func(m media.Media) bool {
		return m.State == media.Uploading || m.State == media.Checking && m.ETag == etag
	}, func(m *media.Media) { m.State, m.ETag, m.Tries = media.Checking, etag, m.Tries+1 })
}

// Finish implements media.Store.
func (s *Store) Finish(_ context.Context, app id.App, mediaID id.Media, etag string, result media.Result) error {
	_, err := s.change(app, mediaID, func(m media.Media) bool { return m.State == media.Checking && m.ETag == etag },
		func(m *media.Media) {
			m.State, m.Result = media.Rejected, result
			if result.Rejected == "" {
				m.State = media.Ready
			}
		})
	return err
}

// Keep implements media.Store.
func (s *Store) Keep(_ context.Context, app id.App, mediaID id.Media) error {
	_, err := s.change(app, mediaID, func(media.Media) bool { return true }, func(m *media.Media) { m.Expires = time.Time{} })
	return err
}

// Remove implements media.Store.
func (s *Store) Remove(_ context.Context, app id.App, mediaID id.Media, now time.Time) error {
	exists, removed := s.rows.DeleteIf(place{app, mediaID}, func(m media.Media) bool {
		return !m.Expires.IsZero() && !m.Expires.After(now.Truncate(time.Second))
	})
	switch {
	case !exists:
		return media.ErrNotFound
	case !removed:
		return media.ErrSettled
	}
	return nil
}

// Delete removes a media, as the erasure of its app does.
func (s *Store) Delete(app id.App, mediaID id.Media) { s.rows.Delete(place{app, mediaID}) }

// New returns a media of the app that is uploading.
func New(app id.App) media.Media {
	return media.Media{App: app, ID: id.Source{}.Media(), Owner: id.Source{}.User(), State: media.Uploading,
		Declared: media.Declaration{Kind: media.Image, ContentType: "image/png", Size: 7, SHA256: sha256.Sum256([]byte("content")), Filename: "cat.png"},
		// In whole seconds, which is all that a row keeps of when it expires.
		CreatedAt: storetest.Noon(), Expires: storetest.Noon().Add(media.Unsent).Truncate(time.Second)}
}

// Found returns the result of a check.
func Found(rejected bool) media.Result {
	if rejected {
		return media.Result{Rejected: fault.MediaPolyglot}
	}
	return media.Result{ContentType: "image/png", Width: 1200, Height: 800, Thumbnails: []media.Thumbnail{
		{Name: "small", ContentType: "image/jpeg", Width: 320, Height: 213}, {Name: "large", ContentType: "image/jpeg", Width: 1080, Height: 720}}}
}

// Fused is a store whose writes a fuse counts and fails.
type Fused struct {
	media.Store
	Fuse *storetest.Fuse
}

// Begin implements media.Store.
func (f Fused) Begin(ctx context.Context, app id.App, mediaID id.Media, etag string) (after media.Media, err error) {
	err = f.Fuse.Write(func() error { after, err = f.Store.Begin(ctx, app, mediaID, etag); return err })
	return after, err
}

// Finish implements media.Store.
func (f Fused) Finish(ctx context.Context, app id.App, mediaID id.Media, etag string, result media.Result) error {
	return f.Fuse.Write(func() error { return f.Store.Finish(ctx, app, mediaID, etag, result) })
}

// Keep implements media.Store.
func (f Fused) Keep(ctx context.Context, app id.App, mediaID id.Media) error {
	return f.Fuse.Write(func() error { return f.Store.Keep(ctx, app, mediaID) })
}

// Remove implements media.Store.
func (f Fused) Remove(ctx context.Context, app id.App, mediaID id.Media, now time.Time) error {
	return f.Fuse.Write(func() error { return f.Store.Remove(ctx, app, mediaID, now) })
}

// Objects implements media.Objects in memory.
type Objects struct {
	mutex sync.Mutex
	kept  map[string]object
}

var _ media.Objects = (*Objects)(nil)

type object struct {
	contentType string
	content     []byte
}

// ETag returns that of a content.
func ETag(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}

// Set puts an object there, by whoever has a link.
func (o *Objects) Set(key, contentType string, content []byte) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.kept == nil {
		o.kept = map[string]object{}
	}
	o.kept[key] = object{contentType, content}
}

// Got returns an object, and whether there is one.
func (o *Objects) Got(key string) (contentType string, content []byte, ok bool) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	found, ok := o.kept[key]
	return found.contentType, found.content, ok
}

func (o *Objects) read(key, etag string) ([]byte, error) {
	_, content, ok := o.Got(key)
	if !ok {
		return nil, media.ErrNoObject
	}
	if ETag(content) != etag {
		return nil, media.ErrReplaced
	}
	return content, nil
}

// Read implements media.Objects.
func (o *Objects) Read(_ context.Context, key, etag string, from, limit int64) ([]byte, int64, error) {
	content, err := o.read(key, etag)
	if err != nil {
		return nil, 0, err
	}
	size := int64(len(content))
	return content[min(from, size):min(from+limit, size)], size, nil
}

// Put implements media.Objects.
func (o *Objects) Put(_ context.Context, key, contentType string, content []byte) error {
	o.Set(key, contentType, content)
	return nil
}

// Copy implements media.Objects.
func (o *Objects) Copy(_ context.Context, from, etag, to, contentType string) error {
	content, err := o.read(from, etag)
	if err == nil {
		o.Set(to, contentType, content)
	}
	return err
}

// Delete implements media.Objects.
func (o *Objects) Delete(_ context.Context, key string) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	delete(o.kept, key)
	return nil
}

// DeletePrefix implements media.Prefixes, one object at a time.
func (o *Objects) DeletePrefix(_ context.Context, prefix string) (more bool, err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for key := range o.kept {
		if strings.HasPrefix(key, prefix) {
			delete(o.kept, key)
			return true, nil
		}
	}
	return false, nil
}

// FusedObjects is a bucket whose writes a fuse counts and fails.
type FusedObjects struct {
	media.Objects
	Fuse *storetest.Fuse
}

// Read implements media.Objects.
func (f FusedObjects) Read(ctx context.Context, key, etag string, from, limit int64) ([]byte, int64, error) {
	if err := f.Fuse.Read(); err != nil {
		return nil, 0, err
	}
	return f.Objects.Read(ctx, key, etag, from, limit)
}

// Put implements media.Objects.
func (f FusedObjects) Put(ctx context.Context, key, contentType string, content []byte) error {
	return f.Fuse.Write(func() error { return f.Objects.Put(ctx, key, contentType, content) })
}

// Copy implements media.Objects.
func (f FusedObjects) Copy(ctx context.Context, from, etag, to, contentType string) error {
	return f.Fuse.Write(func() error { return f.Objects.Copy(ctx, from, etag, to, contentType) })
}

// Delete implements media.Objects.
func (f FusedObjects) Delete(ctx context.Context, key string) error {
	return f.Fuse.Write(func() error { return f.Objects.Delete(ctx, key) })
}
