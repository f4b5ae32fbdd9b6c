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

// Revocation is the job of the function that cuts the sockets of a revoked key again.
type Revocation struct {
	App string `json:"app"`
	Key id.Key `json:"key"`
}

// NewRevocation returns the job for the key.
func NewRevocation(app id.App, key id.Key) Revocation { return Revocation{App: app.String(), Key: key} }

// Cutter does the job of a Revocation.
type Cutter struct{ Sockets Sockets }

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
		failed = c.Sockets.CutKey(ctx, id.StoredApp(job.App), job.Key)
	}
	return failed
}
