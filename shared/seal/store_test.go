package seal_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/seal/sealtest"
)

func TestMemoryStore(t *testing.T) { sealtest.Run(t, sealtest.NewStore()) }
