package app_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/app/apptest"
)

func TestMemoryStore(t *testing.T) { apptest.Run(t, apptest.NewStore()) }
