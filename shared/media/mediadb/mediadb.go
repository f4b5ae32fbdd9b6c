// Package mediadb keeps media in DynamoDB: app / media ID.
//
// A row is some 300 bytes. Those of one app share a partition key: DynamoDB splits a busy one by the sort key, whose IDs are
// random.
package mediadb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements media.Store.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ media.Store = (*Store)(nil)

type row struct {
	App       string `dynamodbav:"pk"`
	ID        string `dynamodbav:"sk"`
	Owner     string `dynamodbav:"owner"`
	Kind      string `dynamodbav:"kind"`
	Declared  string `dynamodbav:"declared"` // content type
	Size      int64  `dynamodbav:"size"`
	SHA256    []byte `dynamodbav:"sha256"`
	Filename  string `dynamodbav:"filename,omitempty"` // sealed
	State     string `dynamodbav:"state"`
	ETag      string `dynamodbav:"etag,omitempty"`
	Tries     int    `dynamodbav:"tries"`
	CreatedAt int64  `dynamodbav:"created_at"`
	// Expires is the time to live, in seconds since 1970; none for what was sent.
	Expires int64 `dynamodbav:"expires,omitempty"`
	result
}

// result is the part of a row that a check writes.
type result struct {
	Rejected   string      `dynamodbav:"rejected,omitempty"`
	Type       string      `dynamodbav:"type,omitempty"`
	Width      int         `dynamodbav:"width,omitempty"`
	Height     int         `dynamodbav:"height,omitempty"`
	Thumbnails []thumbnail `dynamodbav:"thumbnails,omitempty"`
}

type thumbnail struct {
	Name   string `dynamodbav:"n"`
	Type   string `dynamodbav:"t"`
	Width  int    `dynamodbav:"w"`
	Height int    `dynamodbav:"h"`
}

func newRow(m media.Media) row {
	return row{App: m.App.String(), ID: string(m.ID), Owner: string(m.Owner), Kind: string(m.Declared.Kind), Declared: m.Declared.ContentType,
		Size: m.Declared.Size, SHA256: m.Declared.SHA256[:], Filename: m.Declared.Filename, State: string(m.State), ETag: m.ETag, Tries: m.Tries,
		CreatedAt: table.Millis(m.CreatedAt), Expires: m.Expires.Unix(), result: newResult(m.Result)}
}

func newResult(r media.Result) result {
	made := result{Rejected: string(r.Rejected), Type: r.ContentType, Width: r.Width, Height: r.Height}
	for _, t := range r.Thumbnails {
		made.Thumbnails = append(made.Thumbnails, thumbnail{t.Name, t.ContentType, t.Width, t.Height})
	}
	return made
}

func (r row) media() media.Media {
	m := media.Media{App: id.StoredApp(r.App), ID: id.Media(r.ID), Owner: id.User(r.Owner), State: media.State(r.State), ETag: r.ETag, Tries: r.Tries,
		Declared:  media.Declaration{Kind: media.Kind(r.Kind), ContentType: r.Declared, Size: r.Size, Filename: r.Filename},
		CreatedAt: table.Instant(r.CreatedAt), Expires: table.Instant(r.Expires * 1000),
		Result: media.Result{Rejected: fault.Code(r.Rejected), ContentType: r.Type, Width: r.Width, Height: r.Height}}
	copy(m.Declared.SHA256[:], r.SHA256)
	for _, t := range r.Thumbnails {
		m.Result.Thumbnails = append(m.Result.Thumbnails, media.Thumbnail{Name: t.Name, ContentType: t.Type, Width: t.Width, Height: t.Height})
	}
	return m
}

// Create implements media.Store.
func (s *Store) Create(ctx context.Context, made media.Media) (media.Media, error) {
	var standing row
	err := table.Put(ctx, s.DB, s.Table, newRow(made), "attribute_not_exists(pk)", nil, &standing)
	if errors.Is(err, table.ErrCondition) {
		return standing.media(), media.ErrExists
	}
	return made, err
}

// Get implements media.Store.
func (s *Store) Get(ctx context.Context, app id.App, mediaID id.Media, strong bool) (media.Media, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(app.String(), string(mediaID)), strong, &found)
	if err != nil {
		return media.Media{}, err
	}
	if !ok {
		return media.Media{}, media.ErrNotFound
	}
	return found.media(), nil
}

// names are those attributes that DynamoDB has reserved words for.
var names = map[string]string{"#state": "state"}

// Begin implements media.Store.
func (s *Store) Begin(ctx context.Context, app id.App, mediaID id.Media, etag string) (media.Media, error) {
	var after row
	err := table.Update{
		Table: s.Table, Key: table.Key(app.String(), string(mediaID)), Names: names,
		Set: "SET #state = :checking, etag = :etag, tries = tries + :one",
		If:  "#state = :uploading OR #state = :checking AND etag = :etag",
		Values: table.Item{":checking": table.S(string(media.Checking)), ":uploading": table.S(string(media.Uploading)),
			":etag": table.S(etag), ":one": table.N(1)},
	}.Run(ctx, s.DB, &after)
	return after.media(), settled(err, after)
}

// Finish implements media.Store.
func (s *Store) Finish(ctx context.Context, app id.App, mediaID id.Media, etag string, found media.Result) error {
	item, err := table.Encode(newResult(found))
	if err != nil {
		return err
	}
	update := table.Update{Table: s.Table, Key: table.Key(app.String(), string(mediaID)), Set: "SET #state = :state",
		If:     "#state = :checking AND etag = :etag",
		Names:  map[string]string{"#state": "state"},
		Values: table.Item{":checking": table.S(string(media.Checking)), ":etag": table.S(etag), ":state": table.S(string(media.Rejected))}}
	for name, value := range item {
		update.Set += ", #" + name + " = :" + name
		update.Names["#"+name], update.Values[":"+name] = name, value
	}
	if found.Rejected == "" {
		update.Values[":state"] = table.S(string(media.Ready))
	}
	var after row
	return settled(update.Run(ctx, s.DB, &after), after)
}

// Keep implements media.Store.
func (s *Store) Keep(ctx context.Context, app id.App, mediaID id.Media) error {
	err := table.Update{Table: s.Table, Key: table.Key(app.String(), string(mediaID)), Set: "REMOVE expires", If: "attribute_exists(pk)"}.Run(ctx, s.DB, nil)
	return settled(err, row{})
}

// Remove implements media.Store.
func (s *Store) Remove(ctx context.Context, app id.App, mediaID id.Media, now time.Time) error {
	var standing row
	err := table.Delete(ctx, s.DB, s.Table, table.Key(app.String(), string(mediaID)), "expires <= :now", table.Item{":now": table.N(now.Unix())}, &standing)
	return settled(err, standing)
}

// settled tells a media that was decided otherwise from one that is not there.
func settled(err error, standing row) error {
	switch {
	case errors.Is(err, table.ErrCondition) && standing.ID == "":
		return media.ErrNotFound
	case errors.Is(err, table.ErrCondition):
		return media.ErrSettled
	}
	return err
}
