// Package groupdb keeps groups in DynamoDB.
//
// A group is three items: G, its profile; N, the counter of its log, which each message writes and which is kept small for
// that; and R, the roster, which each message reads. A user's membership is the user's row of the conversation.
package groupdb

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements group.Store and message.Groups. Key of Groups: app#group / G, N or R.
type Store struct {
	DB *dynamodb.Client
	// Groups, Conversations and Messages are the physical names of the tables.
	Groups, Conversations, Messages string
}

var (
	_ group.Store    = (*Store)(nil)
	_ message.Groups = (*Store)(nil)
)

// FromEnvironment returns the store on the tables that the environment names.
func FromEnvironment(db *dynamodb.Client) *Store {
	return &Store{DB: db, Groups: table.Name("GROUPS"), Conversations: table.Name("CONVERSATIONS"), Messages: table.Name("MESSAGES")}
}

// The sort keys of a group's items.
const (
	profileItem = "G"
	counterItem = "N"
	rosterItem  = "R"
)

// absent is the condition that no row stands under the key.
const absent = "attribute_not_exists(pk)"

func groupKey(app id.App, of id.Group) string { return app.String() + "#" + string(of) }

func (s *Store) key(app id.App, of id.Group, item string) table.Item {
	return table.Key(groupKey(app, of), item)
}

func rowKey(app id.App, user id.User, of id.Group) table.Item {
	return messagedb.MemberKey(app, user, id.Conversation(of))
}

// Create implements group.Store with one transaction: the profile, the counter, the roster, the owner's row and the entry.
func (s *Store) Create(ctx context.Context, made group.Group, entry message.Entry) (group.Group, error) {
	key := groupKey(made.App, made.ID)
	owner := ownerOf(made)
	var standing profileRow
	work := &table.Transaction{DB: s.DB, Doing: "create a group"}
	work.Put(s.Groups, profileOf(made), absent, group.ErrExists)
	work.Standing(&standing)
	work.Put(s.Groups, counterRow{Key: key, Item: counterItem, Sequence: entry.Sequence, Admins: made.Speak == group.Admins,
		Hushed: made.MutedAll}, "", nil)
	work.Put(s.Groups, rosterRow{Key: key, Item: rosterItem, Members: map[string]string{string(owner.User): seatText(owner.Seat)}}, "", nil)
	work.Update(s.rowUpdate(group.Move{Was: group.Member{App: made.App, Group: made.ID, User: owner.User}, Is: owner}, entry, made.Reach), group.ErrExists)
	work.Put(s.Messages, messagedb.EntryRow(entry), absent, group.ErrExists)
	err := work.Run(ctx)
	if errors.Is(err, group.ErrExists) {
		return standing.group(made.App), err
	}
	return made, err
}

// Read implements group.Store in one round trip.
func (s *Store) Read(ctx context.Context, app id.App, of id.Group, users ...id.User) (group.Group, map[id.User]group.Member, error) {
	rows := map[id.User]group.Member{}
	asked := table.Read{Table: s.Conversations, Strong: true}
	for _, user := range users {
		if _, twice := rows[user]; !twice {
			rows[user] = group.Member{App: app, Group: of, User: user}
			asked.Keys = append(asked.Keys, rowKey(app, user, of))
		}
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Groups, Keys: []table.Item{s.key(app, of, profileItem)}, Strong: true}, asked)
	if err != nil {
		return group.Group{}, nil, err
	}
	if len(found[s.Groups]) == 0 {
		return group.Group{}, nil, group.ErrNotFound
	}
	for _, item := range found[s.Conversations] {
		member, err := decodeMember(app, item)
		if err != nil {
			return group.Group{}, nil, err
		}
		rows[member.User] = member
	}
	profile, err := decodeGroup(app, found[s.Groups][0])
	return profile, rows, err
}

// Profiles implements group.Store.
func (s *Store) Profiles(ctx context.Context, app id.App, groups []id.Group) (map[id.Group]group.Group, error) {
	profiles := map[id.Group]group.Group{}
	asked := table.Read{Table: s.Groups, Strong: true}
	for _, each := range groups {
		asked.Keys = append(asked.Keys, s.key(app, each, profileItem))
	}
	found, err := table.BatchGet(ctx, s.DB, asked)
	if err != nil {
		return nil, err
	}
	for _, item := range found[s.Groups] {
		profile, err := decodeGroup(app, item)
		if err != nil {
			return nil, err
		}
		profiles[profile.ID] = profile
	}
	return profiles, nil
}

// Roster implements message.Groups.
func (s *Store) Roster(ctx context.Context, app id.App, of id.Group) (message.Roster, error) {
	var row rosterRow
	found, err := table.Get(ctx, s.DB, s.Groups, s.key(app, of, rosterItem), true, &row)
	if err != nil {
		return message.Roster{}, err
	}
	if !found {
		return message.Roster{}, message.ErrNoGroup
	}
	roster := message.Roster{Members: make(map[id.User]message.Seat, len(row.Members)), Reach: message.Reach(row.Reach)}
	for user, text := range row.Members {
		if roster.Members[id.User(user)], err = parseSeat(text); err != nil {
			return message.Roster{}, err
		}
	}
	return roster, nil
}

// Take implements message.Groups.
func (s *Store) Take(ctx context.Context, app id.App, of id.Group, speaker message.Speaker) (message.Number, error) {
	update := table.Update{Table: s.Groups, Key: s.key(app, of, counterItem), Set: "SET seq = seq + :one",
		If: "attribute_exists(pk)", Values: table.Item{":one": table.N(1)}}
	if speaker.Counts() {
		update.Set += ", ord = ord + :one"
	}
	if speaker.Dismissible() {
		update.If += " AND attribute_not_exists(closed)"
	}
	if speaker.Speaks() {
		update.If += " AND attribute_not_exists(admins)"
	}
	if speaker.Muted() {
		update.If += " AND attribute_not_exists(hushed)"
	}
	var row counterRow
	err := update.Run(ctx, s.DB, &row)
	if !errors.Is(err, table.ErrCondition) {
		return message.Number{Sequence: row.Sequence, Ordinal: row.Ordinal, Reach: message.Reach(row.Reach)}, err
	}
	switch {
	case row.Key == "":
		return message.Number{}, message.ErrNoGroup
	case row.Closed:
		return message.Number{}, message.ErrDismissed
	case row.Hushed:
		return message.Number{}, message.ErrHushed
	}
	return message.Number{}, message.ErrAdminsOnly
}

// userOf returns the user whose row has the partition key.
func userOf(app id.App, key string) id.User {
	return id.User(strings.TrimPrefix(key, app.String()+"#"))
}
