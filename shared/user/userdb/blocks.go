package userdb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
)

// blockRow is a block. The directory lists it in a partition of the user's own.
type blockRow struct {
	Key       string `dynamodbav:"pk"`
	User      string `dynamodbav:"user"`
	List      string `dynamodbav:"shard"`
	Other     string `dynamodbav:"name"`
	CreatedAt int64  `dynamodbav:"created_at"`
}

// BlockKey returns the key of the user's block of the other.
func BlockKey(app id.App, userID, other id.User) table.Item {
	return table.Key(blockKey(app, userID, other))
}

func blockKey(app id.App, userID, other id.User) string {
	return app.String() + "#" + string(userID) + "#block#" + string(other)
}

// BlockList names the partition of the directory that has the user's blocks.
func BlockList(app id.App, userID id.User) string {
	return app.String() + "#" + string(userID) + "#blocks"
}

// PutBlock implements user.Store.
func (s *Store) PutBlock(ctx context.Context, was user.User, block user.Block) error {
	work := &table.Transaction{DB: s.DB, Doing: "block a user"}
	work.Put(s.Table, blockRow{Key: blockKey(was.App, was.ID, block.Other), User: string(was.ID), List: BlockList(was.App, was.ID),
		Other: string(block.Other), CreatedAt: table.Millis(block.At)}, absent, user.ErrBlocked)
	work.Update(s.count(was, was.Blocks.With(block.Other)), user.ErrChanged)
	return work.Run(ctx)
}

// RemoveBlock implements user.Store.
func (s *Store) RemoveBlock(ctx context.Context, was user.User, other id.User) error {
	work := &table.Transaction{DB: s.DB, Doing: "lift a block"}
	work.Remove(table.Update{Table: s.Table, Key: BlockKey(was.App, was.ID, other), If: "attribute_exists(pk)"}, user.ErrNotBlocked)
	work.Update(s.count(was, was.Blocks.Less()), user.ErrChanged)
	return work.Run(ctx)
}

// count replaces what the user's record says of its blocks, if it is still what was read.
func (s *Store) count(was user.User, is user.Blocks) table.Update {
	update := table.Update{Table: s.Table, Key: ItemKey(was.App, was.ID), Set: "SET blocks = :count, block_filter = :filter",
		If:     "blocks = :was AND block_filter = :were",
		Values: table.Item{":count": table.N(int64(is.Count)), ":filter": bytes(is.Filter), ":was": table.N(int64(was.Blocks.Count)), ":were": bytes(was.Blocks.Filter)}}
	if was.Blocks.Count == 0 {
		update.If = "attribute_exists(pk) AND attribute_not_exists(blocks)"
		delete(update.Values, ":was")
		delete(update.Values, ":were")
	}
	if is.Count == 0 {
		update.Set = "REMOVE blocks, block_filter"
		delete(update.Values, ":count")
		delete(update.Values, ":filter")
	}
	return update
}

func bytes(value []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: value} }

// Blocking implements user.Store.
func (s *Store) Blocking(ctx context.Context, app id.App, userID, other id.User) (blocked, silently bool, err error) {
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: []table.Item{BlockKey(app, userID, other)}},
		table.Read{Table: s.Keys, Keys: []table.Item{apikeydb.AppKey(app)}})
	if err != nil {
		return false, false, err
	}
	var settings struct {
		Silent bool `dynamodbav:"silent_blocks"`
	}
	for _, item := range found[s.Keys] {
		if err := table.Decode(item, &settings); err != nil {
			return false, false, err
		}
	}
	return len(found[s.Table]) > 0, settings.Silent, nil
}

// Blocks implements user.Store: the directory has the blocks, their rows say since when.
func (s *Store) Blocks(ctx context.Context, app id.App, userID, after id.User, limit int) ([]user.Block, id.User, error) {
	input := &dynamodb.QueryInput{TableName: &s.Table, IndexName: aws.String("directory"), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("#shard = :list"),
		ExpressionAttributeNames:  map[string]string{"#shard": "shard"},
		ExpressionAttributeValues: table.Item{":list": table.S(BlockList(app, userID))},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes}
	if after != "" {
		input.KeyConditionExpression = aws.String("#shard = :list AND #name > :after")
		input.ExpressionAttributeNames["#name"], input.ExpressionAttributeValues[":after"] = "name", table.S(string(after))
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, "", table.Classify("list blocks", err)
	}
	var order []id.User
	for _, item := range answer.Items {
		var row blockRow
		if err := table.Decode(item, &row); err != nil {
			return nil, "", err
		}
		order = append(order, id.User(row.Other))
	}
	blocks, err := s.blockRows(ctx, app, userID, order)
	if err != nil || len(order) < limit {
		return blocks, "", err
	}
	return blocks, order[limit-1], nil
}

// blockRows reads the user's blocks of the others, at most 100, in their order. One that was lifted since is left out.
func (s *Store) blockRows(ctx context.Context, app id.App, userID id.User, order []id.User) ([]user.Block, error) {
	read := table.Read{Table: s.Table}
	for _, other := range order {
		read.Keys = append(read.Keys, BlockKey(app, userID, other))
	}
	found, err := table.BatchGet(ctx, s.DB, read)
	if err != nil {
		return nil, err
	}
	byOther := map[id.User]user.Block{}
	for _, item := range found[s.Table] {
		var row blockRow
		if err := table.Decode(item, &row); err != nil {
			return nil, err
		}
		byOther[id.User(row.Other)] = user.Block{User: userID, Other: id.User(row.Other), At: table.Instant(row.CreatedAt)}
	}
	var blocks []user.Block
	for _, other := range order {
		if block, ok := byOther[other]; ok {
			blocks = append(blocks, block)
		}
	}
	return blocks, nil
}
