package message

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// The types of messages that are more than a text.
const (
	TypeImage    = "image"
	TypeVideo    = "video"
	TypeAudio    = "audio"
	TypeFile     = "file"
	TypeLocation = "location"
	TypeCustom   = "custom"
)

const (
	// MaxCustomBytes bounds a custom object's JSON.
	MaxCustomBytes = 4096
	// MaxContentBytes bounds all that is sealed of a message that is more than a text: a page of them has to stay below
	// DynamoDB's 1 MB.
	MaxContentBytes = 8192
	// maxPlaceName bounds the name of a location, in bytes.
	maxPlaceName = 256
)

// types are what a message can be.
var types = []string{TypeText, TypeImage, TypeVideo, TypeAudio, TypeFile, TypeLocation, TypeCustom}

// ofMedia tells whether messages of the type show a media.
func ofMedia(kind string) bool {
	return slices.Contains([]string{TypeImage, TypeVideo, TypeAudio, TypeFile}, kind)
}

// Parts are what a message has besides its text: by its type one of them, and what it refers to.
type Parts struct {
	Media    *Attachment `json:"media,omitempty" doc:"What it shows, for the types image, video, audio and file."`
	Location *Location   `json:"location,omitempty" doc:"The place, for the type location."`
	Custom   *Object     `json:"custom,omitempty" nullable:"false" doc:"The members of your own, for the type custom."`
	References
}

// Object is a JSON object of the sender's own.
type Object map[string]json.RawMessage

