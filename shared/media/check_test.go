package media_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// content is what the tests upload; it is as long as mediatest.New declares.
var content = []byte("content")

// inspector takes everything that begins with c, and draws one thumbnail. during, where set, happens meanwhile.
type inspector struct{ during func() }

func (i inspector) Inspect(declared media.Declaration, head, tail []byte) (media.Result, []media.Drawn) {
	if i.during != nil {
		i.during()
	}
	if head[0] != 'c' {
		return media.Result{Rejected: fault.MediaMislabelled}, nil
	}
	drawn := media.Drawn{Thumbnail: media.Thumbnail{Name: "small", ContentType: "image/jpeg", Width: 1, Height: 1}, Content: tail[:1]}
	return media.Result{ContentType: "image/x", Width: 2, Height: 2}, []media.Drawn{drawn}
}

// world is a checker with all that it works on.
type world struct {
	media.Checker
	store   *mediatest.Store
	objects *mediatest.Objects
}

func newWorld() *world {
	w := &world{store: mediatest.NewStore(storetest.Staleness{}), objects: &mediatest.Objects{}}
	w.Checker = media.Checker{Store: w.store, Objects: w.objects, Inspector: inspector{}}
	return w
}

// uploading makes a media, and puts the content in its place.
func (w *world) uploading(t *testing.T, content []byte) media.Media {
	t.Helper()
	m := mediatest.New(id.Source{}.App())
	_, err := w.store.Create(t.Context(), m)
	storetest.OK(t, "Create", err)
	w.objects.Set(media.UploadKey(m.App, m.ID), "image/png", content)
	return m
}

// told is the event of the content.
func told(t *testing.T, m media.Media, content []byte) media.Uploads {
	t.Helper()
	key := url.QueryEscape(media.UploadKey(m.App, m.ID))
	var event media.Uploads
	text := `{"Records":[{"s3":{"object":{"key":"` + key + `","eTag":"` + mediatest.ETag(content) + `"}}}]}`
	storetest.OK(t, "decode", json.Unmarshal([]byte(text), &event))
	return event
}

func (w *world) get(t *testing.T, m media.Media) media.Media {
	t.Helper()
	found, err := w.store.Get(t.Context(), m.App, m.ID, true)
	storetest.OK(t, "Get", err)
	return found
}

// ready checks that a media is ready, and that what is served is what was checked.
func (w *world) ready(t *testing.T, m media.Media, content []byte) {
	t.Helper()
	found := w.get(t, m)
	contentType, served, ok := w.objects.Got(media.Key(m.App, m.ID, media.Original))
	if found.State != media.Ready || !ok || string(served) != string(content) || contentType != "image/x" {
		t.Errorf("%+v; served %q as %s", found, served, contentType)
	}
	if _, thumbnail, ok := w.objects.Got(media.Key(m.App, m.ID, "small")); !ok || len(thumbnail) != 1 || len(found.Result.Thumbnails) != 1 {
		t.Errorf("the thumbnail %q, %+v", thumbnail, found.Result)
	}
}

func (w *world) rejected(t *testing.T, m media.Media, want fault.Code) {
	t.Helper()
	if found := w.get(t, m); found.State != media.Rejected || found.Result.Rejected != want {
		t.Errorf("%+v, want rejected as %s", found, want)
	}
}

func TestAnUploadIsCheckedAndServedFromAnotherKey(t *testing.T) {
	w := newWorld()
	m := w.uploading(t, content)
	storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, content)))
	w.ready(t, m, content)
}

// An event may come twice, and late: whatever is in the upload's place by then, what was checked stays.
func TestLaterEventsChangeNothing(t *testing.T) {
	w := newWorld()
	m := w.uploading(t, content)
	first := told(t, m, content)
	storetest.OK(t, "Check", w.Check(t.Context(), first))
	other := []byte("ch4nged")
	w.objects.Set(media.UploadKey(m.App, m.ID), "image/png", other)
	storetest.OK(t, "Check of the same event", w.Check(t.Context(), first))
	storetest.OK(t, "Check of the next event", w.Check(t.Context(), told(t, m, other)))
	w.ready(t, m, content)
}

func TestReplacedUploadsAreRejected(t *testing.T) {
	other := []byte("ch4nged")
	t.Run("before the check", func(t *testing.T) {
		w := newWorld()
		m := w.uploading(t, other)
		storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, content)))
		w.rejected(t, m, fault.MediaReplaced)
		storetest.OK(t, "Check of the other", w.Check(t.Context(), told(t, m, other)))
		w.rejected(t, m, fault.MediaReplaced)
	})
	t.Run("during the check", func(t *testing.T) {
		w := newWorld()
		m := w.uploading(t, content)
		w.Inspector = inspector{during: func() { w.objects.Set(media.UploadKey(m.App, m.ID), "image/png", other) }}
		storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, content)))
		w.rejected(t, m, fault.MediaReplaced)
	})
}

