// Package app has the apps of an account: each is one isolated tenant.
//
// An app is deleted in two steps. DELETE marks it, suspends its keys and cuts their sockets; within the grace period it
// can be restored. After that package erase removes everything that it had and leaves a tombstone.
package app

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/name"
)

const (
	// MaxApps is how many apps an account may have; deleted ones count until they are erased.
	MaxApps = 100
	// defaultGrace is how many days a deleted app can be restored where the environment does not say.
	defaultGrace = 7
	// mostGrace bounds that: whoever deletes personal data shall not keep it for longer than a month (GDPR, article 12).
	mostGrace = 30
)

// App is a tenant.
type App struct {
	// ID names it; every key of every table begins with it.
	ID id.App
	// Account owns it; "" for the first app of a laptop or a stack, which belongs to whoever has its key.
	Account id.Account
	// Settings are what its developers may change.
	Settings
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// DeletedAt is when it was deleted, EraseAt from when on it may be erased; zero where it is not deleted.
	DeletedAt, EraseAt time.Time
	// ErasedAt is when it was erased: then nothing is left but this record, without its settings; zero for not.
	ErasedAt time.Time
	// Request is a hash of the settings that it was made with: it tells a repeated creation from another one.
	Request string
}

// Settings are what developers may change of an app.
type Settings struct {
	// Name is for people.
	Name string
	// Origins lists the web origins whose pages may open sockets, such as "https://chat.example.com". A port of "*"
	// stands for any port.
	Origins []string
	// SilentBlocks accepts what a blocked user sends to who blocked it, and shows it to the sender alone; otherwise the sender
	// is told.
	SilentBlocks bool
	// EditWindow and RecallWindow are for how many seconds after it was sent a user can edit and recall a message of its own,
	// none for 0; nil for as long as package message says.
	EditWindow, RecallWindow *int64
}

// Change is what shall become of settings; nil leaves as it is.
type Change struct {
	Name *string
	// Origins may be empty, for none.
	Origins []string
	// SilentBlocks, EditWindow and RecallWindow are the settings of those names.
	SilentBlocks             *bool
	EditWindow, RecallWindow *int64
}

// of returns the settings after the change.
func (c Change) of(settings Settings) Settings {
	if c.Name != nil {
		settings.Name = *c.Name
	}
	if c.Origins != nil {
		settings.Origins = c.Origins
	}
	if c.SilentBlocks != nil {
		settings.SilentBlocks = *c.SilentBlocks
	}
	settings.EditWindow = cmp.Or(c.EditWindow, settings.EditWindow)
	settings.RecallWindow = cmp.Or(c.RecallWindow, settings.RecallWindow)
	return settings
}

// Deleted tells whether the app has been deleted, and perhaps erased.
func (a App) Deleted() bool { return !a.DeletedAt.IsZero() }

// AllowsOrigin tells whether a page of the origin may open a socket. A browser always names the origin, so a page of
// someone else's cannot use a ticket that it got hold of; programs that are no browser name none and are not asked.
func (a App) AllowsOrigin(origin string) bool {
	return slices.ContainsFunc(a.Origins, func(allowed string) bool {
		return origin == allowed || sameButPort(origin, allowed)
	})
}

// sameButPort tells whether allowed has the port "*" and origin differs from it in the port only.
func sameButPort(origin, allowed string) bool {
	prefix, anyPort := strings.CutSuffix(allowed, ":*")
	if !anyPort {
		return false
	}
	parsed, err := url.Parse(origin)
	return err == nil && origin == parsed.Scheme+"://"+parsed.Host && parsed.Scheme+"://"+parsed.Hostname() == prefix
}

// checked returns the settings as they are kept, or what is wrong with each field.
func (s Settings) checked() (Settings, error) {
	var wrong []fault.Field
	if !name.Plain(s.Name) {
		wrong = append(wrong, fault.Wrong("name", fault.NotPlain))
	}
	origins := []string{}
	for i, text := range s.Origins {
		origin, ok := parseOrigin(text)
		switch {
		case !ok:
			name := fmt.Sprintf("allowed_origins[%d]", i)
			wrong = append(wrong, fault.Field{Name: name, Code: fault.OriginInvalid, Args: []any{name}})
		case !slices.Contains(origins, origin):
			origins = append(origins, origin)
		}
	}
	if len(wrong) > 0 {
		return Settings{}, fault.Invalid(wrong...)
	}
	s.Origins = origins
	return s, nil
}

// Same tells whether they are the same settings.
func (s Settings) Same(other Settings) bool {
	return s.Name == other.Name && slices.Equal(s.Origins, other.Origins) && s.SilentBlocks == other.SilentBlocks &&
		equal(s.EditWindow, other.EditWindow) && equal(s.RecallWindow, other.RecallWindow)
}

func equal(one, other *int64) bool {
	return one == other || one != nil && other != nil && *one == *other
}

// fingerprint is the App.Request of settings.
func (s Settings) fingerprint() string { return id.Hash(append([]string{s.Name}, s.Origins...)...) }

// Grace returns how long a deleted app can be restored, from APP_GRACE_DAYS: 1 to 30 days, 7 for "". Another text is a
// defect of the template.
func Grace(days string) time.Duration {
	count := defaultGrace
	if days != "" {
		parsed, err := strconv.Atoi(days)
		if err != nil || parsed < 1 || parsed > mostGrace {
			panic("app: APP_GRACE_DAYS is " + strconv.Quote(days) + ", not 1 to 30")
		}
		count = parsed
	}
	return time.Duration(count) * 24 * time.Hour
}
