package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
)

// The kinds of tasks that keys leave for later. The subject of each is the key's ID.
const (
	// TaskExpiring calls Warnings.Expiring.
	TaskExpiring = "key_expiring"
	// TaskRotated calls Warnings.Rotated.
	TaskRotated = "key_rotated"
)

// The kinds of notices, named as their mails.
const (
	// NoticeExpiring tells that a key stops working soon.
	NoticeExpiring = "key_expiring"
	// NoticeUsedAfterRotation tells that a key is in use which was replaced.
	NoticeUsedAfterRotation = "key_used_after_rotation"
)

const (
	// expiringFirst and expiringLast are how long before a key's end its owners are warned.
	expiringFirst = 7 * 24 * time.Hour
	expiringLast  = 24 * time.Hour

	// rotatedFirst is how long after a rotation it is asked first whether the old key is in use, rotatedEvery how often after
	// that, and so how often at most a mail is sent.
	rotatedFirst = time.Hour
	rotatedEvery = 24 * time.Hour

	// settle is how long after a request its tasks are due at the earliest: no request lives so long, so the task finds what
	// the request has written, or it never will be.
	settle = time.Minute
)

// Tasks keeps work for later.
type Tasks interface {
	// Add has the task of that kind done soon after the time. Adding the same again changes nothing.
	Add(ctx context.Context, kind string, due time.Time, app id.App, subject string) error
}

// Mailer tells people about their keys.
type Mailer interface {
	// KeyNotice mails a notice about the key to those who answer for the app.
	KeyNotice(ctx context.Context, app id.App, kind string, key Key) error
}

// addExpiring adds the tasks that warn of the end of a new key: those that are still to come.
func (s *Service) addExpiring(ctx context.Context, made Key) error {
	if made.ExpiresAt.IsZero() {
		return nil
	}
	for _, before := range []time.Duration{expiringFirst, expiringLast} {
		due := made.ExpiresAt.Add(-before)
		if !due.After(made.CreatedAt) {
			continue
		}
		due = latest(due, made.CreatedAt.Add(settle))
		if err := s.Tasks.Add(ctx, TaskExpiring, due, made.App, string(made.ID)); err != nil {
			return fmt.Errorf("add the warning of a key's end: %w", err)
		}
	}
	return nil
}

// addRotated adds the task that looks whether a replaced key is in use, if it lives on.
func (s *Service) addRotated(ctx context.Context, replaced Key) error {
	if !replaced.RevokedAt.IsZero() {
		return nil
	}
	due, _ := replaced.nextCheck(replaced.RotatedAt)
	due = latest(due, replaced.RotatedAt.Add(settle))
	if err := s.Tasks.Add(ctx, TaskRotated, due, replaced.App, string(replaced.ID)); err != nil {
		return fmt.Errorf("add the check of a replaced key: %w", err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// lastCheck returns when it was asked last, up to the time, whether a replaced key was in use: the time of the rotation
// where it has not been asked yet. The times follow from the rotation, so that a repeated check plans the same next one.
func (k Key) lastCheck(upTo time.Time) time.Time {
	first := k.RotatedAt.Add(rotatedFirst)
	if upTo.Before(first) {
		return k.RotatedAt
	}
	return first.Add(upTo.Sub(first) / rotatedEvery * rotatedEvery)
}

// nextCheck returns when it is asked next after the time, at last at the key's end; ok is false after that.
func (k Key) nextCheck(after time.Time) (due time.Time, ok bool) {
	due = k.RotatedAt.Add(rotatedFirst)
	if !after.Before(due) {
		due = k.lastCheck(after).Add(rotatedEvery)
	}
	return earliest(due, k.ExpiresAt), after.Before(k.ExpiresAt)
}

// Warnings decides, when its task is due, whether a warning is.
type Warnings struct {
	Store  Store
	Tasks  Tasks
	Mailer Mailer
	Clock  clock.Clock
}

// Expiring warns of a key's end. There is nothing to warn of where the key does not exist, has ended already, was replaced,
// or ends later than the task that this is knew.
func (w *Warnings) Expiring(ctx context.Context, app id.App, keyID id.Key) error {
	key, err := w.Store.Get(ctx, app, keyID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the key that expires: %w", err)
	}
	now := w.Clock.Now()
	if key.ExpiresAt.IsZero() || key.ExpiresAt.Sub(now) > expiringFirst || key.rotatable(now) != nil {
		return nil
	}
	return w.Mailer.KeyNotice(ctx, app, NoticeExpiring, key)
}

// Rotated warns that a replaced key is in use, and plans the next check, until the key's end. A key that was revoked, or
// whose app was, is no longer anybody's trouble.
func (w *Warnings) Rotated(ctx context.Context, app id.App, keyID id.Key) error {
	key, err := w.Store.Get(ctx, app, keyID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the replaced key: %w", err)
	}
	if key.RotatedTo == "" || !key.RevokedAt.IsZero() || key.Suspended {
		return nil
	}
	now := w.Clock.Now()
	if due, ok := key.nextCheck(now); ok {
		if err := w.Tasks.Add(ctx, TaskRotated, due, app, string(keyID)); err != nil {
			return fmt.Errorf("plan the next check of a replaced key: %w", err)
		}
	}
	if !key.usedSinceCheck(now) {
		return nil
	}
	return w.Mailer.KeyNotice(ctx, app, NoticeUsedAfterRotation, key)
}

// usedSinceCheck tells whether a replaced key was used since the check before this one: one that has fallen silent is no
// news.
func (k Key) usedSinceCheck(now time.Time) bool {
	this := k.ExpiresAt
	if now.Before(this) {
		this = k.lastCheck(now)
	}
	return k.UsedAt.After(k.lastCheck(this.Add(-1)))
}
