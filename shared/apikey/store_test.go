package apikey_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
)

func TestMemoryStore(t *testing.T) {
	store := apikeytest.NewStore()
	apikeytest.Run(t, apikeytest.World{Store: store, Logs: store.Logs, DeleteApp: store.DeleteApp, SetPolicy: store.SetPolicy,
		Decide: store.Decide})
}
