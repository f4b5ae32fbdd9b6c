package grouptest_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/group/grouptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
)

func TestStore(t *testing.T) {
	log := messagetest.NewLog()
	store := grouptest.NewStore(log)
	grouptest.Run(t, grouptest.Harness{Store: store, Log: log,
		Row: func(_ *testing.T, app id.App, user id.User, of id.Group) message.Member {
			return store.Row(app, user, of)
		}})
}
