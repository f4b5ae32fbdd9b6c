package message_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// album is what ann has uploaded: one picture.
type album struct {
	w       *world
	picture message.Attachment
}

func newAlbum(w *world) album {
	return album{w, message.Attachment{MediaID: id.Source{}.Media(), Type: message.TypeImage, ContentType: "image/png", Size: 7, Filename: "cat.png",
		Width: 3, Height: 2, Thumbnails: []message.Preview{{Name: "small", ContentType: "image/jpeg", Width: 3, Height: 2}}}}
}

func (a album) Attach(_ context.Context, app id.App, sender id.User, media id.Media, kind string) (message.Attachment, error) {
	if app != a.w.app || sender != a.w.ann || media != a.picture.MediaID || kind != a.picture.Type {
		return message.Attachment{}, fault.Invalid(fault.Field{Name: "media_id", Code: fault.MediaNotFound})
	}
	return a.picture, nil
}

func (a album) Link(_ context.Context, _ id.App, shown message.Attachment, thumbnail string) (string, time.Time, error) {
	return fmt.Sprint(shown.MediaID, " ", thumbnail), storetest.Noon(), nil
}

// withAlbum returns the services of a Lambda that knows ann's picture.
func (w *world) withAlbum(fuse *storetest.Fuse) (*message.Service, album) {
	service, a := w.process(fuse), newAlbum(w)
	service.Attachments = a
	return service, a
}

// show is the draft by which ann shows bob the picture.
func (a album) show() message.Draft {
	return message.Draft{App: a.w.app, From: a.w.ann, To: string(a.w.bob), Type: message.TypeImage, MediaID: a.picture.MediaID, Text: "look", ClientID: "c1"}
}

func TestRichMessagesComeBackAsTheyWereSent(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	service, a := w.withAlbum(&storetest.Fuse{})
	for i, draft := range []message.Draft{
		a.show(),
		{Type: message.TypeLocation, Parts: message.Parts{Location: &message.Location{Lat: -90, Lon: 180, Name: "<Pole>"}}},
		{Type: message.TypeCustom, Text: "play?", ClientID: "c2", Parts: message.Parts{Custom: &message.Object{"b": json.RawMessage(`[1,2]`), "a": json.RawMessage(`{"x":null}`)}}},
	} {
		draft.App, draft.From, draft.To = w.app, w.ann, string(w.bob)
		first, err := service.Send(t.Context(), draft)
		storetest.OK(t, "Send", err)
		again := first
		if draft.ClientID != "" {
			again, err = service.Send(t.Context(), draft)
			storetest.OK(t, "Send again", err)
		}
		page, _, err := service.History(t.Context(), w.app, w.bob, w.pair(), message.Ascending, fmt.Sprint(i+1), 1)
		if err != nil || len(page) != 1 || !reflect.DeepEqual(page[0], first.Message) || !reflect.DeepEqual(again.Message, first.Message) {
			t.Errorf("%s: %+v, then %+v, read %+v, %v", draft.Type, first, again, page, err)
		}
		for _, secret := range []string{"cat.png", "Pole", "play"} {
			if entries := w.history(t); strings.Contains(string(entries[i].Sealed), secret) {
				t.Errorf("%s stands in the log", secret)
			}
		}
	}
	other := a.show()
	other.Text = "look there"
	_, err := service.Send(t.Context(), other)
	if !fault.Is(err, fault.ClientIDConflict) {
		t.Errorf("another caption: %v", err)
	}
}

// A send of a picture that dies anywhere is completed by its retry, like that of a text.
func TestARichSendIsCompletedByItsRetry(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t, storetest.Staleness{})
		fuse := &storetest.Fuse{At: at, Dies: true, TookEffect: at%2 == 0}
		dying, a := w.withAlbum(fuse)
		_, err := dying.Send(t.Context(), a.show())
		if fuse.Blown() != (err != nil) {
			t.Fatalf("write %d: %v", at, err)
		}
		healthy := w.healthy()
		healthy.Attachments = a
		_, err = healthy.Send(t.Context(), a.show())
		storetest.OK(t, "the retry", err)
		if entries := w.history(t); len(entries) != 1 {
			t.Fatalf("write %d: %d entries", at, len(entries))
		}
		if !fuse.Blown() {
			break
		}
	}
}

