package userdb

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
)

// shown is what a user shows of itself.
type shown struct {
	Key    string `dynamodbav:"pk"`
	User   string `dynamodbav:"user"`
	Name   string `dynamodbav:"shown_name,omitempty"` // not "name", by which the directory lists
	Avatar string `dynamodbav:"avatar,omitempty"`
	Custom string `dynamodbav:"custom,omitempty"`
}

// profileKey is where a user's profile stands.
func profileKey(app id.App, user id.User) string {
	return app.String() + "#" + string(user) + "#profile"
}

// shownRow is the row of what the user shows.
func shownRow(of user.User, shows profile.Profile) shown {
	return shown{Key: profileKey(of.App, of.ID), User: string(of.ID), Name: shows.Name, Avatar: shows.Avatar, Custom: shows.Custom}
}

// ProfileKey returns the key of a user's profile.
func ProfileKey(app id.App, user id.User) table.Item { return table.Key(profileKey(app, user)) }

// Profiles implements user.Store.
func (s *Store) Profiles(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]profile.Profile, error) {
	keys := make([]table.Item, len(users))
	for i, each := range users {
		keys[i] = ProfileKey(app, each)
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: keys, Strong: strong})
	if err != nil {
		return nil, err
	}
	profiles := map[id.User]profile.Profile{}
	for _, item := range found[s.Table] {
		var row shown
		if err := table.Decode(item, &row); err != nil {
			return nil, err
		}
		profiles[id.User(row.User)] = profile.Profile{Name: row.Name, Avatar: row.Avatar, Custom: row.Custom}
	}
	return profiles, nil
}

// Change implements user.Store with one transaction: the record, the profile, and the claims to both names.
func (s *Store) Change(ctx context.Context, change user.Change) error {
	was := change.Was
	work := &table.Transaction{DB: s.DB, Doing: "change a user"}
	update := table.Update{Table: s.Table, Key: ItemKey(was.App, was.ID), Set: "SET username = :name, version = :next",
		If:     "attribute_exists(pk) AND version = :version",
		Values: table.Item{":name": table.S(change.Username), ":next": table.N(was.Version + 1), ":version": table.N(was.Version)}}
	if was.Version == 0 {
		update.If = "attribute_exists(pk) AND attribute_not_exists(version)"
		delete(update.Values, ":version")
	}
	work.Update(update, user.ErrChanged)
	work.Put(s.Table, shownRow(was, change.Profile), "", nil)
	if change.From != change.To {
		work.Put(s.Table, claim{Key: nameKey(was.App, change.To), User: string(was.ID), Shard: shard(was.App, was.ID),
			Name: change.To}, absent, user.ErrNameTaken)
		work.Remove(table.Update{Table: s.Table, Key: table.Key(nameKey(was.App, change.From)), If: "#user = :user",
			Names: map[string]string{"#user": "user"}, Values: table.Item{":user": table.S(string(was.ID))}}, user.ErrChanged)
	}
	return work.Run(ctx)
}

// errSo says that the user is active, or not, already.
var errSo = errors.New("userdb: so already")

// SetActive implements user.Store.
func (s *Store) SetActive(ctx context.Context, app id.App, userID id.User, active bool, at time.Time, changed record.Record) (user.User, error) {
	var standing row
	work := &table.Transaction{DB: s.DB, Doing: "change whether a user is active"}
	update := table.Update{Table: s.Table, Key: ItemKey(app, userID), Set: "SET deactivated_at = :at, epoch = epoch + :one",
		If: "attribute_exists(pk) AND attribute_not_exists(deactivated_at)", Values: table.Item{":at": table.N(table.Millis(at)), ":one": table.N(1)}}
	if active {
		update.Set, update.If, update.Values = "REMOVE deactivated_at", "attribute_exists(deactivated_at)", nil
	}
	work.Update(update, errSo)
	work.Standing(&standing)
	switch err := s.Records.Run(ctx, work, changed); {
	case err == nil:
		return s.Get(ctx, app, userID, true)
	case !errors.Is(err, errSo):
		return user.User{}, err
	case standing.User == "":
		return user.User{}, user.ErrNotFound
	}
	return standing.user(), nil
}
