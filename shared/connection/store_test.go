package connection_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/connection/connectiontest"
)

func TestMemoryStore(t *testing.T) {
	store := connectiontest.NewStore()
	connectiontest.Run(t, connectiontest.Suite{Store: store, Register: store.Register})
}
