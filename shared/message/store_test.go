package message_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/message/messagetest"
)

func TestMemoryLog(t *testing.T)     { messagetest.RunLog(t, messagetest.NewLog()) }
func TestMemoryClaims(t *testing.T)  { messagetest.RunClaims(t, messagetest.NewClaims()) }
func TestMemoryMembers(t *testing.T) { messagetest.RunMembers(t, messagetest.NewMembers()) }
