package userimport

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/user"
)

// ErrNotFound says that the app has no such import, or that it has no such row.
var ErrNotFound = errors.New("userimport: not found")

// Store keeps imports. Every method sees only the import's own app. Reads are strong.
type Store interface {
	// Begin stores the import, without rows, unless one of the ID stands: it returns the one that stands after it.
	Begin(ctx context.Context, begun Import) (standing Import, err error)
	// Add stores rows of the import. Rows that it has already stay as they are.
	Add(ctx context.Context, to Import, rows []Row) error
	// Get returns the import, or ErrNotFound.
	Get(ctx context.Context, app id.App, job id.Import) (Import, error)
	// Rows returns up to limit rows, at most 100, in their order, those after the number; 0 begins.
	Rows(ctx context.Context, of Import, after, limit int) ([]Row, error)
	// Register makes the user of the row and decides the row with it, all or nothing. It returns the outcome that stands: another's
	// where the row was decided before. The errors: ErrNotFound where there is no such row; and where the row stays undecided,
	// user.ErrNameTaken or user.ErrExists, as user.Store.Create has them.
	Register(ctx context.Context, of Import, row Row, made user.User) (Outcome, error)
	// Decide decides the row, and returns the outcome that stands as Register does.
	Decide(ctx context.Context, of Import, number int, outcome Outcome) (Outcome, error)
	// Count sets what is counted, and FinishedAt, unless as much or more is counted already, or there is no such import.
	Count(ctx context.Context, counted Import) error
}
