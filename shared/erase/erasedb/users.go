package erasedb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// UserStore implements erase.UserStore.
type UserStore struct {
	*Store
	// Records is needed by BeginUser only.
	Records *recorddb.Writer
}

var _ erase.UserStore = (*UserStore)(nil)

// receipt is what is left of a user. Its claim, the compared form of the username, is there until that is free. The directory has
// it apart from the users, for the erasing of the app.
type receipt struct {
	Key       string `dynamodbav:"pk"`
	User      string `dynamodbav:"user"`
	App       string `dynamodbav:"app"`
	Shard     string `dynamodbav:"shard"`
	Name      string `dynamodbav:"name"` // in the directory: the ID
	Claim     string `dynamodbav:"claim,omitempty"`
	Requested int64  `dynamodbav:"requested_at"`
	Erased    int64  `dynamodbav:"erased_at,omitempty"`
}

// countPrefix begins the attributes that count what was erased, one for each kind.
const countPrefix = "erased_"

// beginAttempts is how often a deletion is tried anew because the user was changed meanwhile.
const beginAttempts = 10

// errMoved says that the user is not any more what was read.
var errMoved = errors.New("erasedb: user changed")

// BeginUser implements erase.UserStore.
func (s *UserStore) BeginUser(ctx context.Context, app id.App, userID id.User, at time.Time, told record.Record) (erase.Receipt, error) {
	users := &userdb.Store{DB: s.DB, Table: s.Tables[erase.Users]}
	for range beginAttempts {
		found, err := users.Get(ctx, app, userID, true)
		if errors.Is(err, user.ErrNotFound) {
			return s.Receipt(ctx, app, userID)
		}
		if err != nil {
			return erase.Receipt{}, err
		}
		name, err := user.ParseName(found.Username)
		if err != nil {
			return erase.Receipt{}, fmt.Errorf("username of %s: %w", userID, err)
		}
		work := &table.Transaction{DB: s.DB, Doing: "delete a user"}
		work.Remove(table.Update{Table: s.Tables[erase.Users], Key: userdb.ItemKey(app, userID), If: "username = :name",
			Values: table.Item{":name": table.S(found.Username)}}, errMoved)
		work.Put(s.Tables[erase.Users], receipt{Key: text(userdb.ErasedKey(app, userID)["pk"]), User: string(userID), App: app.String(),
			Shard: userdb.ErasedShard(app, userID), Name: string(userID), Claim: name.Compared, Requested: table.Millis(at)},
			"attribute_not_exists(pk)", errMoved)
		if err := s.Records.Run(ctx, work, told); !errors.Is(err, errMoved) {
			return erase.Receipt{User: userID, RequestedAt: table.Instant(table.Millis(at))}, err
		}
	}
	return erase.Receipt{}, fault.TooOften("delete a user")
}

func text(value types.AttributeValue) string {
	found, _ := value.(*types.AttributeValueMemberS)
	if found == nil {
		return ""
	}
	return found.Value
}

// Receipt implements erase.UserStore.
func (s *UserStore) Receipt(ctx context.Context, app id.App, userID id.User) (erase.Receipt, error) {
	_, found, err := s.receipt(ctx, app, userID)
	return found, err
}

func (s *UserStore) receipt(ctx context.Context, app id.App, userID id.User) (claim string, found erase.Receipt, err error) {
	var item map[string]any
	ok, err := table.Get(ctx, s.DB, s.Tables[erase.Users], userdb.ErasedKey(app, userID), true, &item)
	if err != nil {
		return "", erase.Receipt{}, err
	}
	if !ok {
		return "", erase.Receipt{}, erase.ErrNoUser
	}
	number := func(name string) int64 {
		value, _ := item[name].(float64)
		return int64(value)
	}
	claim, _ = item["claim"].(string)
	found = erase.Receipt{User: userID, RequestedAt: table.Instant(number("requested_at")), ErasedAt: table.Instant(number("erased_at")), Rows: map[string]int{}}
	for name := range item {
		if kind, counts := strings.CutPrefix(name, countPrefix); counts && kind != "at" {
			found.Rows[kind] = int(number(name))
		}
	}
	return claim, found, nil
}

