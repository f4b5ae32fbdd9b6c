package media

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
)

// TaskUnsent calls Remover.Unsent; its subject is the media's ID.
const TaskUnsent = "media_unsent"

// settle is how long after a media's end it is removed: no request lives so long, so that a send has kept it or never will.
const settle = time.Minute

// Prefixes are the bucket as a removal sees it.
type Prefixes interface {
	// DeletePrefix removes objects whose keys begin so, and tells whether there may be more.
	DeletePrefix(ctx context.Context, prefix string) (more bool, err error)
}

// Remover removes media that nobody has sent.
type Remover struct {
	Store   Store
	Objects Prefixes
	Clock   clock.Clock
}

// Unsent removes the media if it has expired. The row goes first, so that nobody sends what is being removed; where there is none,
// an earlier call may have ended behind it.
func (r *Remover) Unsent(ctx context.Context, app id.App, media id.Media) error {
	err := r.Store.Remove(ctx, app, media, r.Clock.Now())
	if errors.Is(err, ErrSettled) { // it was sent
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for more := true; more; {
		if more, err = r.Objects.DeletePrefix(ctx, Key(app, media, "")); err != nil {
			return err
		}
	}
	return nil
}