func TestWhatWasNotDeclaredIsRejected(t *testing.T) {
	for text, want := range map[string]fault.Code{"": fault.MediaEmpty, "contents": fault.MediaAltered, "conten": fault.MediaAltered, "another": fault.MediaMislabelled} {
		w := newWorld()
		m := w.uploading(t, []byte(text))
		storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, []byte(text))))
		w.rejected(t, m, want)
		if _, _, ok := w.objects.Got(media.Key(m.App, m.ID, media.Original)); ok {
			t.Errorf("%q is served", text)
		}
	}
}

// Of what is no picture only both ends are read.
func TestOnlyTheEndsOfLongContentsAreRead(t *testing.T) {
	w := newWorld()
	long := append(slices.Repeat([]byte("c"), 200<<10), 'e')
	m := mediatest.New(id.Source{}.App())
	m.Declared.Kind, m.Declared.Size = media.Video, int64(len(long))
	_, err := w.store.Create(t.Context(), m)
	storetest.OK(t, "Create", err)
	w.objects.Set(media.UploadKey(m.App, m.ID), "video/mp4", long)
	read := &ends{}
	w.Inspector = read
	storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, long)))
	if read.head != 64<<10 || read.tail != 66<<10 || read.last != 'e' || w.get(t, m).State != media.Ready {
		t.Errorf("read %+v", read)
	}
}

// ends takes everything and notes how much it was given.
type ends struct {
	head, tail int
	last       byte
}

func (e *ends) Inspect(_ media.Declaration, head, tail []byte) (media.Result, []media.Drawn) {
	e.head, e.tail, e.last = len(head), len(tail), tail[len(tail)-1]
	return media.Result{ContentType: "video/mp4"}, nil
}

// A check may die between any two writes. The next one completes it; a check that dies every time ends all the same.
func TestADyingCheckIsCompletedByTheNext(t *testing.T) {
	for _, effect := range []bool{false, true} {
		for at := 1; ; at++ {
			w := newWorld()
			m := w.uploading(t, content)
			fuse := &storetest.Fuse{At: at, Dies: true, TookEffect: effect}
			dying := media.Checker{Store: mediatest.Fused{Store: w.store, Fuse: fuse}, Objects: mediatest.FusedObjects{Objects: w.objects, Fuse: fuse}, Inspector: inspector{}}
			err := dying.Check(t.Context(), told(t, m, content))
			if fuse.Blown() != (err != nil) {
				t.Fatalf("write %d: blown %v, %v", at, fuse.Blown(), err)
			}
			storetest.OK(t, "Check again", w.Check(t.Context(), told(t, m, content)))
			w.ready(t, m, content)
			if !fuse.Blown() {
				break
			}
		}
	}
}

func TestAMediaThatIsFatalIsGivenUp(t *testing.T) {
	w := newWorld()
	m := w.uploading(t, content)
	event := told(t, m, content)
	for range 5 {
		w.Objects = mediatest.FusedObjects{Objects: w.objects, Fuse: &storetest.Fuse{At: 1, Dies: true}}
		if err := w.Check(t.Context(), event); !errors.Is(err, storetest.ErrFuse) {
			t.Fatalf("Check: %v", err)
		}
	}
	storetest.OK(t, "the sixth", w.Check(t.Context(), event))
	w.rejected(t, m, fault.MediaUnchecked)
}

// What is checked while its app is erased leaves nothing.
func TestNothingIsLeftOfAMediaThatIsGone(t *testing.T) {
	w := newWorld()
	m := w.uploading(t, content)
	w.Inspector = inspector{during: func() { w.store.Delete(m.App, m.ID) }}
	storetest.OK(t, "Check", w.Check(t.Context(), told(t, m, content)))
	for _, name := range []string{media.Original, "small"} {
		if _, _, ok := w.objects.Got(media.Key(m.App, m.ID, name)); ok {
			t.Errorf("%s is left", name)
		}
	}
}

func TestEventsOfOthersAreNothing(t *testing.T) {
	w := newWorld()
	for _, text := range []string{`{}`, `{"Event":"s3:TestEvent"}`, `{"Records":[{"s3":{"object":{"key":"media/x/y","eTag":"e"}}}]}`,
		`{"Records":[{"s3":{"object":{"key":"uploads%2Fapp_x%2Fmedia_y"}}}]}`, `{"Records":[{"s3":{"object":{"key":"%zz"}}}]}`,
		`{"Records":[{"s3":{"object":{"key":"uploads/app_0000000000000000/media_` + strings.Repeat("0", 22) + `"}}}]}`} {
		var event media.Uploads
		storetest.OK(t, "decode", json.Unmarshal([]byte(text), &event))
		storetest.OK(t, "Check of "+text, w.Check(t.Context(), event))
	}
}
