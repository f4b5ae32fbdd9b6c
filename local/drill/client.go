package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client calls the public API with one credential, "" for none. A session's acts on the app, "" for none.
type client struct {
	base, credential, app string
}

// as returns the client with another credential, which chooses no app.
func (c client) as(credential string) client { return client{base: c.base, credential: credential} }

// in returns a session's client with an app chosen.
func (c client) in(app string) client {
	c.app = app
	return c
}

// answerLimit bounds what is read of an answer; a page of 100 messages of 4 KB fits.
const answerLimit = 4 << 20

var httpClient = &http.Client{Timeout: 30 * time.Second}

// call sends the body, nil for none, and decodes the answer into out, nil to drop it. Every status but 2xx is an error.
func (c client) call(ctx context.Context, method, path string, body, out any) error {
	status, text, err := c.exchange(ctx, method, path, nil, body)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, status, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (c client) exchange(ctx context.Context, method, path string, header http.Header, body any) (status int, text []byte, err error) {
	var sent []byte
	if body != nil {
		if sent, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if c.credential != "" {
		request.Header.Set("Authorization", "Bearer "+c.credential)
	}
	if c.app != "" {
		request.Header.Set("X-App-Id", c.app)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := httpClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	return answer.StatusCode, text, err
}

// refused demands that the request is refused with the status and the code.
func (c client) refused(ctx context.Context, method, path string, body any, status int, code string) error {
	got, text, err := c.exchange(ctx, method, path, nil, body)
	if err == nil && (got != status || !strings.Contains(string(text), `"`+code+`"`)) {
		err = fmt.Errorf("%s %s: %d %s, not %d %s", method, path, got, text, status, code)
	}
	return err
}

// list returns the items of every page, as they came.
func (c client) list(ctx context.Context, path string) ([]string, error) {
	items := []string{}
	for cursor := ""; ; {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := c.call(ctx, http.MethodGet, path+join+"limit=100&cursor="+url.QueryEscape(cursor), nil, &page); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			items = append(items, string(item))
		}
		if cursor = page.Next; cursor == "" {
			return items, nil
		}
	}
}
