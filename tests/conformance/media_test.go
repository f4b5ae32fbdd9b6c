//go:build conformance

package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// signed is a signed request.
type signed struct {
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// upload is a media as POST /media and GET /media/{id} show it.
type upload struct {
	MediaID     string `json:"media_id"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Type        string `json:"type"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Thumbnails  []struct {
		Name  string `json:"name"`
		Width int    `json:"width"`
	} `json:"thumbnails"`
	Upload signed `json:"upload"`
}

// attachment is a media as a message shows it.
type attachment struct {
	MediaID     string `json:"media_id"`
	Type        string `json:"type"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	Filename    string `json:"filename"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Thumbnails  []struct {
		Name   string `json:"name"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"thumbnails"`
}

// rich is a message with what it has besides its text.
type rich struct {
	client.Message
	Media    *attachment `json:"media"`
	Location *struct {
		Lat  float64 `json:"lat"`
		Lon  float64 `json:"lon"`
		Name string  `json:"name"`
	} `json:"location"`
	Custom json.RawMessage `json:"custom"`
}

// drawn is a PNG of that size.
func drawn(t *testing.T, width, height int) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		picture.Set(x, x*height/width, color.NRGBA{R: byte(x), A: 255})
	}
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, picture); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// declaration says of a content what it is.
func declaration(from person, kind, contentType string, content []byte) object {
	sum := sha256.Sum256(content)
	return object{"from": from.ID, "type": kind, "content_type": contentType, "size": len(content), "sha256": hex.EncodeToString(sum[:])}
}

// declare begins an upload.
func declare(t *testing.T, by client.Installation, body object) upload {
	t.Helper()
	answer := post(t, by, "/media", body)
	wantStatus(t, answer, http.StatusCreated)
	return into[upload](t, answer)
}

