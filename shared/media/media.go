// Package media takes pictures, videos, sounds and files: they are uploaded by a signed link straight to the bucket, checked
// there, and sent as messages.
//
// A media begins with a declaration: kind, type, size and SHA-256. All of it is fixed in the link, so that nothing else can
// be uploaded with it, and nothing twice. What has come is checked before anybody may send it, and copied to a key that no
// link ever wrote to: what was checked is what is served.
//
//	made, link, err := service.Create(ctx, caller, media.Declaration{Kind: media.Image, …})
//	… PUT link.URL …
//	checked, err := service.Attach(ctx, app, user, made.ID, media.Image)
package media

import (
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Kind is what a media is for a person. It is the type of the message that shows it.
type Kind string

// The kinds.
const (
	Image Kind = "image"
	Video Kind = "video"
	Audio Kind = "audio"
	File  Kind = "file"
)

// The most bytes of each kind.
const (
	MaxImage = 20 << 20
	MaxAudio = 50 << 20
	MaxVideo = 200 << 20
	MaxFile  = 100 << 20
)

const (
	// UploadLife is how long the link of an upload can be used.
	UploadLife = 15 * time.Minute
	// Unsent is how long a media is kept that is not sent. What was uploaded and not taken goes by the bucket's own rule after a day.
	Unsent = 7 * 24 * time.Hour
	// DownloadLife is how long the link of a download can be used.
	DownloadLife = 5 * time.Minute
	// MaxFilename bounds a file name, in bytes of UTF-8.
	MaxFilename = 255
	// maxTries is how often a check is begun before the media is given up: one that ends its function would be tried for ever.
	maxTries = 5
)

// kinds say what each kind may be. A file may be of any type: it is only ever saved, never shown.
var kinds = map[Kind]struct {
	max   int64
	types []string
}{
	Image: {MaxImage, []string{"image/jpeg", "image/png", "image/gif", "image/webp"}},
	Audio: {MaxAudio, []string{"audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/wav", "audio/flac", "audio/webm"}},
	Video: {MaxVideo, []string{"video/mp4", "video/webm", "video/quicktime", "video/3gpp"}},
	File:  {MaxFile, nil},
}

// State is how far a media has come.
type State string

// The states. A media goes from Uploading over Checking to Ready or Rejected, and stays there.
const (
	Uploading State = "uploading"
	Checking  State = "checking"
	Ready     State = "ready"
	Rejected  State = "rejected"
)

// Media is one upload.
type Media struct {
	// App, ID and Owner name it; the owner is the user who may send it.
	App   id.App
	ID    id.Media
	Owner id.User
	// Declared is what was said at the beginning. The filename is sealed where the media is stored.
	Declared Declaration
	State    State
	// ETag is the content that is, or was, checked; "" before.
	ETag string
	// Tries counts the checks that were begun.
	Tries int
	// Result is what the check has found.
	Result    Result
	CreatedAt time.Time
	// Expires is when a media that was not sent by then is gone; zero for one that was sent.
	Expires time.Time
}

// Declaration is what an upload is said to be.
type Declaration struct {
	Kind        Kind
	ContentType string
	Size        int64
	SHA256      [32]byte
	// Filename is for people; it names nothing in the bucket.
	Filename string
}

// Result is what a check has found.
type Result struct {
	// Rejected says why the media is not taken; "" where it is ready.
	Rejected fault.Code
	// ContentType is what the content is served as.
	ContentType string
	// Width and Height are a picture's, in pixels; 0 for others.
	Width, Height int
	// Thumbnails are made of pictures, the smallest first.
	Thumbnails []Thumbnail
}

// Thumbnail is a smaller picture, drawn anew: nothing of the original's bytes is in it.
type Thumbnail struct {
	// Name is part of its key.
	Name        string `json:"name" enum:"small,large" doc:"What to ask for it by; small is at most 320 pixels long, large 1080." example:"small"`
	ContentType string `json:"content_type" enum:"image/jpeg,image/png" doc:"Its media type." example:"image/jpeg"`
	Width       int    `json:"width" doc:"Its width in pixels." example:"320"`
	Height      int    `json:"height" doc:"Its height in pixels." example:"213"`
}

// Original is the name of the content itself, beside those of thumbnails.
const Original = "original"

// UploadKey is where an upload goes. Objects there are gone after a day.
func UploadKey(app id.App, media id.Media) string { return UploadPrefix(app) + string(media) }

// Key is where what was checked is served from, by Original or the name of a thumbnail.
func Key(app id.App, media id.Media, name string) string {
	return ServedPrefix(app) + string(media) + "/" + name
}

// UploadPrefix and ServedPrefix begin the keys of everything that an app has in the bucket.
func UploadPrefix(app id.App) string { return uploads + app.String() + "/" }

// ServedPrefix is UploadPrefix for what was checked.
func ServedPrefix(app id.App) string { return "media/" + app.String() + "/" }

// uploads begins the keys of uploads, as the template's rule of the bucket has it.
const uploads = "uploads/"

// parseUpload takes the key of an upload apart. The key comes from S3, which has it from a link that we have signed.
func parseUpload(key string) (id.App, id.Media, bool) {
	rest, ok := strings.CutPrefix(key, uploads)
	app, media, found := strings.Cut(rest, "/")
	if !ok || !found || !id.IsApp(app) || !id.IsMedia(media) {
		return id.App{}, "", false
	}
	return id.StoredApp(app), id.Media(media), true
}

var plainType = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$`)

// Why a declaration is refused.
var (
	noMediaType = fault.Text{EN: "It is a media type such as image/png, of files also with parameters.", ZH: "须为 image/png 这样的媒体类型；文件的类型可带参数。"}
	noFilename  = fault.Text{
		EN: "It is the name of a file, of at most 255 bytes, without slashes and characters that are not seen; neither . nor ..",
		ZH: "须为文件名：最多 255 字节，不含斜杠和不可见字符，也不能是 . 或 .."}
	noSHA256 = fault.Text{EN: "It has 64 hexadecimal digits.", ZH: "须为 64 位十六进制数字。"}
)

// check refuses what can be refused before anything is uploaded, and brings the type into its one form.
func (d *Declaration) check() error {
	limits, known := kinds[d.Kind]
	parsed, parameters, err := mime.ParseMediaType(d.ContentType)
	switch {
	case !known:
		return fault.Invalid(fault.Wrong("type", fault.OneOf("image, video, audio, file")))
	case d.Size < 1:
		return fault.Invalid(fault.Field{Name: "size", Code: fault.MediaEmpty})
	case d.Size > limits.max:
		return fault.Invalid(fault.Field{Name: "size", Code: fault.MediaTooLarge, Args: []any{d.Size, string(d.Kind), limits.max}})
	case err != nil || len(parameters) > 0 && d.Kind != File || !plainType.MatchString(parsed):
		return fault.Invalid(fault.Wrong("content_type", noMediaType))
	case d.Kind != File && !slices.Contains(limits.types, parsed):
		return fault.Invalid(fault.Field{Name: "content_type", Code: fault.MediaTypeUnsupported, Args: []any{parsed, string(d.Kind)},
			More: fault.OneOf(strings.Join(limits.types, ", "))})
	case !goodFilename(d.Filename):
		return fault.Invalid(fault.Wrong("filename", noFilename))
	}
	d.ContentType = parsed
	return nil
}

// goodFilename refuses what is no name of a file: paths, and characters that are not seen.
func goodFilename(name string) bool {
	hidden := func(r rune) bool {
		return r < 0x20 || r == 0x7F || r == '/' || r == '\\' || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
	}
	return len(name) <= MaxFilename && name != "." && name != ".." && !strings.ContainsFunc(name, hidden)
}

// Disposition returns the Content-Disposition under which a media is served: pictures, videos and sounds may be shown, files are
// only ever saved. The name is percent-encoded, so that no character of it ends the header (RFC 6266, RFC 8187).
func Disposition(kind Kind, filename string) string {
	disposition := "inline"
	if kind == File {
		disposition = "attachment"
	}
	if filename == "" {
		return disposition
	}
	return disposition + "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(filename), "+", "%20")
}
