package user_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/user/usertest"
)

func TestMemoryStore(t *testing.T) {
	store := usertest.NewStore()
	usertest.Run(t, store)
	usertest.RunRecorded(t, store, store.Logs)
}
