package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// team is two developers and what they make, by the public API and their mails alone.
type team struct {
	visitor client // without a credential
	mails   mailbox
	// ann owns an account and has a second factor; bob has an account of his own and is an admin in hers.
	ann, bob *developer
	// ended is a session that was ended, used a link that was used, open the token of an invitation that was not accepted.
	ended      client
	used, open string
	// app is in use and deleted is deleted; both are in ann's account.
	app, deleted string
	// made is a key of app, old one that replaced is a new one for; off is a key of the deleted app.
	made, old, replaced, off string
}

// invited is the address of the open invitation.
const invited = "cy@drill.example.com"

// makeTeam has the developers sign up, join and make apps and keys.
func makeTeam(ctx context.Context, base string, mails string) (*team, error) {
	t := &team{visitor: client{base: base}, mails: mailbox(mails)}
	for _, step := range []func(context.Context) error{t.signUp, t.invite, t.makeApps, t.makeKeys, t.secure, t.useKeys, t.deleteApp} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("team: %w", err)
		}
	}
	return t, nil
}

func (t *team) signUp(ctx context.Context) (err error) {
	if t.ann, err = signUp(ctx, t.visitor, t.mails, "ann@drill.example.com"); err != nil {
		return err
	}
	t.bob, err = signUp(ctx, t.visitor, t.mails, "bob@drill.example.com")
	return err
}

// invite has bob join ann's account, and leaves an invitation open.
func (t *team) invite(ctx context.Context) (err error) {
	for email, role := range map[string]string{t.bob.email: "admin", invited: "auditor"} {
		if err := t.ann.call(ctx, http.MethodPost, "/account/invitations", fields{"email": email, "role": role}, nil); err != nil {
			return err
		}
	}
	if t.used, err = t.mails.token(ctx, t.bob.email, "invitation"); err != nil {
		return err
	}
	if t.open, err = t.mails.token(ctx, invited, "invitation"); err != nil {
		return err
	}
	if err := t.visitor.call(ctx, http.MethodPost, "/invitations/accept", fields{"token": t.used}, nil); err != nil {
		return err
	}
	return t.bob.call(ctx, http.MethodPost, "/account/switch", fields{"account_id": t.ann.account}, nil)
}

func (t *team) makeApps(ctx context.Context) error {
	for name, app := range map[string]*string{"in use": &t.app, "deleted": &t.deleted} {
		var made struct {
			AppID string `json:"app_id"`
		}
		if err := t.ann.call(ctx, http.MethodPost, "/apps", fields{"name": name}, &made); err != nil {
			return err
		}
		*app = made.AppID
	}
	return nil
}

// makeKeys makes keys by sessions, and rotates one of them.
func (t *team) makeKeys(ctx context.Context) (err error) {
	wanted := fields{"name": "drill", "scopes": []string{"users:list"}}
	if t.made, _, err = makeKey(ctx, t.bob.in(t.app), "/keys", wanted); err != nil {
		return err
	}
	if t.off, _, err = makeKey(ctx, t.ann.in(t.deleted), "/keys", wanted); err != nil {
		return err
	}
	var keyID string
	if t.old, keyID, err = makeKey(ctx, t.ann.in(t.app), "/keys", wanted); err != nil {
		return err
	}
	t.replaced, _, err = makeKey(ctx, t.ann.in(t.app), "/keys/"+keyID+"/rotate", fields{})
	return err
}

// makeKey posts what makes a key and returns it with its ID.
func makeKey(ctx context.Context, by client, path string, body fields) (key, keyID string, err error) {
	var made struct {
		KeyID  string `json:"key_id"`
		APIKey string `json:"api_key"`
	}
	err = by.call(ctx, http.MethodPost, path, body, &made)
	return made.APIKey, made.KeyID, err
}

// secure gives ann a second factor, and ends a session that began with it.
func (t *team) secure(ctx context.Context) (err error) {
	if err := t.ann.turnOn(ctx); err != nil {
		return err
	}
	if t.ended, err = t.ann.logIn(ctx); err != nil {
		return err
	}
	return t.ended.call(ctx, http.MethodPost, "/logout", nil, nil)
}

