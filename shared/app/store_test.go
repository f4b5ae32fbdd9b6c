package app_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/app/apptest"
)

func TestMemoryStore(t *testing.T) {
	store := apptest.NewStore()
	apptest.Run(t, apptest.World{Store: store, Logs: store.Logs})
}
