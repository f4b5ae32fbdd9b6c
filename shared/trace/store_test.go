package trace_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/trace/tracetest"
)

func TestStoreInMemory(t *testing.T) { tracetest.Run(t, tracetest.NewStore()) }
