// Package inspect looks into uploads: whether they are what they were declared as, and nothing else besides. Of pictures it
// draws thumbnails.
//
//	result, thumbnails := inspect.Inspector{}.Inspect(declared, head, tail)
//
// Nothing that it is given is trusted. Sizes are read before anything is decoded, and nothing is decoded but pictures.
package inspect

import (
	"bytes"
	"crypto/sha256"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/media"
)

// Inspector implements media.Inspector.
type Inspector struct{}

var _ media.Inspector = Inspector{}

// sniffed are the names that mimetype has for the formats that may be declared, where they are not the declared one. Containers
// do not say at their beginning whether there is a picture beside the sound.
var sniffed = map[string][]string{
	"audio/mp4":       {"audio/x-m4a", "video/mp4"},
	"audio/ogg":       {"application/ogg", "video/ogg"},
	"audio/webm":      {"video/webm"},
	"video/mp4":       {"video/x-m4v"},
	"video/3gpp":      {"video/3gpp2", "video/mp4"},
	"video/quicktime": {"video/mp4"},
}

const plain = "application/octet-stream"

// Inspect implements media.Inspector.
func (Inspector) Inspect(declared media.Declaration, head, tail []byte) (media.Result, []media.Drawn) {
	kind := mimetype.Detect(head)
	if declared.Kind == media.File {
		return file(declared, kind), nil
	}
	if code := format(declared, kind, head); code != "" {
		return media.Result{Rejected: code}, nil
	}
	if declared.Kind == media.Image {
		return picture(declared, head)
	}
	if alsoSomethingElse(head, tail) {
		return media.Result{Rejected: fault.MediaPolyglot}, nil
	}
	return media.Result{ContentType: declared.ContentType}, nil
}

// format says why a content is not of its declared format; "" where it is.
func format(declared media.Declaration, kind *mimetype.MIME, head []byte) fault.Code {
	if kind.Is(declared.ContentType) || slices.ContainsFunc(sniffed[declared.ContentType], kind.Is) {
		return ""
	}
	switch {
	case within(kind, "image/svg+xml") || beginsWith(head, "<svg"):
		return fault.MediaSVG
	case within(kind, "text/html") || beginsWith(head, "<html", "<!doctype html", "<script"):
		return fault.MediaHTML
	case executable(kind):
		return fault.MediaExecutable
	case http.DetectContentType(head) == declared.ContentType: // it begins as declared, and as something else too
		return fault.MediaPolyglot
	}
	return fault.MediaMislabelled
}

// beginsWith tells whether one of the tags is among the first kilobyte: browsers look as far.
func beginsWith(head []byte, tags ...string) bool {
	first := bytes.ToLower(head[:min(len(head), 1<<10)])
	return slices.ContainsFunc(tags, func(tag string) bool { return bytes.Contains(first, []byte(tag)) })
}

// within tells whether the format is of the type, or a special case of it.
func within(kind *mimetype.MIME, types ...string) bool {
	for ; kind != nil; kind = kind.Parent() {
		if slices.ContainsFunc(types, kind.Is) {
			return true
		}
	}
	return false
}

func executable(kind *mimetype.MIME) bool {
	return within(kind, "application/x-elf", "application/vnd.microsoft.portable-executable", "application/x-mach-binary", "application/wasm",
		"application/x-java-applet", "application/jar", "application/x-ms-shortcut", "text/x-shellscript", "text/javascript", "text/x-python", "text/x-perl",
		"text/x-php", "text/x-lua", "text/x-tcl", "text/x-ruby")
}

// file is the result for a file. It is never shown, only saved; so it may be anything, as long as it does not pretend to be
// something that it is not.
func file(declared media.Declaration, kind *mimetype.MIME) media.Result {
	known := mimetype.Lookup(declared.ContentType)
	vague := kind.Is(plain) || kind.Is("text/plain") // no format that leaves a mark
	fits := declared.ContentType == plain || within(kind, declared.ContentType) ||
		vague && (known == nil || within(known, "text/plain"))
	if !fits {
		return media.Result{Rejected: fault.MediaMislabelled}
	}
	if runs(declared.ContentType) || within(kind, "text/html", "text/xml", "image/svg+xml", "text/javascript") {
		return media.Result{ContentType: plain} // so that no browser runs it, whoever links to it
	}
	return media.Result{ContentType: declared.ContentType}
}

// runs tells whether a browser would run what is served under the type.
func runs(contentType string) bool {
	base, _, err := mime.ParseMediaType(contentType)
	return err != nil || strings.HasPrefix(base, "text/html") || strings.Contains(base, "xml") || strings.Contains(base, "script") ||
		base == "text/cache-manifest" || base == "multipart/related" || base == "message/rfc822"
}

// picture is the result for a picture, of which all bytes are there.
func picture(declared media.Declaration, content []byte) (media.Result, []media.Drawn) {
	if sha256.Sum256(content) != declared.SHA256 {
		return media.Result{Rejected: fault.MediaAltered}, nil
	}
	end := formatEnd(declared.ContentType, content)
	switch {
	case end < len(content), alsoSomethingElse(content, content):
		return media.Result{Rejected: fault.MediaPolyglot}, nil
	case end > len(content): // decoders take some of these for whole
		return media.Result{Rejected: fault.MediaDamaged}, nil
	}
	width, height, drawn, code := draw(content)
	if code != "" {
		return media.Result{Rejected: code}, nil
	}
	return media.Result{ContentType: declared.ContentType, Width: width, Height: height}, drawn
}