// useKeys demands that the keys work. It also has their use written down, which is not done again for an hour.
func (t *team) useKeys(ctx context.Context) error {
	for _, key := range []string{t.made, t.old, t.replaced, t.off} {
		if _, err := t.visitor.as(key).list(ctx, "/users"); err != nil {
			return err
		}
	}
	return nil
}

func (t *team) deleteApp(ctx context.Context) error {
	if err := t.ann.call(ctx, http.MethodDelete, "/apps/"+t.deleted, nil, nil); err != nil {
		return err
	}
	return t.visitor.as(t.off).refused(ctx, http.MethodGet, "/users", nil, http.StatusForbidden, "app_deleted")
}

// testify asks for everything that the sessions of before the loss list.
func (t *team) testify(ctx context.Context) (witness, error) {
	said := witness{}
	for who, by := range map[string]client{"ann": t.ann.client, "bob": t.bob.client} {
		for _, path := range []string{"/apps", "/account/members", "/keys"} {
			items, err := by.in(t.app).list(ctx, path)
			if err != nil {
				return nil, err
			}
			said[who+" "+path] = items
		}
		for _, path := range []string{"/account", "/account/invitations", "/sessions", "/apps/" + t.deleted} {
			var whole json.RawMessage
			if err := by.call(ctx, http.MethodGet, path, nil, &whole); err != nil {
				return nil, err
			}
			said[who+" "+path] = []string{string(whole)}
		}
	}
	return said, nil
}

// moveTo has everybody work with the platform at another address.
func (t *team) moveTo(base string) {
	for _, c := range []*client{&t.visitor, &t.ann.client, &t.bob.client, &t.ended} {
		c.base = base
	}
}

// goesOn demands that what was under way before the loss goes on behind it.
func (t *team) goesOn(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.spent, t.logInAgain, t.accept, t.restoreApp, t.useKeys} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("team: %w", err)
		}
	}
	return nil
}

// spent demands that what was ended or used stays so.
func (t *team) spent(ctx context.Context) error {
	if err := t.ended.refused(ctx, http.MethodGet, "/account", nil, http.StatusUnauthorized, "session_invalid"); err != nil {
		return fmt.Errorf("an ended session: %w", err)
	}
	if err := t.visitor.refused(ctx, http.MethodPost, "/invitations/accept", fields{"token": t.used}, http.StatusGone, "link_invalid"); err != nil {
		return fmt.Errorf("a used link: %w", err)
	}
	again := fields{"email": t.ann.email, "password": password}
	if err := t.visitor.refused(ctx, http.MethodPost, "/login", again, http.StatusUnauthorized, "second_factor_required"); err != nil {
		return fmt.Errorf("a login without the second factor: %w", err)
	}
	again["code"] = t.ann.codes.code
	if err := t.visitor.refused(ctx, http.MethodPost, "/login", again, http.StatusUnauthorized, "second_factor_wrong"); err != nil {
		return fmt.Errorf("a used code: %w", err)
	}
	return nil
}

// logInAgain demands that the passwords and the second factor are those of before.
func (t *team) logInAgain(ctx context.Context) error {
	for _, who := range []*developer{t.ann, t.bob} {
		session, err := who.logIn(ctx)
		if err != nil {
			return err
		}
		if err := session.call(ctx, http.MethodGet, "/account", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// accept has somebody join by a link of before the loss.
func (t *team) accept(ctx context.Context) error {
	if err := t.visitor.call(ctx, http.MethodPost, "/invitations/accept", fields{"token": t.open, "password": password}, nil); err != nil {
		return err
	}
	_, err := (&developer{client: t.visitor, email: invited}).logIn(ctx)
	return err
}

// restoreApp demands that the deleted app is refused and comes back, and that the account counts on.
func (t *team) restoreApp(ctx context.Context) error {
	if err := t.visitor.as(t.off).refused(ctx, http.MethodGet, "/users", nil, http.StatusForbidden, "app_deleted"); err != nil {
		return err
	}
	if err := t.ann.call(ctx, http.MethodPost, "/apps/"+t.deleted+"/restore", nil, nil); err != nil {
		return err
	}
	return t.ann.call(ctx, http.MethodPost, "/apps", fields{"name": "after the loss"}, nil)
}
