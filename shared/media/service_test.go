package media_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// signer makes links that say what they are for.
type signer struct{}

func (signer) SignUpload(_ context.Context, key string, declared media.Declaration, life time.Duration) (media.UploadLink, error) {
	return media.UploadLink{Method: "PUT", URL: key, Headers: map[string]string{"Content-Type": declared.ContentType}, ExpiresAt: storetest.Noon().Add(life)}, nil
}

// desk is a service with all that it works on, and a caller.
type desk struct {
	*media.Service
	store  *mediatest.Store
	clock  *clocktest.Clock
	caller authz.Caller
	reminders
}

func newDesk(stale storetest.Staleness) *desk {
	d := &desk{store: mediatest.NewStore(stale), clock: clocktest.New(storetest.Noon())}
	d.Service = &media.Service{Store: d.store, Sealer: sealtest.NewKeyring(), Signer: signer{}, Tasks: &d.reminders, Clock: d.clock}
	d.caller = authz.Caller{App: id.Source{}.App(), User: id.Source{}.User(), EndUser: true}
	return d
}

func (d *desk) create(t *testing.T, declared media.Declaration, key string) (media.Media, media.UploadLink) {
	t.Helper()
	m, link, err := d.Create(t.Context(), d.caller, declared, key)
	storetest.OK(t, "Create", err)
	return m, link
}

func picture() media.Declaration {
	return media.Declaration{Kind: media.Image, ContentType: "image/PNG", Size: 7, SHA256: [32]byte{1}, Filename: "Katze 猫.png"}
}

func TestCreateMakesALinkForWhatWasDeclared(t *testing.T) {
	d := newDesk(storetest.Staleness{})
	m, link := d.create(t, picture(), "")
	if m.State != media.Uploading || m.Owner != d.caller.User || m.Declared.ContentType != "image/png" || !m.Expires.Equal(d.clock.Now().Add(7*24*time.Hour)) {
		t.Errorf("%+v", m)
	}
	if link.URL != "uploads/"+d.caller.App.String()+"/"+string(m.ID) || link.Headers["Content-Type"] != "image/png" || !link.ExpiresAt.Equal(d.clock.Now().Add(15*time.Minute)) {
		t.Errorf("%+v", link)
	}
	stored, err := d.store.Get(t.Context(), m.App, m.ID, true)
	name, notHex := hex.DecodeString(stored.Declared.Filename)
	if err != nil || notHex != nil || strings.Contains(string(name), "Katze") {
		t.Errorf("the name stands in the store: %q, %v", stored.Declared.Filename, err)
	}
}

func TestCreateAgainFindsTheFirst(t *testing.T) {
	d := newDesk(storetest.Staleness{})
	first, link := d.create(t, picture(), "k")
	d.clock.Advance(time.Minute)
	second, again := d.create(t, picture(), "k")
	if second.ID != first.ID || !second.CreatedAt.Equal(first.CreatedAt) || again.URL != link.URL || second.Declared.Filename != "Katze 猫.png" {
		t.Errorf("%+v and %+v", first, second)
	}
	other := picture()
	other.Size++
	_, _, err := d.Create(t.Context(), d.caller, other, "k")
	refused(t, err, fault.IdempotencyConflict)
	if third, _ := d.create(t, picture(), ""); third.ID == first.ID {
		t.Error("without a key it is the same")
	}
}