// follow makes the request of a link, with changes.
func follow(t *testing.T, l signed, content []byte, change ...func(*http.Request)) (int, []byte, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), l.Method, l.URL, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range l.Headers {
		request.Header.Set(name, value)
	}
	for _, c := range change {
		c(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body, response.Header
}

// settled waits until a media was checked.
func settled(t *testing.T, id string) upload {
	t.Helper()
	return settledBy(t, app, id)
}

// settledBy is settled for another app.
func settledBy(t *testing.T, by client.Installation, id string) (found upload) {
	t.Helper()
	client.WaitFor(t, "the check of "+id, limit, func() bool {
		answer := get(t, by, "/media/"+id)
		wantStatus(t, answer, http.StatusOK)
		found = into[upload](t, answer)
		return found.State == "ready" || found.State == "rejected"
	})
	return found
}

// uploaded brings a content to where it can be sent, or is rejected.
func uploaded(t *testing.T, from person, kind, contentType string, content []byte, more object) upload {
	t.Helper()
	made := declare(t, app, with(declaration(from, kind, contentType, content), more))
	if status, body, _ := follow(t, made.Upload, content); status != http.StatusOK {
		t.Fatalf("the upload: %d %s", status, body)
	}
	return settled(t, made.MediaID)
}

// read reads a link as a browser does.
func (l signed) read(t *testing.T) ([]byte, http.Header) {
	t.Helper()
	l.Method = http.MethodGet
	status, body, header := follow(t, l, nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", l.URL, status, body)
	}
	return body, header
}

// shows has ann send bob a picture, in any app, and returns a link to it.
func shows(t *testing.T, by client.Installation, ann, bob person) signed {
	t.Helper()
	content := drawn(t, 8, 8)
	made := declare(t, by, declaration(ann, "image", "image/png", content))
	if status, body, _ := follow(t, made.Upload, content); status != http.StatusOK {
		t.Fatalf("the upload: %d %s", status, body)
	}
	settledBy(t, by, made.MediaID)
	sent := post(t, by, "/send", object{"from": ann.ID, "to": bob.ID, "type": "image", "media_id": made.MediaID})
	wantStatus(t, sent, http.StatusOK)
	link := download(t, by, sent.Text("conversation_id"), sent.Number("seq"), "")
	link.Method = http.MethodGet
	return link
}

// download gets a link to what a message shows.
func download(t *testing.T, by client.Installation, conversation string, seq int64, query string) signed {
	t.Helper()
	answer := get(t, by, fmt.Sprintf("/conversations/%s/messages/%d/media%s", conversation, seq, query))
	wantStatus(t, answer, http.StatusOK)
	return into[signed](t, answer)
}

func TestAPictureIsSentAndSeen(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	socket := online(t, bob, nil)
	content := drawn(t, 1200, 600)
	made := uploaded(t, ann, "image", "image/png", content, object{"filename": "Katze 猫.png"})
	if made.State != "ready" || made.Width != 1200 || made.Height != 600 || len(made.Thumbnails) != 2 || made.Size != int64(len(content)) {
		t.Fatalf("%+v", made)
	}
	body := object{"from": ann.ID, "to": bob.ID, "type": "image", "media_id": made.MediaID, "message": "look", "client_id": "picture"}
	first := post(t, app, "/send", body)
	wantStatus(t, first, http.StatusOK)
	if again := post(t, app, "/send", body); !bytes.Equal(again.Body, first.Body) {
		t.Errorf("again: %s, at first %s", again, first)
	}
	wantRefusal(t, post(t, app, "/send", with(body, object{"message": "another caption"})), http.StatusConflict, "client_id_conflict")
	conversation := first.Text("conversation_id")
	event := awaitEvent(t, socket, 0, func(f client.Frame) bool { return f.Event == "message" })
	var pushed, read rich
	page := into[struct{ Items []json.RawMessage }](t, get(t, as(t, app, bob, nil), "/conversations/"+conversation+"/messages"))
	if len(page.Items) != 1 {
		t.Fatalf("history: %s", page.Items)
	}
	for raw, into := range map[*rich][]byte{&pushed: event.Content, &read: page.Items[0]} {
		if err := json.Unmarshal(into, raw); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(event.Content, page.Items[0]) {
		t.Errorf("pushed %s, read %s", event.Content, page.Items[0])
	}
	want := attachment{MediaID: made.MediaID, Type: "image", ContentType: "image/png", Size: int64(len(content)), Filename: "Katze 猫.png", Width: 1200, Height: 600}
	if m := read.Media; read.Type != "image" || read.Message.Message != "look" || m == nil || len(m.Thumbnails) != 2 || m.Thumbnails[0].Width != 320 || m.Thumbnails[1].Height != 540 {
		t.Fatalf("%s", page.Items[0])
	}
	read.Media.Thumbnails = nil
	if fmt.Sprint(*read.Media) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", *read.Media, want)
	}
	wantServed(t, ann, bob, conversation, content)
}

// wantServed checks what the two of a pair get of their first message's picture.
func wantServed(t *testing.T, ann, bob person, conversation string, content []byte) {
	t.Helper()
	for _, by := range []client.Installation{as(t, app, ann, nil), as(t, app, bob, nil), app} {
		l := download(t, by, conversation, 1, "")
		if ahead := time.Until(l.ExpiresAt); ahead < 4*time.Minute || ahead > 6*time.Minute {
			t.Errorf("the link ends in %v", ahead)
		}
		body, header := l.read(t)
		if !bytes.Equal(body, content) || header.Get("Content-Type") != "image/png" || header.Get("Content-Disposition") != "inline; filename*=UTF-8''Katze%20%E7%8C%AB.png" {
			t.Errorf("served %d bytes, %v", len(body), header)
		}
	}
	small, header := download(t, app, conversation, 1, "?thumbnail=small").read(t)
	picture, err := png.Decode(bytes.NewReader(small)) // one sees through the drawing
	if err != nil || picture.Bounds().Dx() != 320 || header.Get("Content-Type") != "image/png" {
		t.Errorf("the thumbnail: %v, %v", err, header)
	}
	wantRefusal(t, get(t, app, "/conversations/"+conversation+"/messages/1/media?thumbnail=huge"), http.StatusUnprocessableEntity, "field_invalid")
}

// A person with a token does all of it by itself; over the socket too.
func TestAUserSendsWhatItUploaded(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, nil)
	content := []byte("ID3\x04\x00\x00\x00\x00\x00\x0A" + strings.Repeat("\x00", 200))
	made := declare(t, token, with(declaration(ann, "audio", "audio/mpeg", content), object{"from": nil}))
	if status, body, _ := follow(t, made.Upload, content); status != http.StatusOK {
		t.Fatalf("the upload: %d %s", status, body)
	}
	settled(t, made.MediaID)
	wantStatus(t, get(t, token, "/media/"+made.MediaID), http.StatusOK)
	wantRefusal(t, get(t, as(t, app, bob, nil), "/media/"+made.MediaID), http.StatusNotFound, "media_not_found")
	socket := online(t, ann, nil)
	sent := ask(t, socket, object{"action": "send", "to": bob.ID, "type": "audio", "media_id": made.MediaID})
	if body, _ := download(t, as(t, app, bob, nil), sent.ConversationID, sent.Seq, "").read(t); !bytes.Equal(body, content) {
		t.Errorf("served %d bytes", len(body))
	}
}

