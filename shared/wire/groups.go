package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Groups returns the service of groups, which pushes what it changes.
func (c *Core) Groups() *group.Service {
	store := groupdb.FromEnvironment(c.DB)
	messages := c.Messages(c.Connections())
	messages.Groups = store
	return &group.Service{Store: store, Log: messages, Users: groupUsers{c.DB, table.Name("USERS")}, Audience: Audience(c.DB), Clock: clock.System{}}
}

// groupUsers implements group.Users with one read of up to 100 users.
type groupUsers struct {
	db    *dynamodb.Client
	table string
}

// Known implements group.Users. The cheap read comes first: only those whom it does not find are looked for strongly.
func (u groupUsers) Known(ctx context.Context, app id.App, users []id.User) (map[id.User]bool, error) {
	active := map[id.User]bool{}
	for _, strong := range []bool{false, true} {
		read := table.Read{Table: u.table, Strong: strong}
		for _, each := range users {
			if _, known := active[each]; !known {
				read.Keys = append(read.Keys, userdb.ItemKey(app, each))
			}
		}
		found, err := table.BatchGet(ctx, u.db, read)
		if err != nil {
			return nil, err
		}
		for _, item := range found[u.table] {
			decoded, err := userdb.Decode(item)
			if err != nil {
				return nil, err
			}
			active[decoded.ID] = !decoded.Deactivated()
		}
	}
	return active, nil
}
