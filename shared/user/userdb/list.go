package userdb

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
)

// shards spreads an app's directory over that many partitions, so that a bulk import is not held to the 1,000 writes a
// second of one.
const shards = 16

func shard(app id.App, userID id.User) string {
	return fmt.Sprintf("%s#%d", app, crc32.ChecksumIEEE([]byte(userID))%shards)
}

// run is one shard's part of the merge.
type run struct {
	shard  string
	prefix string
	claims []claim
	after  string
	done   bool
}

// List implements user.Store: a merge over the shards by name, then one read of the profiles.
func (s *Store) List(ctx context.Context, app id.App, prefix, after string, limit int) ([]user.User, string, error) {
	runs := make([]*run, shards)
	for i := range runs {
		runs[i] = &run{shard: fmt.Sprintf("%s#%d", app, i), prefix: prefix, after: after}
	}
	var page []claim
	for len(page) < limit {
		if err := s.fill(ctx, runs, limit); err != nil {
			return nil, "", err
		}
		least := least(runs)
		if least == nil {
			break
		}
		page, least.claims = append(page, least.claims[0]), least.claims[1:]
	}
	users, err := s.profiles(ctx, app, page)
	if err != nil || len(page) < limit {
		return users, "", err
	}
	return users, page[len(page)-1].Name, nil
}

// fill reads on in every shard whose part is used up.
func (s *Store) fill(ctx context.Context, runs []*run, limit int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		if len(run.claims) == 0 && !run.done {
			// Twice a shard's fair share: mostly one query a shard, without reading the whole page from each.
			group.Go(func() error { return s.read(ctx, run, limit/shards*2+2) })
		}
	}
	return group.Wait()
}

func (s *Store) read(ctx context.Context, run *run, limit int) error {
	input := &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("directory"), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("#shard = :shard"),
		ExpressionAttributeNames:  map[string]string{"#shard": "shard"}, // a reserved word, as is name
		ExpressionAttributeValues: table.Item{":shard": table.S(run.shard)},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes,
	}
	run.narrow(input)
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return table.Classify("list users", err)
	}
	run.done = len(answer.LastEvaluatedKey) == 0
	for _, item := range answer.Items {
		var found claim
		if err := table.Decode(item, &found); err != nil {
			return err
		}
		run.claims, run.after = append(run.claims, found), found.Name
	}
	return nil
}

// lastRune comes after every character that a name can have: it is none itself.
const lastRune = "\U0010FFFF"

// narrow has the query read the names that are asked for, and not all of the shard's.
func (r *run) narrow(input *dynamodb.QueryInput) {
	low := r.prefix
	if r.after != "" {
		low = r.after + "\x00" // the first text behind it
	}
	if low == "" {
		return
	}
	input.KeyConditionExpression = aws.String("#shard = :shard AND #name BETWEEN :low AND :high")
	input.ExpressionAttributeNames["#name"] = "name"
	input.ExpressionAttributeValues[":low"], input.ExpressionAttributeValues[":high"] = table.S(low), table.S(r.prefix+lastRune)
}

// least returns the shard whose next name comes first, nil where all are at their end.
func least(runs []*run) *run {
	var first *run
	for _, run := range runs {
		if len(run.claims) > 0 && (first == nil || run.claims[0].Name < first.claims[0].Name) {
			first = run
		}
	}
	return first
}

// profiles reads the users of the claims, in their order. One that was deleted since is left out.
func (s *Store) profiles(ctx context.Context, app id.App, claims []claim) ([]user.User, error) {
	keys := make([]table.Item, len(claims))
	for i, claim := range claims {
		keys[i] = ItemKey(app, id.User(claim.User))
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: keys})
	if err != nil {
		return nil, err
	}
	byID := map[id.User]user.User{}
	for _, item := range found[s.Table] {
		user, err := Decode(item)
		if err != nil {
			return nil, err
		}
		byID[user.ID] = user
	}
	users := make([]user.User, 0, len(claims))
	for _, claim := range claims {
		if user, ok := byID[id.User(claim.User)]; ok {
			users = append(users, user)
		}
	}
	return users, nil
}