// CountUser implements erase.UserStore.
func (s *UserStore) CountUser(ctx context.Context, app id.App, userID id.User, rows map[string]int) error {
	var adds []string
	names, values := map[string]string{}, table.Item{}
	for i, kind := range slices.Sorted(maps.Keys(rows)) {
		name, value := fmt.Sprintf("#n%d", i), fmt.Sprintf(":n%d", i)
		adds = append(adds, name+" "+value)
		names[name], values[value] = countPrefix+kind, table.N(int64(rows[kind]))
	}
	return table.Update{Table: s.Tables[erase.Users], Key: userdb.ErasedKey(app, userID), Set: "ADD " + strings.Join(adds, ", "),
		If: "attribute_exists(pk)", Names: names, Values: values}.Run(ctx, s.DB, nil)
}

// FinishUser implements erase.UserStore.
func (s *UserStore) FinishUser(ctx context.Context, app id.App, userID id.User, at time.Time) error {
	claim, found, err := s.receipt(ctx, app, userID)
	if err != nil || !found.ErasedAt.IsZero() {
		return err
	}
	work := &table.Transaction{DB: s.DB, Doing: "finish erasing a user"}
	work.Update(table.Update{Table: s.Tables[erase.Users], Key: userdb.ErasedKey(app, userID),
		Set: "SET erased_at = :at REMOVE claim ADD erased_" + erase.NameRow + " :one", If: "attribute_not_exists(erased_at)",
		Values: table.Item{":at": table.N(table.Millis(at)), ":one": table.N(1)}}, errMoved)
	work.Remove(table.Update{Table: s.Tables[erase.Users], Key: userdb.ClaimKey(app, claim), If: "attribute_not_exists(pk) OR #user = :user",
		Names: map[string]string{"#user": "user"}, Values: table.Item{":user": table.S(string(userID))}}, nil)
	if err := work.Run(ctx); !errors.Is(err, errMoved) {
		return err
	}
	return nil // another run has finished
}

// UserConversations implements erase.UserStore.
func (s *UserStore) UserConversations(ctx context.Context, app id.App, userID id.User, after id.Conversation) (pairs []erase.Pair, groups []id.Group, next id.Conversation, err error) {
	answer, err := s.query(ctx, erase.Conversations, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk > :after"),
		ExpressionAttributeValues: table.Item{":pk": table.S(app.String() + "#" + string(userID)), ":after": table.S(string(after) + "\x00")},
		ProjectionExpression:      aws.String("sk, peer"), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, nil, "", err
	}
	for _, item := range answer.Items {
		next = id.Conversation(text(item["sk"]))
		if group := next.Group(); group != "" {
			groups = append(groups, group)
			continue
		}
		pairs = append(pairs, erase.Pair{Conversation: next, Peer: id.User(text(item["peer"]))})
	}
	if len(answer.LastEvaluatedKey) == 0 {
		next = ""
	}
	return pairs, groups, next, nil
}

// RemoveGrants implements erase.UserStore: the grants, and the marker that there are some.
func (s *UserStore) RemoveGrants(ctx context.Context, app id.App, userID id.User) (removed int, err error) {
	removed, err = s.removeFound(ctx, erase.Grants, &dynamodb.QueryInput{IndexName: aws.String("by_subject"), KeyConditionExpression: aws.String("subject = :subject"),
		ExpressionAttributeValues: table.Item{":subject": table.S(app.String() + "#" + string(userID))}}, "pk", "sk")
	if err != nil {
		return removed, err
	}
	_, err = s.remove(ctx, erase.Grants, []table.Item{table.Key(app.String(), "subject#"+string(userID))})
	return removed, err
}

// RemoveProfile implements erase.UserStore.
func (s *UserStore) RemoveProfile(ctx context.Context, app id.App, userID id.User) (int, error) {
	key := userdb.ProfileKey(app, userID)
	answer, err := s.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(s.Tables[erase.Users]), Key: key,
		ReturnValues: types.ReturnValueAllOld, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
	if err != nil {
		return 0, table.Classify("erase a profile", err)
	}
	return min(1, len(answer.Attributes)), nil
}
