package wire

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task"
)

// AccessKeys is what package access asks of keys. background may be nil where sockets are cut long after they opened.
func AccessKeys(db *dynamodb.Client, background apikey.Background) access.Keys {
	store := &apikeydb.Store{DB: db, Table: table.Name("KEYS"), Records: recorddb.WriterFromEnvironment(db)}
	return accessKeys{&apikey.Service{Store: store, Background: background, Clock: clock.System{}}}
}

type accessKeys struct{ service *apikey.Service }

// IDs implements access.Keys.
func (k accessKeys) IDs(ctx context.Context, of id.App, after id.Key, limit int) ([]id.Key, error) {
	return appdb.Keys{Store: k.service.Store}.IDs(ctx, of, after, limit)
}

// Narrow implements access.Keys.
func (k accessKeys) Narrow(ctx context.Context, of id.App, key id.Key, scopes []string, origin record.Origin) error {
	_, err := k.service.Narrow(ctx, of, key, scopes, origin)
	return err
}

// CutLater implements access.Keys.
func (k accessKeys) CutLater(ctx context.Context, of id.App, key id.Key, before time.Time) error {
	if k.service.Background == nil {
		return nil
	}
	return k.service.Background.Enqueue(ctx, apikey.NewRevocation(of, key, before))
}

// AlignPolicies returns the handler of task.PolicyAlign.
func AlignPolicies(db *dynamodb.Client) task.Handler {
	service := &access.Service{Store: accessdb.FromEnvironment(db), Sockets: Sockets(db), Keys: AccessKeys(db, nil), Clock: clock.System{}}
	return service.AlignTask
}

// AccessGroups tells of groups and of who is in them.
func AccessGroups(db *dynamodb.Client) access.Groups {
	return accessGroups{&groupdb.Store{DB: db, Groups: table.Name("GROUPS"), Conversations: table.Name("CONVERSATIONS")}}
}

type accessGroups struct{ store *groupdb.Store }

// Role implements access.Groups.
func (g accessGroups) Role(ctx context.Context, of id.App, groupID id.Group, userID id.User) (authz.Role, error) {
	var users []id.User
	if userID != "" {
		users = append(users, userID)
	}
	_, rows, err := g.store.Read(ctx, of, groupID, users...)
	if errors.Is(err, group.ErrNotFound) {
		return "", access.ErrNotFound
	}
	return rows[userID].Role, err
}

// AccessMembers tells of the members of the accounts that apps belong to.
func AccessMembers(db *dynamodb.Client) access.Members {
	return accessMembers{&appdb.Store{DB: db, Table: table.Name("KEYS")}, developers(db).Sessions}
}

type accessMembers struct {
	apps     app.Store
	sessions authn.Sessions
}

// Standing implements access.Members. Since when is not asked: it would take one read more.
func (m accessMembers) Standing(ctx context.Context, of id.App, developer id.Developer) (authz.Role, time.Time, bool, error) {
	found, err := m.apps.Current(ctx, of)
	if errors.Is(err, app.ErrNotFound) || err == nil && found.Account == "" {
		return "", time.Time{}, false, nil
	}
	if err != nil {
		return "", time.Time{}, false, err
	}
	role, _, err := m.sessions.Standing(ctx, found.Account, developer, "")
	return role, time.Time{}, role != "", err
}
