package apikey

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// cutPauses are the pauses before the sockets of a revoked key are cut again. The index that finds them lags behind their
// rows, as a rule by less than a second and without a bound: what opened just before the revocation may be missing from
// the first cut.
var cutPauses = []time.Duration{2 * time.Second, 3 * time.Second}

// Revocation is the job of the function that cuts the sockets of a key again: all of them where the key was revoked, those
// that opened before a change of the app's roles where that took from somebody what a socket stands on.
type Revocation struct {
	App string `json:"app"`
	Key id.Key `json:"key"`
	// Before is a time in milliseconds since 1970; 0 for all sockets.
	Before int64 `json:"before,omitempty"`
}

// NewRevocation returns the job for the key; before is zero for all its sockets.
func NewRevocation(app id.App, key id.Key, before time.Time) Revocation {
	job := Revocation{App: app.String(), Key: key}
	if !before.IsZero() {
		job.Before = before.UnixMilli()
	}
	return job
}

func (r Revocation) before() time.Time {
	if r.Before == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.Before)
}

// OpenedSockets cuts the live connections of a key's tokens by when they opened. connection.Service does.
type OpenedSockets interface {
	// CutOpened closes those of the key's sockets that opened before the time; all of them for zero.
	CutOpened(ctx context.Context, app id.App, key id.Key, before time.Time) error
}

// Cutter does the job of a Revocation.
type Cutter struct{ Sockets OpenedSockets }

// Cut cuts the sockets of the key's tokens, each time after a pause. The last cut counts: its error makes Lambda run the
// job again.
func (c *Cutter) Cut(ctx context.Context, job Revocation) error {
	var failed error
	for _, pause := range cutPauses {
		if failed != nil {
			slog.WarnContext(ctx, "sockets not cut, trying again", "key", job.Key, "error", failed)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait to cut sockets again: %w", ctx.Err())
		case <-time.After(pause):
		}
		failed = c.Sockets.CutOpened(ctx, id.StoredApp(job.App), job.Key, job.before())
	}
	return failed
}
