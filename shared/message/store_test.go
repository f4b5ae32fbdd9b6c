package message_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestMemoryLog(t *testing.T)     { messagetest.RunLog(t, messagetest.NewLog()) }
func TestMemoryClaims(t *testing.T)  { messagetest.RunClaims(t, messagetest.NewClaims()) }
func TestMemoryMembers(t *testing.T) { messagetest.RunMembers(t, messagetest.NewMembers()) }

func TestMemoryOperations(t *testing.T) {
	log := messagetest.NewLog()
	messagetest.RunOperations(t, log, messagetest.NewOperations(log))
}

func TestMemoryRemovals(t *testing.T) {
	log, members := messagetest.NewLog(), messagetest.NewMembers()
	messagetest.RunRemovals(t, messagetest.NewRemovals(storetest.Staleness{}, log, members), log, members)
}
