package app

import (
	"time"

	"github.com/tokenim/tokenim/shared/record"
)

// What records say of apps.
type (
	recordedSettings struct {
		Name           string   `json:"name"`
		AllowedOrigins []string `json:"allowed_origins"`
		BlockedSenders string   `json:"blocked_senders,omitempty"` // where it is not what an app begins with
		EditWindow     *int64   `json:"edit_window,omitempty"`
		RecallWindow   *int64   `json:"recall_window,omitempty"`
	}

	recordedDeletion struct {
		EraseAt time.Time `json:"erase_at"`
	}
)

func (s Settings) recorded() recordedSettings {
	recorded := recordedSettings{Name: s.Name, AllowedOrigins: s.Origins, EditWindow: s.EditWindow, RecallWindow: s.RecallWindow}
	if s.SilentBlocks {
		recorded.BlockedSenders = acceptSilently
	}
	return recorded
}

// recorded returns a record in the log of the app's account: that of the app itself goes with it.
func (a App) recorded(at time.Time, origin record.Origin, action record.Action, before, after any) record.Record {
	return record.New(record.OfAccount(a.Account), at, origin, action, a.ID.String(), before, after)
}

// RecordErased returns the record that everything which the app had is gone; nobody asked for it at that moment.
func RecordErased(erased App, at time.Time) record.Record {
	return erased.recorded(at, record.Origin{}, record.AppErased, nil, nil)
}
