package presence_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/presence/presencetest"
)

func TestMemoryStore(t *testing.T) {
	store := connectiontest.NewStore()
	presencetest.Run(t, presencetest.Suite{Store: store, Register: store.Register})
}
