package api

import (
	"context"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/record"
)

// reading is what the record of a read tells.
type reading struct {
	Operation string `json:"operation"`
	Target    string `json:"target,omitempty"`
}

// record writes down that a developer, or a user who reaches beyond its own data, reads what the operation shows. It comes
// before the answer: without the record nothing is shown. Where the path names what is shown otherwise than by its ID, the record
// comes once that is known.
func (a *API) record(ctx context.Context, operation Operation, in admitted) error {
	entry, _ := authz.Lookup(operation.Permission)
	caller := in.caller
	if !operation.Recorded || caller.Developer == "" && !(caller.EndUser && entry.Beyond) {
		return nil
	}
	log := record.OfApp(caller.App)
	if !entry.InApp() {
		log = record.OfAccount(caller.Account)
	}
	read := record.New(log, caller.At, record.By(caller, ""), record.DataRead, string(caller.User), nil,
		reading{Operation: operation.ID, Target: in.target})
	return a.recorder.Append(ctx, read.About(string(operation.Permission)))
}
