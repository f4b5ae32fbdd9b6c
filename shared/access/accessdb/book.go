package accessdb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// bookRow is an app's book. Package apikeydb reads v and policy: what a new key copies.
type bookRow struct {
	Version   int64          `dynamodbav:"v"`
	Policy    authzdb.Policy `dynamodbav:"policy"`
	Roles     []roleRow      `dynamodbav:"roles"`
	ChangedAt int64          `dynamodbav:"changed_at"`
}

type roleRow struct {
	ID          string    `dynamodbav:"id"`
	Name        string    `dynamodbav:"name"`
	Description string    `dynamodbav:"description,omitempty"`
	Allow       authz.Set `dynamodbav:"a,omitempty"`
	Deny        authz.Set `dynamodbav:"d,omitempty"`
	CreatedAt   int64     `dynamodbav:"created_at"`
	CreatedBy   string    `dynamodbav:"created_by,omitempty"`
	ChangedAt   int64     `dynamodbav:"changed_at,omitempty"`
	Request     string    `dynamodbav:"request,omitempty"`
	Fingerprint string    `dynamodbav:"fingerprint,omitempty"`
}

// bookKey is where the book stands, among the app's keys.
func bookKey(app id.App) table.Item { return table.Key(app.String(), "policy") }

// Book implements access.Store.
func (s *Store) Book(ctx context.Context, app id.App) (access.Book, error) {
	var found bookRow
	if _, err := table.Get(ctx, s.DB, s.Keys, bookKey(app), true, &found); err != nil {
		return access.Book{}, err
	}
	return found.book(), nil
}

// SetBook implements access.Store.
func (s *Store) SetBook(ctx context.Context, by access.Grantor, app id.App, book access.Book, record record.Record) error {
	values, err := bookValues(book)
	if err != nil {
		return err
	}
	update := table.Update{Table: s.Keys, Key: bookKey(app), If: "v = :was", Values: values,
		Set:   "SET v = :v, #policy = :policy, #roles = :roles, changed_at = :at",
		Names: map[string]string{"#policy": "policy", "#roles": "roles"}}
	if book.Version == 1 {
		update.If = "attribute_not_exists(pk)"
	} else {
		values[":was"] = table.N(book.Version - 1)
	}
	work := &table.Transaction{DB: s.DB, Doing: "change a book"}
	work.Update(update, access.ErrChanged)
	s.appStands(work, app)
	s.grantorStands(work, by, app, "")
	return s.Records.Run(ctx, work, record)
}

func bookValues(book access.Book) (table.Item, error) {
	roles := []roleRow{}
	for _, r := range book.Roles {
		roles = append(roles, roleRow{ID: string(r.ID), Name: r.Name, Description: r.Description, Allow: r.Allow, Deny: r.Deny,
			CreatedAt: table.Millis(r.CreatedAt), CreatedBy: r.CreatedBy, ChangedAt: table.Millis(r.ChangedAt), Request: r.Request,
			Fingerprint: r.Fingerprint})
	}
	keptRoles, err := attributevalue.Marshal(roles)
	if err != nil {
		return nil, err
	}
	policy, err := attributevalue.Marshal(authzdb.NewPolicy(book.Policy()))
	if err != nil {
		return nil, err
	}
	return table.Item{":v": table.N(book.Version), ":policy": policy, ":roles": keptRoles, ":at": table.N(table.Millis(book.ChangedAt))}, nil
}

func (r bookRow) book() access.Book {
	book := access.Book{Version: r.Version, Defaults: r.Policy.Decode().Defaults, ChangedAt: table.Instant(r.ChangedAt)}
	for _, each := range r.Roles {
		book.Roles = append(book.Roles, access.Role{ID: authz.Role(each.ID), Name: each.Name, Description: each.Description,
			Effect:    authz.Effect{Allow: each.Allow, Deny: each.Deny},
			CreatedAt: table.Instant(each.CreatedAt), CreatedBy: each.CreatedBy, ChangedAt: table.Instant(each.ChangedAt),
			Request: each.Request, Fingerprint: each.Fingerprint})
	}
	return book
}
