package userimport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Later sends jobs. A queue.Queue does.
type Later interface {
	// Send sends a job that is done after the delay.
	Send(ctx context.Context, job any, delay time.Duration) error
}

// Job asks for the work on an import.
type Job struct {
	App    string    `json:"app"`
	Import id.Import `json:"import"`
}

// Service begins imports and shows them.
type Service struct {
	Store Store
	Later Later
	Clock clock.Clock
	IDs   id.Source
}

// Begin begins an import of the rows. With an idempotency key ("" for none) a repeated request finds the import of the first, and
// does what that may have left undone; with other rows, or once the import is over, it is fault.IdempotencyConflict.
//
// A request that dies has registered nobody, unless it is repeated: the job is sent when all rows are there.
func (s *Service) Begin(ctx context.Context, app id.App, rows []Row, idempotencyKey string) (Import, error) {
	text, err := json.Marshal(rows)
	if err != nil {
		return Import{}, fmt.Errorf("digest an import: %w", err)
	}
	begun := Import{ID: s.IDs.Import(), App: app, Digest: id.Hash(string(text)), Total: len(rows), CreatedAt: s.Clock.Now()}
	if idempotencyKey != "" {
		begun.ID = id.DeriveImport(app, idempotencyKey)
	}
	standing, err := s.Store.Begin(ctx, begun)
	switch {
	case err != nil:
		return Import{}, err
	case standing.Digest != begun.Digest, standing.Over(s.Clock.Now()):
		return Import{}, fault.New(fault.IdempotencyConflict)
	case !standing.FinishedAt.IsZero():
		return standing, nil
	}
	if err := s.Store.Add(ctx, standing, rows); err != nil {
		return Import{}, err
	}
	return standing, s.Later.Send(ctx, Job{App: app.String(), Import: standing.ID}, 0)
}

// Find returns the import, or fault.ImportNotFound.
func (s *Service) Find(ctx context.Context, app id.App, job id.Import) (Import, error) {
	if !id.IsImport(string(job)) {
		return Import{}, fault.New(fault.ImportNotFound)
	}
	found, err := s.Store.Get(ctx, app, job)
	if errors.Is(err, ErrNotFound) || err == nil && found.Over(s.Clock.Now()) {
		return Import{}, fault.New(fault.ImportNotFound)
	}
	return found, err
}
