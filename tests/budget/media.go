package budget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// checked is how long the check of a small picture may take.
const checked = 20 * time.Second

// declarations begin uploads that nothing comes of.
func declarations(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, err := p.Register(ctx)
	return func(int) error {
		_, err := p.declare(ctx, ann, []byte("x"))
		return err
	}, err
}

func (p *Platform) declare(ctx context.Context, owner User, content []byte) (client.Answer, error) {
	sum := sha256.Sum256(content)
	return p.Post(ctx, "/media", map[string]any{"from": owner.ID, "type": "image", "content_type": "image/png", "size": len(content),
		"sha256": hex.EncodeToString(sum[:]), "filename": "a picture of mine.png"})
}

// uploads declare a picture beforehand and put it with every request, which makes S3 tell of it and has it checked.
func uploads(ctx context.Context, p *Platform, n int) (Request, error) {
	ann, err := p.Register(ctx)
	if err != nil {
		return nil, err
	}
	content, err := picture()
	if err != nil {
		return nil, err
	}
	declared := make([]client.Answer, n)
	for i := range declared {
		if declared[i], err = p.declare(ctx, ann, content); err != nil {
			return nil, err
		}
	}
	return func(i int) error {
		if err := put(ctx, declared[i], content); err != nil {
			return err
		}
		return p.awaitReady(ctx, declared[i].Text("media_id"))
	}, nil
}

// awaitReady waits until a picture can be sent. Its looks are MediaFunction's, and no part of the check.
func (p *Platform) awaitReady(ctx context.Context, media string) error {
	for begun := time.Now(); ; {
		answer, err := p.do(ctx, p.App, client.Request{Path: "/media/" + media})
		if err != nil || answer.Text("state") == "ready" {
			return err
		}
		if time.Since(begun) > checked {
			return fmt.Errorf("the picture is not ready: %s", answer)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func picture() ([]byte, error) {
	var content bytes.Buffer
	err := png.Encode(&content, image.NewGray(image.Rect(0, 0, 64, 48)))
	return content.Bytes(), err
}

// put makes the request that a declaration has answered.
func put(ctx context.Context, declared client.Answer, content []byte) error {
	var made struct {
		Upload struct {
			Method, URL string
			Headers     map[string]string
		}
	}
	if err := declared.Into(&made); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, made.Upload.Method, made.Upload.URL, bytes.NewReader(content))
	if err != nil {
		return err
	}
	for name, value := range made.Upload.Headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the upload: %s", answer.Status)
	}
	return nil
}

// pictureOf makes a picture of the user's that is ready.
func (p *Platform) pictureOf(ctx context.Context, owner User) (media string, err error) {
	content, err := picture()
	if err != nil {
		return "", err
	}
	declared, err := p.declare(ctx, owner, content)
	if err == nil {
		err = put(ctx, declared, content)
	}
	if err == nil {
		err = p.awaitReady(ctx, declared.Text("media_id"))
	}
	return declared.Text("media_id"), err
}

// pictureSends send a picture each that was not sent before.
func pictureSends(ctx context.Context, p *Platform, n int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	media := make([]string, n)
	for i := range media {
		if media[i], err = p.pictureOf(ctx, ann); err != nil {
			return nil, err
		}
	}
	return func(i int) error {
		_, err := p.Send(ctx, ann.ID, bob.ID, map[string]any{"type": "image", "media_id": media[i]})
		return err
	}, online(ctx, p, bob, 1)
}

// downloads are links for bob, by his own token, to what ann has shown him.
func downloads(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	media, err := p.pictureOf(ctx, ann)
	if err != nil {
		return nil, err
	}
	sent, err := p.Send(ctx, ann.ID, bob.ID, map[string]any{"type": "image", "media_id": media})
	if err != nil {
		return nil, err
	}
	token, err := p.Token(ctx, bob)
	return func(int) error {
		_, err := p.do(ctx, token, client.Request{Path: fmt.Sprintf("/conversations/%s/messages/%d/media", sent.Text("conversation_id"), sent.Number("seq"))})
		return err
	}, err
}