func refused(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDeclarationsAreChecked(t *testing.T) {
	d := newDesk(storetest.Staleness{})
	for name, c := range map[string]struct {
		change func(*media.Declaration)
		want   fault.Code
	}{
		"kind":           {func(m *media.Declaration) { m.Kind = "text" }, fault.FieldInvalid},
		"no bytes":       {func(m *media.Declaration) { m.Size = 0 }, fault.MediaEmpty},
		"too many bytes": {func(m *media.Declaration) { m.Size = media.MaxImage + 1 }, fault.MediaTooLarge},
		"a long sound": {func(m *media.Declaration) {
			m.Kind, m.ContentType, m.Size = media.Audio, "audio/mpeg", media.MaxAudio+1
		}, fault.MediaTooLarge},
		"a long video":      {func(m *media.Declaration) { m.Kind, m.ContentType, m.Size = media.Video, "video/mp4", media.MaxVideo+1 }, fault.MediaTooLarge},
		"a long file":       {func(m *media.Declaration) { m.Kind, m.Size = media.File, media.MaxFile+1 }, fault.MediaTooLarge},
		"SVG":               {func(m *media.Declaration) { m.ContentType = "image/svg+xml" }, fault.MediaTypeUnsupported},
		"a page":            {func(m *media.Declaration) { m.ContentType = "text/html" }, fault.MediaTypeUnsupported},
		"no type":           {func(m *media.Declaration) { m.ContentType = "png" }, fault.FieldInvalid},
		"parameters":        {func(m *media.Declaration) { m.ContentType = "image/png; a=b" }, fault.FieldInvalid},
		"line breaks":       {func(m *media.Declaration) { m.ContentType = "image/png\r\nX: y" }, fault.FieldInvalid},
		"a path":            {func(m *media.Declaration) { m.Filename = "../cat.png" }, fault.FieldInvalid},
		"a hidden name":     {func(m *media.Declaration) { m.Filename = "cat\u202Egnp.exe" }, fault.FieldInvalid},
		"a name of control": {func(m *media.Declaration) { m.Filename = "cat\r\n.png" }, fault.FieldInvalid},
		"a long name":       {func(m *media.Declaration) { m.Filename = strings.Repeat("猫", 86) }, fault.FieldInvalid},
	} {
		declared := picture()
		c.change(&declared)
		if _, _, err := d.Create(t.Context(), d.caller, declared, ""); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// settle brings a media to its end.
func (d *desk) settle(t *testing.T, m media.Media, rejected bool) {
	t.Helper()
	_, err := d.store.Begin(t.Context(), m.App, m.ID, "e1")
	storetest.OK(t, "Begin", err)
	storetest.OK(t, "Finish", d.store.Finish(t.Context(), m.App, m.ID, "e1", mediatest.Found(rejected)))
}

// A stale read of a state that has passed refuses nobody.
func TestAttachSeesWhatIsReady(t *testing.T) {
	for seed := range uint64(20) {
		d := newDesk(storetest.Staleness{Seed: seed, Lag: storetest.AnyAge})
		m, _ := d.create(t, picture(), "")
		d.settle(t, m, false)
		got, err := d.Attach(t.Context(), d.caller.App, d.caller.User, m.ID, media.Image)
		if err != nil || got.Result.ContentType != "image/png" || got.Declared.Filename != "Katze 猫.png" {
			t.Fatalf("seed %d: %+v, %v", seed, got, err)
		}
	}
}

func TestAttachRefusesWhatMayNotBeSent(t *testing.T) {
	d := newDesk(storetest.Staleness{})
	app, user := d.caller.App, d.caller.User
	ready, _ := d.create(t, picture(), "")
	d.settle(t, ready, false)
	bad, _ := d.create(t, picture(), "")
	d.settle(t, bad, true)
	waiting, _ := d.create(t, picture(), "")
	for name, c := range map[string]struct {
		app   id.App
		user  id.User
		media id.Media
		kind  media.Kind
		want  fault.Code
	}{
		"no ID":        {app, user, "media_x", media.Image, fault.MediaNotFound},
		"unknown":      {app, user, id.Source{}.Media(), media.Image, fault.MediaNotFound},
		"another's":    {app, id.Source{}.User(), ready.ID, media.Image, fault.MediaNotFound},
		"another app":  {id.Source{}.App(), user, ready.ID, media.Image, fault.MediaNotFound},
		"another kind": {app, user, ready.ID, media.File, fault.MediaKindDiffers},
		"rejected":     {app, user, bad.ID, media.Image, fault.MediaPolyglot},
		"not ready":    {app, user, waiting.ID, media.Image, fault.MediaNotReady},
	} {
		if _, err := d.Attach(t.Context(), c.app, c.user, c.media, c.kind); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	_, err := d.Attach(t.Context(), app, user, waiting.ID, media.Image)
	if fault.Of(err).RetryAfter != time.Second {
		t.Errorf("not ready: retry after %v", fault.Of(err).RetryAfter)
	}
	d.clock.Advance(7 * 24 * time.Hour)
	for _, late := range []media.Media{waiting, ready} {
		_, err = d.Attach(t.Context(), app, user, late.ID, media.Image)
		refused(t, err, fault.MediaExpired)
	}
}

func TestOnlyItsOwnerAndApplicationsSeeAMedia(t *testing.T) {
	d := newDesk(storetest.Staleness{})
	m, _ := d.create(t, picture(), "")
	d.settle(t, m, true)
	for _, user := range []id.User{d.caller.User, ""} {
		if got, err := d.Get(t.Context(), m.App, user, m.ID); err != nil || got.Status().Reason != fault.MediaPolyglot || got.Status().State != media.Rejected {
			t.Errorf("%q: %+v, %v", user, got, err)
		}
	}
	_, err := d.Get(t.Context(), m.App, id.Source{}.User(), m.ID)
	refused(t, err, fault.MediaNotFound)
	_, err = d.Get(t.Context(), id.Source{}.App(), "", m.ID)
	refused(t, err, fault.MediaNotFound)
	_, err = d.Get(t.Context(), m.App, "", "../x")
	refused(t, err, fault.MediaNotFound)
}

func TestDispositionEndsWithTheName(t *testing.T) {
	for _, c := range []struct {
		kind           media.Kind
		filename, want string
	}{
		{media.Image, "", "inline"},
		{media.Video, "a b.mp4", "inline; filename*=UTF-8''a%20b.mp4"},
		{media.File, "猫\"; x=\r\n'*.html", "attachment; filename*=UTF-8''%E7%8C%AB%22%3B%20x%3D%0D%0A%27%2A.html"},
	} {
		if got := media.Disposition(c.kind, c.filename); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
