package main

import (
	"context"
	"net/http"
	"time"

	"github.com/pquerna/otp/totp"
)

// password is every developer's.
const password = "correct horse battery staple"

// developer is a login with a session.
type developer struct {
	client
	email   string
	account string         // the developer's own
	codes   *authenticator // nil without a second factor
}

// signUp makes a login and its account, by the link in the mail, and logs in.
func signUp(ctx context.Context, visitor client, mails mailbox, email string) (*developer, error) {
	wish := fields{"email": email, "password": password, "account": "Drill"}
	if err := visitor.call(ctx, http.MethodPost, "/signup", wish, nil); err != nil {
		return nil, err
	}
	token, err := mails.token(ctx, email, "confirm")
	if err != nil {
		return nil, err
	}
	var made struct {
		AccountID string `json:"account_id"`
	}
	if err := visitor.call(ctx, http.MethodPost, "/signup/confirm", fields{"token": token, "password": password}, &made); err != nil {
		return nil, err
	}
	d := &developer{client: visitor, email: email, account: made.AccountID}
	d.client, err = d.logIn(ctx)
	return d, err
}

// logIn begins another session and returns its client.
func (d *developer) logIn(ctx context.Context) (client, error) {
	attempt := fields{"email": d.email, "password": password}
	if d.codes != nil {
		code, err := d.codes.next(ctx)
		if err != nil {
			return client{}, err
		}
		attempt["code"] = code
	}
	var begun struct {
		Session string `json:"session"`
	}
	err := d.as("").call(ctx, http.MethodPost, "/login", attempt, &begun)
	return d.as(begun.Session), err
}

// turnOn gives the developer a second factor.
func (d *developer) turnOn(ctx context.Context) error {
	var begun struct {
		Secret string `json:"secret"`
	}
	if err := d.call(ctx, http.MethodPost, "/account/mfa", nil, &begun); err != nil {
		return err
	}
	d.codes = &authenticator{secret: begun.Secret}
	code, err := d.codes.next(ctx)
	if err != nil {
		return err
	}
	return d.call(ctx, http.MethodPost, "/account/mfa/confirm", fields{"code": code}, nil)
}

// authenticator makes the codes of a second factor, each of a later step than the one before: a code works once.
type authenticator struct {
	secret string
	last   time.Time // of the last code
	code   string    // the last code
}

// period is how long a code is shown.
const period = 30 * time.Second

// next returns a code that was not used. The server takes those of the step before and after its own too, so three come
// without waiting.
func (a *authenticator) next(ctx context.Context) (string, error) {
	now := time.Now().Truncate(period)
	step := now.Add(-period)
	if after := a.last.Add(period); after.After(step) {
		step = after
	}
	if early := time.Until(step.Add(-period)); early > 0 {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(early):
		}
	}
	var err error
	a.last = step
	a.code, err = totp.GenerateCode(a.secret, step)
	return a.code, err
}