func TestDraftsOfRichMessagesAreChecked(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	service, a := w.withAlbum(&storetest.Fuse{})
	large := message.Object{"x": json.RawMessage(`"` + strings.Repeat("x", message.MaxCustomBytes) + `"`)}
	place := &message.Location{}
	for name, c := range map[string]struct {
		draft message.Draft
		want  fault.Code
	}{
		"an event":               {message.Draft{Type: message.TypeEvent, Text: "{}"}, fault.FieldInvalid},
		"a void":                 {message.Draft{Type: message.TypeVoid}, fault.FieldInvalid},
		"no media":               {message.Draft{Type: message.TypeImage}, fault.FieldMissing},
		"another's media":        {message.Draft{Type: message.TypeImage, MediaID: id.Source{}.Media()}, fault.MediaNotFound},
		"media of another type":  {message.Draft{Type: message.TypeFile, MediaID: a.picture.MediaID}, fault.MediaNotFound},
		"media in a text":        {message.Draft{Text: "x", MediaID: a.picture.MediaID}, fault.FieldInvalid},
		"a place in a picture":   {message.Draft{Type: message.TypeImage, MediaID: a.picture.MediaID, Parts: message.Parts{Location: place}}, fault.FieldInvalid},
		"no place":               {message.Draft{Type: message.TypeLocation}, fault.FieldMissing},
		"beyond the pole":        {message.Draft{Type: message.TypeLocation, Parts: message.Parts{Location: &message.Location{Lat: 91}}}, fault.FieldRange},
		"around the world":       {message.Draft{Type: message.TypeLocation, Parts: message.Parts{Location: &message.Location{Lon: -181}}}, fault.FieldRange},
		"a long name":            {message.Draft{Type: message.TypeLocation, Parts: message.Parts{Location: &message.Location{Name: strings.Repeat("x", 257)}}}, fault.FieldTooLong},
		"a large object":         {message.Draft{Type: message.TypeCustom, Parts: message.Parts{Custom: &large}}, fault.FieldTooLong},
		"a long caption":         {message.Draft{Type: message.TypeLocation, Text: strings.Repeat("x", 4097), Parts: message.Parts{Location: place}}, fault.MessageTooLarge},
		"a caption that unfolds": {message.Draft{Type: message.TypeLocation, Text: strings.Repeat("\x01", 4096), Parts: message.Parts{Location: place}}, fault.MessageTooLarge},
	} {
		c.draft.App, c.draft.From, c.draft.To = w.app, w.ann, string(w.bob)
		if _, err := service.Send(t.Context(), c.draft); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if entries := w.history(t); len(entries) != 0 {
		t.Errorf("%d entries", len(entries))
	}
}

func TestOnlyThoseInTheConversationDownload(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	service, a := w.withAlbum(&storetest.Fuse{})
	_, err := service.Send(t.Context(), a.show())
	storetest.OK(t, "Send", err)
	_, err = service.Send(t.Context(), message.Draft{App: w.app, From: w.bob, To: string(w.ann), Text: "nice"})
	storetest.OK(t, "Send", err)
	for _, user := range []id.User{w.ann, w.bob, ""} {
		for _, thumbnail := range []string{"", "small"} {
			url, _, err := service.Download(t.Context(), w.app, user, w.pair(), 1, thumbnail)
			if want := fmt.Sprint(a.picture.MediaID, " ", thumbnail); err != nil || url != want {
				t.Errorf("%q gets %q, %v", user, url, err)
			}
		}
	}
	for name, c := range map[string]struct {
		app          id.App
		user         id.User
		conversation id.Conversation
		sequence     int64
		thumbnail    string
		want         fault.Code
	}{
		"a stranger":        {w.app, w.register(t, "cy"), w.pair(), 1, "", fault.ConversationNotFound},
		"another app":       {id.Source{}.App(), "", w.pair(), 1, "", fault.ConversationNotFound},
		"an application":    {w.app, "", w.pair(), 9, "", fault.MediaNotFound},
		"no conversation":   {w.app, w.ann, "x", 1, "", fault.ConversationNotFound},
		"a text":            {w.app, w.ann, w.pair(), 2, "", fault.MediaNotFound},
		"beyond the end":    {w.app, w.ann, w.pair(), 3, "", fault.MediaNotFound},
		"another thumbnail": {w.app, w.ann, w.pair(), 1, "large", fault.MediaNotFound},
	} {
		if _, _, err := service.Download(t.Context(), c.app, c.user, c.conversation, c.sequence, c.thumbnail); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// What was accepted silently from somebody who is blocked shows nothing to the one who has blocked.
func TestABlockedSendersPictureIsNotShown(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	service, a := w.withAlbum(&storetest.Fuse{})
	_, err := service.Send(t.Context(), a.show())
	storetest.OK(t, "Send", err)
	hidden := w.history(t)[0]
	text, err := w.keyring.Open(t.Context(), w.app, seal.Place{Conversation: w.pair(), Sequence: 1, Sender: w.ann}, hidden.Sealed)
	storetest.OK(t, "Open", err)
	hidden.Sequence, hidden.Hidden, hidden.ClientID = 2, true, "c2"
	hidden.Sealed, err = w.keyring.Seal(t.Context(), w.app, seal.Place{Conversation: w.pair(), Sequence: 2, Sender: w.ann}, text)
	storetest.OK(t, "Seal", err)
	storetest.OK(t, "Append", w.log.Append(t.Context(), hidden))
	for user, want := range map[id.User]bool{w.ann: true, "": true, w.bob: false} {
		_, _, err := service.Download(t.Context(), w.app, user, w.pair(), 2, "")
		if (err == nil) != want || !want && !fault.Is(err, fault.MediaNotFound) {
			t.Errorf("%q: %v", user, err)
		}
	}
}

// A row has to stay small enough for a page of them to be read at once.
func TestTheLargestRichMessageFitsItsRow(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	custom := message.Object{"x": json.RawMessage(`"` + strings.Repeat("x", message.MaxCustomBytes-8) + `"`)}
	for size := message.MaxTextBytes; ; size-- {
		draft := message.Draft{App: w.app, From: w.ann, To: string(w.bob), Type: message.TypeCustom, Text: strings.Repeat("y", size), Parts: message.Parts{Custom: &custom}}
		_, err := w.healthy().Send(t.Context(), draft)
		if refusal := (*fault.Error)(nil); errors.As(err, &refusal) && refusal.Code == fault.MessageTooLarge {
			continue
		}
		storetest.OK(t, "Send", err)
		if sealed := len(w.history(t)[0].Sealed); sealed > message.MaxContentBytes+33 || size < message.MaxTextBytes-100 {
			t.Errorf("%d bytes sealed, with a text of %d", sealed, size)
		}
		return
	}
}
