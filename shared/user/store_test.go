package user_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/user/usertest"
)

func TestMemoryStore(t *testing.T) { usertest.Run(t, usertest.NewStore()) }
