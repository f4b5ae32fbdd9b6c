// Package erasedb finds and removes in DynamoDB what a deleted app has.
//
// Every key begins with the app's ID: that is what makes an app a tenant, and what makes it possible to remove all of it.
package erasedb

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

const (
	// page is how many rows are read at once: messages of at most about 5 KB each stay below DynamoDB's 1 MB a page.
	page = 200
	// batch is how many writes BatchWriteItem takes.
	batch = 25
)

// Store implements erase.Store.
type Store struct {
	DB *dynamodb.Client
	// Tables are the physical names.
	Tables map[erase.Table]string
}

var _ erase.Store = (*Store)(nil)

// FromEnvironment returns a store on the tables that the environment names.
func FromEnvironment(db *dynamodb.Client) *Store {
	return &Store{DB: db, Tables: map[erase.Table]string{
		erase.DataKeys: table.Name("DATA_KEYS"), erase.Keys: table.Name("KEYS"), erase.Users: table.Name("USERS"),
		erase.Messages: table.Name("MESSAGES"), erase.Conversations: table.Name("CONVERSATIONS"),
		erase.Connections: table.Name("CONNECTIONS"), erase.Groups: table.Name("GROUPS"), erase.Media: table.Name("MEDIA"), erase.Grants: table.Name("GRANTS"), erase.Records: table.Name("RECORDS"),
	}}
}

// sortName is the name of the sort key in the table.
func sortName(of erase.Table) string {
	if of == erase.Messages {
		return "seq"
	}
	return "sk"
}

// partition is the partition key of the part.
func partition(app id.App, part erase.Part) string {
	if part.Of == "" {
		return app.String()
	}
	return app.String() + "#" + part.Of
}

// Clear implements erase.Store.
func (s *Store) Clear(ctx context.Context, app id.App, part erase.Part) (removed int, more bool, err error) {
	answer, err := s.query(ctx, part.Table, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: table.Item{":pk": table.S(partition(app, part))},
		ProjectionExpression:      aws.String("pk, " + sortName(part.Table)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return 0, false, err
	}
	keys := answer.Items
	if part.Table == erase.Keys {
		keys = slices.DeleteFunc(keys, isRecord)
	}
	removed, err = s.remove(ctx, part.Table, keys)
	return removed, len(answer.LastEvaluatedKey) > 0, err
}

// isRecord tells an app's own record from a key.
func isRecord(key table.Item) bool {
	sort, ok := key["sk"].(*types.AttributeValueMemberS)
	return ok && sort.Value == apikeydb.AppSort
}

// Users implements erase.Store. A position is the name of the last user.
func (s *Store) Users(ctx context.Context, app id.App, shard int, after string) (users []erase.User, next string, err error) {
	input := &dynamodb.QueryInput{
		IndexName: aws.String("directory"), KeyConditionExpression: aws.String("#shard = :shard"),
		ExpressionAttributeNames:  map[string]string{"#shard": "shard"}, // a reserved word, as is name
		ExpressionAttributeValues: table.Item{":shard": table.S(fmt.Sprintf("%s#%d", app, shard))},
	}
	if after != "" {
		input.KeyConditionExpression = aws.String("#shard = :shard AND #name > :after")
		input.ExpressionAttributeNames["#name"] = "name"
		input.ExpressionAttributeValues[":after"] = table.S(after)
	}
	answer, err := s.query(ctx, erase.Users, input)
	if err != nil {
		return nil, "", err
	}
	for _, item := range answer.Items {
		var found struct {
			Claim string `dynamodbav:"pk"`
			User  string `dynamodbav:"user"`
			Name  string `dynamodbav:"name"`
		}
		if err := table.Decode(item, &found); err != nil {
			return nil, "", err
		}
		users, next = append(users, erase.User{ID: id.User(found.User), Claim: found.Claim}), found.Name
	}
	if len(answer.LastEvaluatedKey) == 0 {
		next = ""
	}
	return users, next, nil
}

// Conversations implements erase.Store.
func (s *Store) Conversations(ctx context.Context, app id.App, user id.User, after id.Conversation) ([]id.Conversation, id.Conversation, error) {
	var found []id.Conversation
	var next id.Conversation
	input := &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk > :after"),
		ExpressionAttributeValues: table.Item{":pk": table.S(app.String() + "#" + string(user)), ":after": table.S(string(after) + "\x00")},
		ProjectionExpression:      aws.String("pk, sk"), ConsistentRead: aws.Bool(true),
	}
	answer, err := s.query(ctx, erase.Conversations, input)
	if err != nil {
		return nil, "", err
	}
	for _, item := range answer.Items {
		var row struct {
			Conversation string `dynamodbav:"sk"`
		}
		if err := table.Decode(item, &row); err != nil {
			return nil, "", err
		}
		next = id.Conversation(row.Conversation)
		found = append(found, next)
	}
	if len(answer.LastEvaluatedKey) == 0 {
		next = ""
	}
	return found, next, nil
}

