package apikey_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
)

func TestMemoryStore(t *testing.T) { apikeytest.Run(t, apikeytest.NewStore()) }