// A file may be anything, and is only ever saved.
func TestFilesAreSavedAndNeverShown(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	content := []byte("<html><script>alert(1)</script></html>")
	made := uploaded(t, ann, "file", "text/html", content, object{"filename": "page.html"})
	if made.State != "ready" || made.ContentType != "application/octet-stream" {
		t.Fatalf("%+v", made)
	}
	sent := post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "type": "file", "media_id": made.MediaID})
	wantStatus(t, sent, http.StatusOK)
	_, header := download(t, app, sent.Text("conversation_id"), 1, "").read(t)
	if header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment; ") {
		t.Errorf("served as %v", header)
	}
	wantRefusal(t, get(t, app, "/conversations/"+sent.Text("conversation_id")+"/messages/1/media?thumbnail=small"), http.StatusNotFound, "media_not_found")
}

func TestPlacesAndObjectsAreSent(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	place := object{"from": ann.ID, "to": bob.ID, "type": "location", "location": object{"lat": -33.8568, "lon": 151.2153, "name": "Opera"}}
	custom := object{"from": ann.ID, "to": bob.ID, "type": "custom", "custom": object{"b": []int{1, 2}, "a": object{"x": "<&>"}}, "message": "play?", "client_id": "game"}
	conversation := ""
	for _, body := range []object{place, custom, custom} { // the retry has no effect
		answer := post(t, app, "/send", body)
		wantStatus(t, answer, http.StatusOK)
		conversation = answer.Text("conversation_id")
	}
	wantRefusal(t, post(t, app, "/send", with(custom, object{"custom": object{"a": 1}})), http.StatusConflict, "client_id_conflict")
	items := pages[rich](t, app, "/conversations/"+conversation+"/messages?limit=10")
	if len(items) != 2 || items[0].Location == nil || items[0].Location.Lat != -33.8568 || items[0].Location.Name != "Opera" || items[0].Message.Message != "" {
		t.Fatalf("%+v", items)
	}
	if string(items[1].Custom) != `{"a":{"x":"\u003c\u0026\u003e"},"b":[1,2]}` || items[1].Message.Message != "play?" {
		t.Errorf("custom: %s", items[1].Custom)
	}
	wantRefusal(t, get(t, app, "/conversations/"+conversation+"/messages/1/media"), http.StatusNotFound, "media_not_found")
	for name, body := range map[string]object{
		"north of the pole":    with(place, object{"location": object{"lat": 90.1, "lon": 0}}),
		"beyond the date line": with(place, object{"location": object{"lat": 0, "lon": -181}}),
		"no longitude":         with(place, object{"location": object{"lat": 0}}),
		"no place":             with(place, object{"location": nil}),
		"a place in a text":    with(place, object{"type": "text", "message": "x"}),
		"a text without one":   with(place, object{"type": "text", "location": nil}),
		"a null for a text":    with(place, object{"type": nil, "location": nil, "message": json.RawMessage("null")}),
		"a text as custom":     with(custom, object{"custom": "x"}),
		"a list as custom":     with(custom, object{"custom": []int{1}}),
		"a large custom":       with(custom, object{"custom": object{"a": strings.Repeat("x", 4096)}}),
		"no custom":            with(custom, object{"custom": nil}),
		"an unknown type":      with(custom, object{"type": "event"}),
		"a void":               with(custom, object{"type": "void"}),
	} {
		if answer := post(t, app, "/send", body); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if after := pages[rich](t, app, "/conversations/"+conversation+"/messages?limit=10"); len(after) != 2 {
		t.Errorf("%d messages, want 2", len(after))
	}
}

// A link is for one content, once. S3 itself refuses the rest; the emulator does not, and there the check has to.
func TestALinkTakesOneContentOnce(t *testing.T) {
	t.Parallel()
	ann, _ := pair(t)
	content := drawn(t, 8, 8)
	other := slices.Clone(content)
	other[len(other)-20]++
	made := declare(t, app, declaration(ann, "image", "image/png", content))
	if !onMinistack {
		for name, c := range map[string]struct {
			content []byte
			change  func(*http.Request)
		}{
			"another content": {other, func(*http.Request) {}},
			"a longer one":    {append(slices.Clone(content), 'x'), func(*http.Request) {}},
			"another type":    {content, func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }},
			"no checksum":     {content, func(r *http.Request) { r.Header.Del("X-Amz-Checksum-Sha256") }},
			"no condition":    {content, func(r *http.Request) { r.Header.Del("If-None-Match") }},
			"another key":     {content, func(r *http.Request) { r.URL.Path += "x" }},
		} {
			if status, body, _ := follow(t, made.Upload, c.content, c.change); status < 400 || status >= 500 {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
	}
	if status, body, _ := follow(t, made.Upload, content); status != http.StatusOK {
		t.Fatalf("the upload: %d %s", status, body)
	}
	if status, body, _ := follow(t, made.Upload, content); !onMinistack && status != http.StatusPreconditionFailed {
		t.Errorf("again: %d %s", status, body)
	}
	if found := settled(t, made.MediaID); found.State != "ready" {
		t.Errorf("%+v", found)
	}
	again := post(t, app, "/media", with(declaration(ann, "image", "image/png", content), object{"size": len(content) + 1}))
	wantStatus(t, again, http.StatusCreated)
}

func TestARepeatedDeclarationFindsTheFirst(t *testing.T) {
	t.Parallel()
	ann, _ := pair(t)
	body, header := declaration(ann, "image", "image/png", []byte("x")), map[string]string{"Idempotency-Key": unique("media")}
	declareAs := func(body object) client.Answer {
		return do(t, app, client.Request{Method: http.MethodPost, Path: "/media", Body: body, Header: header})
	}
	first, second := declareAs(body), declareAs(body)
	wantStatus(t, first, http.StatusCreated)
	if first.Text("media_id") != second.Text("media_id") {
		t.Errorf("%s and %s", first, second)
	}
	wantRefusal(t, declareAs(with(body, object{"size": 2})), http.StatusConflict, "idempotency_conflict")
}

// TestTheREADMEsPicture runs what the README says, in both languages, with a picture of ours.
func TestTheREADMEsPicture(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	for _, readme := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile("../../" + readme)
		if err != nil {
			t.Fatal(err)
		}
		var script string
		for _, block := range strings.Split(string(text), "```sh\n")[1:] {
			if block, _, _ = strings.Cut(block, "```"); strings.Contains(block, "cat.png") {
				script = block
			}
		}
		if strings.Count(script, "curl ") != 3 {
			t.Fatalf("%s: three calls wanted, not\n%s", readme, script)
		}
		ann, bob := pair(t)
		script = strings.NewReplacer(`"from":"ann"`, `"from":"`+ann.ID+`"`, `"to":"bob"`, `"to":"`+bob.ID+`"`).Replace(script)
		folder, content := t.TempDir(), drawn(t, 64, 48)
		if err := os.WriteFile(filepath.Join(folder, "cat.png"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(within(t), "bash", "-euo", "pipefail", "-c", script)
		command.Dir, command.Env = folder, append(os.Environ(), "URL="+app.HTTP, "KEY="+app.APIKey)
		output, err := command.CombinedOutput()
		var sent struct {
			ConversationID string `json:"conversation_id"`
			Seq            int64  `json:"seq"`
		}
		if err != nil || json.Unmarshal(output, &sent) != nil || sent.Seq != 1 {
			t.Fatalf("%s: %v\n%s", readme, err, output)
		}
		if body, _ := download(t, as(t, app, bob, nil), sent.ConversationID, 1, "").read(t); !bytes.Equal(body, content) {
			t.Errorf("%s: served %d bytes", readme, len(body))
		}
	}
}

// Who is in a group sees what came since; who was removed sees nothing any more.
func TestOnlyMembersSeeAGroupsPictures(t *testing.T) {
	t.Parallel()
	g := gather(t, 2, object{"join": "open"})
	ann, bob := g.members[0], g.members[1]
	made := uploaded(t, ann, "image", "image/png", drawn(t, 8, 8), nil)
	sent := post(t, app, "/send", object{"from": ann.ID, "to": g.id, "type": "image", "media_id": made.MediaID})
	wantStatus(t, sent, http.StatusOK)
	path := fmt.Sprintf("/conversations/%s/messages/%d/media", g.id, sent.Number("seq"))
	late, stranger, asBob := register(t, "late"), as(t, app, register(t, "stranger"), nil), as(t, app, bob, nil)
	wantStatus(t, get(t, asBob, path), http.StatusOK)
	wantRefusal(t, get(t, stranger, path), http.StatusNotFound, "conversation_not_found")
	wantStatus(t, post(t, app, "/groups/"+g.id+"/join", object{"as": late.ID}), http.StatusOK)
	wantRefusal(t, get(t, as(t, app, late, nil), path), http.StatusNotFound, "media_not_found")
	wantStatus(t, remove(t, app, "/groups/"+g.id+"/members/"+bob.ID), http.StatusOK)
	wantRefusal(t, get(t, asBob, path), http.StatusNotFound, "conversation_not_found")
	wantRefusal(t, get(t, app, fmt.Sprintf("/conversations/%s/messages/%d/media", g.id, 9999)), http.StatusNotFound, "media_not_found")
	wantRefusal(t, get(t, app, "/conversations/x/messages/1/media"), http.StatusNotFound, "conversation_not_found")
}
