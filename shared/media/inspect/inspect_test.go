package inspect_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/inspect"
)

// drawing returns a picture whose left half is red.
func drawing(width, height int) *image.NRGBA {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetNRGBA(x, y, color.NRGBA{B: 200, A: 255})
			if x < width/2 {
				picture.SetNRGBA(x, y, color.NRGBA{R: 200, A: 255})
			}
		}
	}
	return picture
}

func encoded(t testing.TB, contentType string, picture image.Image) []byte {
	t.Helper()
	var buffer bytes.Buffer
	err := error(nil)
	switch contentType {
	case "image/png":
		err = png.Encode(&buffer, picture)
	case "image/jpeg":
		err = jpeg.Encode(&buffer, picture, nil)
	case "image/gif":
		err = gif.Encode(&buffer, picture, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// webp is one pixel, from https://developers.google.com/speed/webp/faq#how_can_i_detect_browser_support_for_webp
var webp, _ = base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")

func declare(kind media.Kind, contentType string, content []byte) media.Declaration {
	return media.Declaration{Kind: kind, ContentType: contentType, Size: int64(len(content)), SHA256: sha256.Sum256(content)}
}

func inspectAll(kind media.Kind, contentType string, content []byte) (media.Result, []media.Drawn) {
	return inspect.Inspector{}.Inspect(declare(kind, contentType, content), content, content)
}

func TestPicturesAreTaken(t *testing.T) {
	for contentType, content := range map[string][]byte{
		"image/png":  encoded(t, "image/png", drawing(1200, 600)),
		"image/jpeg": encoded(t, "image/jpeg", drawing(1200, 600)),
		"image/gif":  encoded(t, "image/gif", drawing(1200, 600)),
		"image/webp": webp,
	} {
		result, drawn := inspectAll(media.Image, contentType, content)
		if result.Rejected != "" || result.ContentType != contentType || len(drawn) != 2 {
			t.Errorf("%s: %+v, %d thumbnails", contentType, result, len(drawn))
			continue
		}
		for i, want := range []image.Point{{320, 160}, {1080, 540}} {
			if contentType == "image/webp" {
				want = image.Pt(1, 1)
			} else if result.Width != 1200 || result.Height != 600 {
				t.Errorf("%s: %d x %d", contentType, result.Width, result.Height)
			}
			decoded, format, err := image.Decode(bytes.NewReader(drawn[i].Content))
			if err != nil || decoded.Bounds().Size() != want || "image/"+format != drawn[i].ContentType || drawn[i].Width != want.X || drawn[i].Height != want.Y {
				t.Errorf("%s: thumbnail %d is %v, %s, %v; said to be %+v", contentType, i, decoded, format, err, drawn[i].Thumbnail)
			}
		}
	}
}

// A thumbnail has nothing of the original but what is seen: no comments, no metadata.
func TestThumbnailsAreDrawnAnew(t *testing.T) {
	content := encoded(t, "image/jpeg", drawing(100, 100))
	content = slices.Concat(content[:2], []byte("\xFF\xFE\x00\x10secret comment"), content[2:])
	result, drawn := inspectAll(media.Image, "image/jpeg", content)
	if result.Rejected != "" || len(drawn) != 2 {
		t.Fatalf("%+v", result)
	}
	for _, thumbnail := range drawn {
		if bytes.Contains(thumbnail.Content, []byte("secret")) {
			t.Errorf("%s has the comment", thumbnail.Name)
		}
	}
}

func TestTransparencyStays(t *testing.T) {
	picture := drawing(10, 10)
	picture.SetNRGBA(0, 0, color.NRGBA{})
	_, drawn := inspectAll(media.Image, "image/png", encoded(t, "image/png", picture))
	if drawn[0].ContentType != "image/png" {
		t.Errorf("the thumbnail is %s", drawn[0].ContentType)
	}
}

// Phones say how they were held, and write the pixels as they come.
func TestThumbnailsStandUpright(t *testing.T) {
	for orientation, red := range map[byte]image.Point{1: {10, 50}, 2: {190, 50}, 3: {190, 50}, 4: {10, 50}, 5: {50, 10}, 6: {50, 10}, 7: {50, 190}, 8: {50, 190}} {
		exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00")
		content := encoded(t, "image/jpeg", drawing(200, 100))
		content = slices.Concat(content[:2], []byte{0xFF, 0xE1, 0, byte(len(exif) + 2)}, exif, content[2:])
		result, drawn := inspectAll(media.Image, "image/jpeg", content)
		if result.Rejected != "" {
			t.Fatalf("%d: %+v", orientation, result)
		}
		want := image.Pt(200, 100)
		if orientation >= 5 {
			want = image.Pt(100, 200)
		}
		thumbnail, err := jpeg.Decode(bytes.NewReader(drawn[0].Content))
		if err != nil || thumbnail.Bounds().Size() != want || result.Width != want.X || result.Height != want.Y {
			t.Fatalf("%d: %v, %v, %+v", orientation, thumbnail.Bounds(), err, result)
		}
		if r, _, b, _ := thumbnail.At(red.X, red.Y).RGBA(); r < b {
			t.Errorf("%d: the red half is not at %v", orientation, red)
		}
	}
}

func zipped(t testing.TB) []byte {
	t.Helper()
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	if _, err := writer.Create("evil.class"); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// pngOfSize is a PNG that says how large it is and has no pixels.
func pngOfSize(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), 8, 6, 0, 0, 0)
	content := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0D"), header...)
	content = binary.BigEndian.AppendUint32(content, crc32.ChecksumIEEE(header))
	return append(content, "\x00\x00\x00\x00IEND\xaeB`\x82"...)
}

// bad are contents that are refused, by what they are declared as.
func bad(t testing.TB) map[string]struct {
	kind        media.Kind
	contentType string
	content     []byte
	want        fault.Code
} {
	picture, photo, moving := encoded(t, "image/png", drawing(40, 30)), encoded(t, "image/jpeg", drawing(40, 30)), encoded(t, "image/gif", drawing(40, 30))
	text := func(s string) []byte { return []byte(s) }
	return map[string]struct {
		kind        media.Kind
		contentType string
		content     []byte
		want        fault.Code
	}{
		"a JPEG as PNG":             {media.Image, "image/png", photo, fault.MediaMislabelled},
		"text as PNG":               {media.Image, "image/png", text("hello"), fault.MediaMislabelled},
		"a zip as PNG":              {media.Image, "image/png", zipped(t), fault.MediaMislabelled},
		"a page as PNG":             {media.Image, "image/png", text("<!DOCTYPE html><html></html>"), fault.MediaHTML},
		"a page with a comment":     {media.Image, "image/jpeg", text("<!-- x --><ScRiPt>alert(1)</script>"), fault.MediaHTML},
		"an SVG as PNG":             {media.Image, "image/png", text(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`), fault.MediaSVG},
		"an SVG without its head":   {media.Image, "image/png", text(`<svg onload="alert(1)"/>`), fault.MediaSVG},
		"a program as JPEG":         {media.Image, "image/jpeg", append(text("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00"), make([]byte, 64)...), fault.MediaExecutable},
		"a Windows program":         {media.Video, "video/mp4", append(text("MZ"), make([]byte, 512)...), fault.MediaExecutable},
		"a shell script":            {media.Image, "image/gif", text("#!/bin/sh\nrm -rf /\n"), fault.MediaExecutable},
		"a PNG with a zip":          {media.Image, "image/png", slices.Concat(picture, zipped(t)), fault.MediaPolyglot},
		"a JPEG with a zip":         {media.Image, "image/jpeg", slices.Concat(photo, zipped(t)), fault.MediaPolyglot},
		"a GIF with a zip":          {media.Image, "image/gif", slices.Concat(moving, zipped(t)), fault.MediaPolyglot},
		"a WebP with more":          {media.Image, "image/webp", slices.Concat(webp, text("more")), fault.MediaPolyglot},
		"a PNG with a page":         {media.Image, "image/png", slices.Concat(picture, text("<html><body>")), fault.MediaPolyglot},
		"a JPEG with a script":      {media.Image, "image/jpeg", slices.Concat(photo[:2], text("\xFF\xFE\x00\x1D<script>alert(1)</script>\x00\x00"), photo[2:]), fault.MediaPolyglot},
		"a JPEG with a PDF":         {media.Image, "image/jpeg", slices.Concat(photo[:2], text("\xFF\xFE\x00\x0A%PDF-1.7"), photo[2:]), fault.MediaPolyglot},
		"a JPEG with a RAR":         {media.Image, "image/jpeg", slices.Concat(photo, text("Rar!\x1a\x07\x01\x00")), fault.MediaPolyglot},
		"a GIF that is JavaScript":  {media.Image, "image/gif", text("GIF89a=1;alert(1)//"), fault.MediaPolyglot},
		"half a JPEG":               {media.Image, "image/jpeg", photo[:len(photo)/2], fault.MediaDamaged},
		"a PNG without pixels":      {media.Image, "image/png", pngOfSize(10, 10), fault.MediaDamaged},
		"100,000 x 100,000":         {media.Image, "image/png", pngOfSize(100_000, 100_000), fault.MediaPixels},
		"more than can be counted":  {media.Image, "image/png", pngOfSize(1<<31-1, 1<<31-1), fault.MediaDamaged},
		"50 megapixels and a row":   {media.Image, "image/png", pngOfSize(10_000, 5_001), fault.MediaPixels},
		"a sound with a zip":        {media.Audio, "audio/mpeg", slices.Concat(text("ID3\x04\x00\x00\x00\x00\x00\x0A"), make([]byte, 100), zipped(t)), fault.MediaPolyglot},
		"a page as a video":         {media.Video, "video/mp4", text("<html>"), fault.MediaHTML},
		"a picture as a sound":      {media.Audio, "audio/mpeg", picture, fault.MediaMislabelled},
		"a program as a document":   {media.File, "application/pdf", append(text("MZ"), make([]byte, 512)...), fault.MediaMislabelled},
		"text as a picture's file":  {media.File, "image/png", text("hello"), fault.MediaMislabelled},
		"a page as a document file": {media.File, "application/pdf", text("<html></html>"), fault.MediaMislabelled},
	}
}

func TestBadContentsAreRefused(t *testing.T) {
	for name, c := range bad(t) {
		if result, drawn := inspectAll(c.kind, c.contentType, c.content); result.Rejected != c.want || drawn != nil {
			t.Errorf("%s: %q, want %q", name, result.Rejected, c.want)
		}
	}
}

// TestWhatBreaksOffIsDamaged: what follows the end, or stands in the place of it, makes a picture something else; where the end
// is missing, nothing does.
func TestWhatBreaksOffIsDamaged(t *testing.T) {
	picture, photo, moving := encoded(t, "image/png", drawing(40, 30)), encoded(t, "image/jpeg", drawing(40, 30)), encoded(t, "image/gif", drawing(40, 30))
	const trailer = 12 // the bytes of an IEND
	cut := func(content []byte, bytes int) []byte { return content[:len(content)-bytes] }
	for name, c := range map[string]struct {
		contentType string
		content     []byte
		want        fault.Code
	}{
		"half a PNG":                 {"image/png", picture[:len(picture)/2], fault.MediaDamaged},
		"a PNG without IEND":         {"image/png", cut(picture, trailer), fault.MediaDamaged},
		"a PNG in the head of IEND":  {"image/png", cut(picture, trailer-2), fault.MediaDamaged},
		"a PNG but its last byte":    {"image/png", cut(picture, 1), fault.MediaDamaged},
		"a PNG's signature":          {"image/png", picture[:8], fault.MediaDamaged},
		"a PNG with a byte more":     {"image/png", append(slices.Clone(picture), 0), fault.MediaPolyglot},
		"a PNG twice":                {"image/png", slices.Concat(picture, picture), fault.MediaPolyglot},
		"half a PNG with a zip":      {"image/png", slices.Concat(picture[:len(picture)/2], zipped(t)), fault.MediaPolyglot},
		"a PNG without IEND, a page": {"image/png", slices.Concat(cut(picture, trailer), []byte("<html><body>")), fault.MediaPolyglot},
		"half a GIF":                 {"image/gif", moving[:len(moving)/2], fault.MediaDamaged},
		"a GIF but its last byte":    {"image/gif", cut(moving, 1), fault.MediaDamaged},
		"a GIF but its empty block":  {"image/gif", cut(moving, 2), fault.MediaDamaged},
		"a GIF's signature":          {"image/gif", moving[:6], fault.MediaDamaged},
		"a GIF's colours":            {"image/gif", moving[:20], fault.MediaDamaged},
		"a GIF with a byte more":     {"image/gif", append(slices.Clone(moving), 0), fault.MediaPolyglot},
		"a GIF that ends in script":  {"image/gif", append(cut(slices.Clone(moving), 1), "=1;alert(1)//"...), fault.MediaPolyglot},
		"a WebP but ten bytes":       {"image/webp", cut(webp, 10), fault.MediaDamaged},
		"a WebP but its last byte":   {"image/webp", cut(webp, 1), fault.MediaDamaged},
		"a WebP with a byte more":    {"image/webp", append(slices.Clone(webp), 0), fault.MediaPolyglot},
		"half a JPEG":                {"image/jpeg", photo[:len(photo)/2], fault.MediaDamaged},
	} {
		if result, drawn := inspectAll(media.Image, c.contentType, c.content); result.Rejected != c.want || drawn != nil {
			t.Errorf("%s: %q, want %q", name, result.Rejected, c.want)
		}
	}
}

// TestEveryCutIsDamaged: wherever an upload breaks off behind its signature, it is not taken, and not taken for something else.
func TestEveryCutIsDamaged(t *testing.T) {
	for contentType, content := range map[string][]byte{
		"image/png": encoded(t, "image/png", drawing(40, 30)), "image/gif": encoded(t, "image/gif", drawing(40, 30)), "image/webp": webp,
	} {
		const signatures = 16 // of any of them
		for length := signatures; length < len(content); length++ {
			if result, _ := inspectAll(media.Image, contentType, content[:length]); result.Rejected != fault.MediaDamaged {
				t.Fatalf("%d of %d bytes of %s: %q", length, len(content), contentType, result.Rejected)
			}
		}
	}
}

func TestAnotherContentThanDeclaredIsRefused(t *testing.T) {
	content := encoded(t, "image/png", drawing(4, 4))
	declared := declare(media.Image, "image/png", content)
	declared.SHA256[0]++
	if result, _ := (inspect.Inspector{}).Inspect(declared, content, content); result.Rejected != fault.MediaAltered {
		t.Errorf("%+v", result)
	}
}

func TestSoundsVideosAndFilesAreTaken(t *testing.T) {
	box := "\x00\x00\x00\x18ftyp"
	for name, c := range map[string]struct {
		kind        media.Kind
		contentType string
		content     string
		served      string
	}{
		"mp4":             {media.Video, "video/mp4", box + "isom\x00\x00\x02\x00isomiso2", "video/mp4"},
		"quicktime":       {media.Video, "video/quicktime", box + "qt  \x00\x00\x02\x00qt  qt  ", "video/quicktime"},
		"webm":            {media.Video, "video/webm", "\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x84webm", "video/webm"},
		"sound in webm":   {media.Audio, "audio/webm", "\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x84webm", "audio/webm"},
		"mp3":             {media.Audio, "audio/mpeg", "ID3\x04\x00\x00\x00\x00\x00\x0A" + strings.Repeat("\x00", 20), "audio/mpeg"},
		"m4a":             {media.Audio, "audio/mp4", box + "M4A \x00\x00\x02\x00M4A isom", "audio/mp4"},
		"ogg":             {media.Audio, "audio/ogg", "OggS\x00\x02" + strings.Repeat("\x00", 22) + "OpusHead", "audio/ogg"},
		"wav":             {media.Audio, "audio/wav", "RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"},
		"flac":            {media.Audio, "audio/flac", "fLaC\x00\x00\x00\x22" + strings.Repeat("\x00", 34), "audio/flac"},
		"pdf":             {media.File, "application/pdf", "%PDF-1.7\n", "application/pdf"},
		"zip":             {media.File, "application/zip", string(zipped(t)), "application/zip"},
		"text":            {media.File, "text/plain", "hello", "text/plain"},
		"csv":             {media.File, "text/csv", "hello", "text/csv"},
		"our own":         {media.File, "application/x-our-own", "\x01\x02\x03\x04", "application/x-our-own"},
		"anything":        {media.File, "application/octet-stream", "MZ\x00", "application/octet-stream"},
		"a page":          {media.File, "text/html", "<html><script></script></html>", "application/octet-stream"},
		"an SVG":          {media.File, "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`, "application/octet-stream"},
		"a hidden page":   {media.File, "application/octet-stream", "<html></html>", "application/octet-stream"},
		"a script":        {media.File, "application/javascript", "alert(1)", "application/octet-stream"},
		"XHTML unmarked":  {media.File, "application/xhtml+xml", "hello", "application/octet-stream"},
		"mail with pages": {media.File, "message/rfc822", "hello", "application/octet-stream"},
	} {
		result, drawn := inspectAll(c.kind, c.contentType, []byte(c.content))
		if result.Rejected != "" || result.ContentType != c.served || drawn != nil {
			t.Errorf("%s: %+v, want to be served as %s", name, result, c.served)
		}
	}
}

// FuzzInspect looks for contents that bring the inspector down, take a lot of memory, or are served as something that runs.
func FuzzInspect(f *testing.F) {
	for _, c := range bad(f) {
		f.Add(string(c.kind), c.contentType, c.content)
	}
	for _, contentType := range []string{"image/png", "image/jpeg", "image/gif"} {
		f.Add("image", contentType, encoded(f, contentType, drawing(9, 7)))
	}
	f.Add("image", "image/webp", webp)
	f.Fuzz(func(t *testing.T, kind, contentType string, content []byte) {
		if config, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && config.Width*config.Height > 1_000_000 {
			t.Skip("takes the fuzzer too long")
		}
		result, drawn := inspectAll(media.Kind(kind), contentType, content)
		if result.Rejected != "" && drawn != nil {
			t.Errorf("rejected with %d thumbnails", len(drawn))
		}
		if result.Rejected == "" && (strings.Contains(result.ContentType, "html") || strings.Contains(result.ContentType, "svg")) {
			t.Errorf("served as %s", result.ContentType)
		}
		if result.Rejected == "" && media.Kind(kind) == media.Image && len(drawn) != 2 {
			t.Errorf("%d thumbnails", len(drawn))
		}
	})
}
