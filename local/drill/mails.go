package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// mailbox is the address of the runner's mails.
type mailbox string

// link is how a mail's link ends.
var link = regexp.MustCompile(`/link#action=([a-z]+)&token=([0-9A-Za-z]+)`)

const (
	// mailWait is how long a mail may take: it is sent behind the answer.
	mailWait = 30 * time.Second
	mailPoll = 50 * time.Millisecond
)

// token waits for a mail to the address with a link that does the action, and returns the link's token.
func (m mailbox) token(ctx context.Context, to, action string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, mailWait)
	defer cancel()
	for {
		var box struct {
			Mails []struct {
				Text string `json:"text"`
			} `json:"mails"`
		}
		if err := (client{base: string(m)}).call(ctx, http.MethodGet, "?to="+url.QueryEscape(to), nil, &box); err != nil {
			return "", err
		}
		for _, mail := range box.Mails {
			if found := link.FindStringSubmatch(mail.Text); found != nil && found[1] == action {
				return found[2], nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no mail to %s has a link to %s: %w", to, action, ctx.Err())
		case <-time.After(mailPoll):
		}
	}
}
