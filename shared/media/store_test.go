package media_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestMemoryStore(t *testing.T) { mediatest.Run(t, mediatest.NewStore(storetest.Staleness{})) }
