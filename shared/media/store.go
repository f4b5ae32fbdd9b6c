package media

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Errors of stores.
var (
	// ErrExists says that a media of that ID exists.
	ErrExists = errors.New("media: it exists")
	// ErrNotFound says that there is no media of that ID.
	ErrNotFound = errors.New("media: not found")
	// ErrSettled says that the media is not, or no longer, to be checked for this content.
	ErrSettled = errors.New("media: settled otherwise")
)

// Store keeps media. Every method sees only the app that it is given.
type Store interface {
	// Create stores a media if there is none of its ID, atomically; else it returns ErrExists and the one that stands.
	Create(ctx context.Context, made Media) (standing Media, err error)
	// Get returns the media, or ErrNotFound. A read that is not strong may see an older state, at half the price.
	Get(ctx context.Context, app id.App, media id.Media, strong bool) (Media, error)
	// Begin notes, atomically, that the content of the ETag is being checked, and counts the try: of a media that is uploading, or
	// whose check of the same content has been begun before. It returns the media after that. Otherwise ErrSettled, with the media as
	// it stands; ErrNotFound where there is none.
	Begin(ctx context.Context, app id.App, media id.Media, etag string) (Media, error)
	// Finish ends the check of the ETag's content, atomically: the media is ready or rejected. ErrSettled where it is not being
	// checked for that content; ErrNotFound where there is none.
	Finish(ctx context.Context, app id.App, media id.Media, etag string, result Result) error
	// Keep has the media expire no more. ErrNotFound where there is none. One write.
	Keep(ctx context.Context, app id.App, media id.Media) error
	// Remove removes the media if it has expired by now, atomically. ErrSettled where it has not, or expires no more; ErrNotFound
	// where there is none.
	Remove(ctx context.Context, app id.App, media id.Media, now time.Time) error
}