// Attachment is a media as a message shows it.
type Attachment struct {
	MediaID     id.Media  `json:"media_id" doc:"The media's ID." example:"media_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Type        string    `json:"type" enum:"image,video,audio,file" doc:"What it is." example:"image"`
	ContentType string    `json:"content_type" doc:"Its media type." example:"image/png"`
	Size        int64     `json:"size" doc:"Its bytes." example:"48213"`
	Filename    string    `json:"filename,omitempty" doc:"Its name." example:"cat.png"`
	Width       int       `json:"width,omitempty" doc:"A picture's width in pixels." example:"1200"`
	Height      int       `json:"height,omitempty" doc:"A picture's height in pixels." example:"800"`
	Thumbnails  []Preview `json:"thumbnails,omitempty" nullable:"false" doc:"Smaller pictures, the smallest first."`
}

// Preview is a smaller picture of an attachment.
type Preview struct {
	Name        string `json:"name" doc:"What to ask for it by." example:"small"`
	ContentType string `json:"content_type" doc:"Its media type." example:"image/jpeg"`
	Width       int    `json:"width" doc:"Its width in pixels." example:"320"`
	Height      int    `json:"height" doc:"Its height in pixels." example:"213"`
}

// Location is a place on earth.
type Location struct {
	Lat  float64 `json:"lat" minimum:"-90" maximum:"90" doc:"Degrees north." example:"48.8584"`
	Lon  float64 `json:"lon" minimum:"-180" maximum:"180" doc:"Degrees east." example:"2.2945"`
	Name string  `json:"name,omitempty" maxLength:"256" doc:"What it is called; at most 256 bytes of UTF-8." example:"Tour Eiffel"`
}

// Attachments finds the media that are sent, and makes links to them.
type Attachments interface {
	// Attach returns what a message of the type shows of the media. It refuses what is not the sender's, not of the type, not
	// ready, or rejected. It reads cheaply, and strongly only what is not ready.
	Attach(ctx context.Context, app id.App, sender id.User, media id.Media, kind string) (Attachment, error)
	// Link returns a link to the media, or to the thumbnail of that name, that ends at the time.
	Link(ctx context.Context, app id.App, shown Attachment, thumbnail string) (url string, ends time.Time, err error)
}

// checkParts refuses parts that do not go with the type, and those that are not as they should be.
func (d *Draft) checkParts() error {
	given := map[string]bool{"media_id": d.MediaID != "", "location": d.Location != nil, "custom": d.Custom != nil}
	wanted := d.wanted()
	for _, name := range []string{"media_id", "location", "custom"} {
		if given[name] && name != wanted {
			return fault.Invalid(fault.Wrong(name, fault.OfType(d.Type)))
		}
	}
	if wanted != "" && !given[wanted] {
		return fault.Invalid(fault.Field{Name: wanted, Code: fault.FieldMissing, Args: []any{wanted}})
	}
	if d.Location != nil {
		if err := d.Location.check(); err != nil {
			return err
		}
	}
	return d.checkCustom()
}

// wanted is the part that the type needs; "" for none.
func (d *Draft) wanted() string {
	switch {
	case ofMedia(d.Type):
		return "media_id"
	case d.Type == TypeLocation, d.Type == TypeCustom:
		return d.Type
	}
	return ""
}

func (l Location) check() error {
	switch {
	case !(l.Lat >= -90 && l.Lat <= 90):
		return fault.Invalid(fault.Field{Name: "location.lat", Code: fault.FieldRange, Args: []any{"location.lat", "-90 … 90"}})
	case !(l.Lon >= -180 && l.Lon <= 180):
		return fault.Invalid(fault.Field{Name: "location.lon", Code: fault.FieldRange, Args: []any{"location.lon", "-180 … 180"}})
	case len(l.Name) > maxPlaceName:
		return fault.Invalid(fault.Field{Name: "location.name", Code: fault.FieldTooLong, Args: []any{"location.name", fmt.Sprint(maxPlaceName)}})
	}
	return nil
}

func (d *Draft) checkCustom() error {
	if d.Custom == nil {
		return nil
	}
	text, err := plainjson.Encode(d.Custom)
	if err != nil {
		return fault.Invalid(fault.Wrong("custom", fault.NotJSON))
	}
	if len(text) > MaxCustomBytes {
		return fault.Invalid(fault.Field{Name: "custom", Code: fault.FieldTooLong, Args: []any{"custom", fmt.Sprint(MaxCustomBytes)}})
	}
	return nil
}

// attach puts what the message shows of its media into the draft.
func (s *Service) attach(ctx context.Context, draft *Draft) error {
	if draft.MediaID == "" {
		return nil
	}
	shown, err := s.Attachments.Attach(ctx, draft.App, draft.From, draft.MediaID, draft.Type)
	draft.Media = &shown
	return err
}

// richContent is what is sealed of a message that is more than a text.
type richContent struct {
	Text string `json:"text,omitempty"`
	Parts
}

// content is what is sealed: the text itself, or JSON with the text and the parts. Equal messages have equal contents.
func content(kind, text string, parts Parts) []byte {
	if kind == TypeText && !parts.refers() {
		return []byte(text)
	}
	return plainjson.Must(richContent{text, parts})
}

// content is what is sealed of the draft.
func (d Draft) content() []byte { return content(d.Type, d.Text, d.Parts) }

// content is what was sealed of the message.
func (m Message) content() []byte { return content(m.Type, m.Message, m.Parts) }

// checkContent refuses what would be too large a row.
func (d Draft) checkContent() error {
	if size := len(d.content()); (d.Type != TypeText || d.refers()) && size > MaxContentBytes {
		return fault.Invalid(fault.Field{Name: "message", Code: fault.MessageTooLarge, Args: []any{size, MaxContentBytes}})
	}
	return nil
}

// openRich puts what was sealed into a message that is more than a text.
func (m *Message) openRich(sealed []byte) error {
	var rich richContent
	if err := json.Unmarshal(sealed, &rich); err != nil {
		return fmt.Errorf("content of %s: %w", m.MessageID, err)
	}
	m.Message, m.Parts = rich.Text, rich.Parts
	return nil
}

// Shown returns the media that an entry of the conversation shows, to whoever may read it: where user is not "", one who is in
// the conversation, for what came since and is not removed. Otherwise, and where there is no such conversation, it is fault.ConversationNotFound;
// fault.MediaNotFound where the entry shows none.
func (s *Service) Shown(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Attachment, error) {
	if !id.IsConversation(string(conversation)) {
		return Attachment{}, notFound()
	}
	entries, err := s.read(ctx, app, conversation, sequence, 1)
	if err != nil {
		return Attachment{}, err
	}
	member, err := s.reader(ctx, app, user, conversation, len(entries) > 0)
	if err != nil {
		return Attachment{}, err
	}
	if entries, err = s.shown(ctx, member, entries, false); err != nil {
		return Attachment{}, err
	}
	if len(entries) == 0 || !ofMedia(entries[0].Type) || entries[0].recalled() {
		return Attachment{}, fault.Invalid(fault.Field{Name: "seq", Code: fault.MediaNotFound})
	}
	message, err := s.open(ctx, entries[0])
	if err != nil {
		return Attachment{}, err
	}
	return *message.Media, nil
}

// Download returns a link to the media that an entry shows, or to one of its thumbnails; see Shown for who gets it.
func (s *Service) Download(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64, thumbnail string) (url string, ends time.Time, err error) {
	shown, err := s.Shown(ctx, app, user, conversation, sequence)
	if err != nil {
		return "", time.Time{}, err
	}
	if thumbnail != "" && !slices.ContainsFunc(shown.Thumbnails, func(t Preview) bool { return t.Name == thumbnail }) {
		return "", time.Time{}, fault.Invalid(fault.Field{Name: "thumbnail", Code: fault.MediaNotFound})
	}
	return s.Attachments.Link(ctx, app, shown, thumbnail)
}

// unknownType refuses a type that messages do not have.
func unknownType() error {
	return fault.Invalid(fault.Wrong("type", fault.OneOf(strings.Join(types, ", "))))
}