// RemoveConversations implements erase.Store.
func (s *Store) RemoveConversations(ctx context.Context, app id.App, user id.User, page []id.Conversation) (int, error) {
	rows := make([]table.Item, len(page))
	for i, conversation := range page {
		rows[i] = table.Key(partition(app, erase.Part{Table: erase.Conversations, Of: string(user)}), string(conversation))
	}
	return s.remove(ctx, erase.Conversations, rows)
}

// RemoveBlocks implements erase.Store.
func (s *Store) RemoveBlocks(ctx context.Context, app id.App, user id.User) (removed int, err error) {
	return s.removeFound(ctx, erase.Users, &dynamodb.QueryInput{IndexName: aws.String("directory"), KeyConditionExpression: aws.String("#shard = :list"),
		ExpressionAttributeNames:  map[string]string{"#shard": "shard"},
		ExpressionAttributeValues: table.Item{":list": table.S(userdb.BlockList(app, user))}}, "pk")
}

// RemoveUsers implements erase.Store.
func (s *Store) RemoveUsers(ctx context.Context, app id.App, users []erase.User) (int, error) {
	var shown, records, claims []table.Item
	for _, user := range users {
		shown, records, claims = append(shown, userdb.ProfileKey(app, user.ID)), append(records, userdb.ItemKey(app, user.ID)), append(claims, table.Key(user.Claim))
	}
	if _, err := s.remove(ctx, erase.Users, shown); err != nil { // not counted: not everybody has one
		return 0, err
	}
	removed, err := s.remove(ctx, erase.Users, records)
	if err != nil {
		return removed, err
	}
	more, err := s.remove(ctx, erase.Users, claims)
	return removed + more, err
}

func (s *Store) query(ctx context.Context, of erase.Table, input *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	input.TableName, input.Limit = aws.String(s.Tables[of]), aws.Int32(page)
	input.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, table.Classify("read what is to be erased", err)
	}
	return answer, nil
}

// removeFound removes the rows that the query finds, by their keys' attributes, and returns how many.
func (s *Store) removeFound(ctx context.Context, of erase.Table, input *dynamodb.QueryInput, attributes ...string) (removed int, err error) {
	for {
		answer, err := s.query(ctx, of, input)
		if err != nil {
			return removed, err
		}
		keys := make([]table.Item, len(answer.Items))
		for i, item := range answer.Items {
			keys[i] = table.Item{}
			for _, name := range attributes {
				keys[i][name] = item[name]
			}
		}
		more, err := s.remove(ctx, of, keys)
		if removed += more; err != nil || len(answer.LastEvaluatedKey) == 0 {
			return removed, err
		}
		input.ExclusiveStartKey = answer.LastEvaluatedKey
	}
}

// remove deletes the items and returns how many it has deleted. DynamoDB may leave some of a batch undone; those are
// tried again.
func (s *Store) remove(ctx context.Context, of erase.Table, keys []table.Item) (removed int, err error) {
	name := s.Tables[of]
	for chunk := range slices.Chunk(keys, batch) {
		pending := make([]types.WriteRequest, len(chunk))
		for i, key := range chunk {
			pending[i] = types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
		}
		for attempt := 0; len(pending) > 0; attempt++ {
			if err := table.Backoff(ctx, attempt); err != nil {
				return removed, table.Classify("erase", err)
			}
			answer, err := s.DB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
				RequestItems:           map[string][]types.WriteRequest{name: pending},
				ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
			if err != nil {
				return removed, table.Classify("erase", err)
			}
			removed += len(pending) - len(answer.UnprocessedItems[name])
			pending = answer.UnprocessedItems[name]
		}
	}
	return removed, nil
}
