package media_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// serve puts there what is served of a media.
func serve(objects *mediatest.Objects, m media.Media) {
	for _, name := range []string{media.Original, "small", "large"} {
		objects.Set(media.Key(m.App, m.ID, name), "image/png", content)
	}
}

func served(objects *mediatest.Objects, m media.Media) bool {
	_, _, ok := objects.Got(media.Key(m.App, m.ID, media.Original))
	return ok
}

// reminders implements media.Tasks.
type reminders struct {
	all []reminder
}

type reminder struct {
	kind  string
	due   time.Time
	app   id.App
	media id.Media
}

func (r *reminders) Add(_ context.Context, kind string, due time.Time, app id.App, subject string) error {
	r.all = append(r.all, reminder{kind, due, app, id.Media(subject)})
	return nil
}

// remind does what is due, again where it fails.
func (d *desk) remind(t *testing.T, remover *media.Remover) {
	t.Helper()
	for _, r := range d.reminders.all {
		if r.due.After(d.clock.Now()) {
			continue
		}
		if r.kind != media.TaskUnsent {
			t.Fatalf("a reminder of %s", r.kind)
		}
		for remover.Unsent(t.Context(), r.app, r.media) != nil {
		}
	}
}

// TestWhatIsNotSentIsRemoved: a week after its declaration, wherever the removal dies in between, and nothing else.
func TestWhatIsNotSentIsRemoved(t *testing.T) {
	for dies := range 6 {
		d, objects := newDesk(storetest.Staleness{}), &mediatest.Objects{}
		sent, _ := d.create(t, picture(), "sent")
		unsent, _ := d.create(t, picture(), "unsent")
		waiting, _ := d.create(t, picture(), "waiting")
		for _, m := range []media.Media{sent, unsent} {
			d.settle(t, m, false)
			serve(objects, m)
		}
		if _, err := d.Attach(t.Context(), sent.App, sent.Owner, sent.ID, media.Image); err != nil {
			t.Fatal(err)
		}
		remover := &media.Remover{Store: d.store, Objects: &dyingBucket{objects, dies}, Clock: d.clock}
		d.clock.Advance(media.Unsent - time.Minute)
		d.remind(t, remover)
		if found, err := d.Get(t.Context(), unsent.App, "", unsent.ID); err != nil || found.Status().ExpiresAt == nil || !served(objects, unsent) {
			t.Fatalf("removed before its time: %v", err)
		}
		d.clock.Advance(2*time.Minute + time.Minute)
		d.remind(t, remover)
		for _, m := range []media.Media{unsent, waiting} {
			_, err := d.Get(t.Context(), m.App, "", m.ID)
			refused(t, err, fault.MediaNotFound)
			_, err = d.Attach(t.Context(), m.App, m.Owner, m.ID, media.Image)
			refused(t, err, fault.MediaNotFound)
		}
		if found, err := d.Get(t.Context(), sent.App, "", sent.ID); err != nil || found.Status().ExpiresAt != nil || !served(objects, sent) || served(objects, unsent) {
			t.Errorf("it died after %d: what was sent is there: %v, %v; what was not: %v", dies, served(objects, sent), err, served(objects, unsent))
		}
		if _, err := d.Attach(t.Context(), sent.App, sent.Owner, sent.ID, media.Image); err != nil {
			t.Errorf("sent again: %v", err)
		}
	}
}

var errDied = errors.New("died")

// dyingBucket fails after so many calls, once.
type dyingBucket struct {
	*mediatest.Objects
	left int
}

func (b *dyingBucket) DeletePrefix(ctx context.Context, prefix string) (more bool, err error) {
	if b.left--; b.left == -1 {
		return false, errDied
	}
	return b.Objects.DeletePrefix(ctx, prefix)
}
