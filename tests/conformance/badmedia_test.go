//go:build conformance

package conformance

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// bomb is a PNG that says that it has 10,000 million pixels.
func bomb() []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), 100_000)
	header = append(binary.BigEndian.AppendUint32(header, 100_000), 8, 6, 0, 0, 0)
	content := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0D"), header...)
	content = binary.BigEndian.AppendUint32(content, crc32.ChecksumIEEE(header))
	return append(content, "\x00\x00\x00\x00IEND\xaeB`\x82"...)
}

func TestBadUploadsAreRejected(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	picture := drawn(t, 40, 30)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	program := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...)
	for _, c := range []struct {
		name, kind, contentType string
		content                 []byte
		reason                  string
	}{
		{"a mislabelled picture", "image", "image/png", photo.Bytes(), "media_mislabelled"},
		{"a page", "image", "image/png", []byte("<!doctype html><html></html>"), "media_html"},
		{"an SVG", "image", "image/png", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "media_svg"},
		{"a program", "image", "image/jpeg", program, "media_executable"},
		{"a polyglot", "image", "image/png", slices.Concat(picture, []byte("<script>alert(1)</script>")), "media_polyglot"},
		{"a bomb", "image", "image/png", bomb(), "media_too_many_pixels"},
		{"half a picture", "image", "image/jpeg", photo.Bytes()[:photo.Len()/2], "media_damaged"},
		{"a mislabelled file", "file", "application/pdf", program, "media_mislabelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made := uploaded(t, ann, c.kind, c.contentType, c.content, nil)
			if made.State != "rejected" || made.Reason != c.reason {
				t.Errorf("%+v, want %s", made, c.reason)
			}
			wantRefusal(t, post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "type": c.kind, "media_id": made.MediaID}),
				http.StatusUnprocessableEntity, c.reason)
		})
	}
}

func TestBadDeclarationsAreRefused(t *testing.T) {
	t.Parallel()
	ann, _ := pair(t)
	valid := declaration(ann, "image", "image/png", []byte("x"))
	for name, c := range map[string]struct {
		change object
		status int
		code   string
	}{
		"no bytes":         {object{"size": 0}, http.StatusUnprocessableEntity, "media_empty"},
		"fewer than none":  {object{"size": -1}, http.StatusUnprocessableEntity, "field_out_of_range"},
		"a large picture":  {object{"size": 20<<20 + 1}, http.StatusRequestEntityTooLarge, "media_too_large"},
		"a large sound":    {object{"type": "audio", "content_type": "audio/mpeg", "size": 50<<20 + 1}, http.StatusRequestEntityTooLarge, "media_too_large"},
		"a large video":    {object{"type": "video", "content_type": "video/mp4", "size": 200<<20 + 1}, http.StatusRequestEntityTooLarge, "media_too_large"},
		"a large file":     {object{"type": "file", "size": 100<<20 + 1}, http.StatusRequestEntityTooLarge, "media_too_large"},
		"an SVG":           {object{"content_type": "image/svg+xml"}, http.StatusUnprocessableEntity, "media_type_unsupported"},
		"a page":           {object{"content_type": "text/html"}, http.StatusUnprocessableEntity, "media_type_unsupported"},
		"no content type":  {object{"content_type": "png"}, http.StatusUnprocessableEntity, "field_invalid"},
		"another type":     {object{"type": "text"}, http.StatusUnprocessableEntity, "field_invalid"},
		"a short checksum": {object{"sha256": "ab"}, http.StatusUnprocessableEntity, "field_invalid"},
		"a path":           {object{"filename": "../x"}, http.StatusUnprocessableEntity, "field_invalid"},
		"nobody":           {object{"from": nil}, http.StatusUnprocessableEntity, "field_missing"},
		"an unknown user":  {object{"from": "nobody" + mark}, http.StatusNotFound, "user_not_found"},
	} {
		if answer := post(t, app, "/media", with(valid, c.change)); answer.Status != c.status || answer.Text("code") != c.code {
			t.Errorf("%s: %s, want %d %s", name, answer, c.status, c.code)
		}
	}
}

func TestMediaThatMayNotBeSent(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	content := drawn(t, 8, 8)
	ready := uploaded(t, ann, "image", "image/png", content, nil)
	waiting := declare(t, app, declaration(ann, "image", "image/png", content))
	valid := object{"from": ann.ID, "to": bob.ID, "type": "image", "media_id": ready.MediaID}
	for name, c := range map[string]struct {
		change object
		status int
		code   string
	}{
		"unknown":         {object{"media_id": "media_" + strings.Repeat("0", 22)}, http.StatusNotFound, "media_not_found"},
		"no ID":           {object{"media_id": "x"}, http.StatusNotFound, "media_not_found"},
		"another's":       {object{"from": bob.ID, "to": ann.ID}, http.StatusNotFound, "media_not_found"},
		"not ready":       {object{"media_id": waiting.MediaID}, http.StatusTooManyRequests, "media_not_ready"},
		"another type":    {object{"type": "file"}, http.StatusUnprocessableEntity, "media_kind_differs"},
		"none":            {object{"media_id": nil}, http.StatusUnprocessableEntity, "field_missing"},
		"with a text":     {object{"type": "text", "message": "x"}, http.StatusUnprocessableEntity, "field_invalid"},
		"with a place":    {object{"location": object{"lat": 0, "lon": 0}}, http.StatusUnprocessableEntity, "field_invalid"},
		"a long caption":  {object{"message": strings.Repeat("x", 4097)}, http.StatusRequestEntityTooLarge, "message_too_large"},
		"quoted captions": {object{"message": strings.Repeat("\u0001", 4096)}, http.StatusRequestEntityTooLarge, "message_too_large"},
	} {
		if answer := post(t, app, "/send", with(valid, c.change)); answer.Status != c.status || answer.Text("code") != c.code {
			t.Errorf("%s: %s, want %d %s", name, answer, c.status, c.code)
		}
	}
	if answer := post(t, app, "/send", with(valid, object{"media_id": waiting.MediaID})); answer.Header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %s", answer)
	}
}
