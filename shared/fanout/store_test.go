package fanout_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
)

func TestMemoryStore(t *testing.T) {
	store := fanouttest.NewStore()
	fanouttest.Run(t, store, store)
}
