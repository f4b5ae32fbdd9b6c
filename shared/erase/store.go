package erase

import (
	"context"

	"github.com/tokenim/tokenim/shared/id"
)

// Table names a table by what it has, as the receipt does.
type Table string

// The tables that have rows of apps.
const (
	DataKeys      Table = "data_keys"
	Keys          Table = "keys"
	Users         Table = "users"
	Messages      Table = "messages"
	Conversations Table = "conversations"
	Groups        Table = "groups"
	Media         Table = "media"
	Connections   Table = "connections"
	Grants        Table = "grants"
	Records       Table = "records"
)

// Chains is how many chains an app's records have; package record makes as many.
const Chains = 16

// Shards is how many parts the directory of an app has; package userdb makes as many: 16 of users, 16 of erased ones.
const Shards = 32

// ImportShards is over how many partitions an app's imports of users are spread; package userimportdb makes as many.
const ImportShards = 16

// Part is the rows of a table that belong to one thing in the app.
type Part struct {
	Table Table
	// Of is the conversation of Messages, the group of Groups, the conversation of Conversations, or there the user, with
	// "#deleted" behind it for what it has deleted for itself, the user or the group of Connections, or there "broadcast", or
	// "import#" and the shard in hex, the chain of Records in hex, and "" for DataKeys, Keys, Grants and Media.
	Of string
}

// deletedBy is the part of what the user has deleted for itself; package messagedb writes it.
func deletedBy(user id.User) Part { return Part{Conversations, string(user) + "#deleted"} }

// User is an entry of the directory.
type User struct {
	ID id.User
	// Claim is the key of the row that holds the user's name.
	Claim string
}

// Objects removes what apps have in the bucket.
type Objects interface {
	// DeletePrefix removes a page of the objects whose keys begin so, and tells whether there may be more. It lists strongly.
	DeletePrefix(ctx context.Context, prefix string) (more bool, err error)
}

// Store finds and removes what apps have. Every method sees only the app that it is given.
type Store interface {
	// Clear removes a page of the part's rows, but not the app's own record beside its keys. It returns how many, and
	// whether there may be more. It reads strongly.
	Clear(ctx context.Context, app id.App, part Part) (removed int, more bool, err error)
	// Users returns a page of the users in a shard of the directory, 0 to Shards-1, those after the position; "" begins.
	// next is the position to go on at, "" at the end. It is eventually consistent.
	Users(ctx context.Context, app id.App, shard int, after string) (users []User, next string, err error)
	// Conversations returns a page of the user's conversations, those after the one named; next as in Users. It reads
	// strongly.
	Conversations(ctx context.Context, app id.App, user id.User, after id.Conversation) (page []id.Conversation, next id.Conversation, err error)
	// RemoveConversations removes the user's rows of the conversations and returns how many.
	RemoveConversations(ctx context.Context, app id.App, user id.User, page []id.Conversation) (removed int, err error)
	// RemoveBlocks removes the user's blocks of others and returns how many. It is eventually consistent.
	RemoveBlocks(ctx context.Context, app id.App, user id.User) (removed int, err error)
	// RemoveUsers removes what the users show of themselves, their records and, after all of them, the claims to their names,
	// by which the directory finds them. It returns how many records and claims that were.
	RemoveUsers(ctx context.Context, app id.App, users []User) (removed int, err error)
}
