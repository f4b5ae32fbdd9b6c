package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/bucket"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediadb"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task"
)

// Media returns the service of media, which signs links for uploads and has removed what is not sent.
func (c *Core) Media() *media.Service {
	service := c.media()
	service.Signer, service.Tasks = uploads{bucket.FromEnvironment("MEDIA_BUCKET")}, NewReminders(c.DB)
	return service
}

// media returns the service without a bucket.
func (c *Core) media() *media.Service {
	return &media.Service{Store: &mediadb.Store{DB: c.DB, Table: table.Name("MEDIA")}, Sealer: c.Keyring, Clock: clock.System{}}
}

// uploads implements media.Signer.
type uploads struct{ bucket *bucket.Bucket }

// SignUpload implements media.Signer.
func (u uploads) SignUpload(ctx context.Context, key string, declared media.Declaration, life time.Duration) (media.UploadLink, error) {
	link, err := u.bucket.PresignPut(ctx, key, bucket.Upload{Size: declared.Size, ContentType: declared.ContentType, SHA256: declared.SHA256}, life)
	return media.UploadLink{Method: link.Method, URL: link.URL, Headers: link.Header, ExpiresAt: link.ExpiresAt}, err
}

// Attachments returns what messages show of media, with links to them.
func (c *Core) Attachments() message.Attachments {
	return attachments{c.media(), bucket.FromEnvironment("MEDIA_BUCKET")}
}

// attachments implements message.Attachments.
type attachments struct {
	media  *media.Service
	bucket *bucket.Bucket
}

// Attach implements message.Attachments.
func (a attachments) Attach(ctx context.Context, app id.App, sender id.User, mediaID id.Media, kind string) (message.Attachment, error) {
	found, err := a.media.Attach(ctx, app, sender, mediaID, media.Kind(kind))
	if err != nil {
		return message.Attachment{}, err
	}
	shown := message.Attachment{MediaID: found.ID, Type: kind, ContentType: found.Result.ContentType, Size: found.Declared.Size,
		Filename: found.Declared.Filename, Width: found.Result.Width, Height: found.Result.Height}
	for _, thumbnail := range found.Result.Thumbnails {
		shown.Thumbnails = append(shown.Thumbnails, message.Preview(thumbnail))
	}
	return shown, nil
}

// Link implements message.Attachments.
func (a attachments) Link(ctx context.Context, app id.App, shown message.Attachment, thumbnail string) (string, time.Time, error) {
	name, contentType := media.Original, shown.ContentType
	for _, t := range shown.Thumbnails {
		if t.Name == thumbnail {
			name, contentType = t.Name, t.ContentType
		}
	}
	disposition := media.Disposition(media.Kind(shown.Type), shown.Filename)
	link, err := a.bucket.PresignGet(ctx, media.Key(app, shown.MediaID, name), contentType, disposition, media.DownloadLife)
	return link.URL, link.ExpiresAt, err
}

// MediaChecker returns what checks uploads with the inspector.
func MediaChecker(inspector media.Inspector) *media.Checker {
	return &media.Checker{Store: &mediadb.Store{DB: Background(), Table: table.Name("MEDIA")},
		Objects: objects{bucket.FromEnvironment("MEDIA_BUCKET")}, Inspector: inspector}
}

// RemoveUnsent handles task.MediaUnsent.
func RemoveUnsent(db *dynamodb.Client, now clock.Clock) task.Handler {
	remover := &media.Remover{Store: &mediadb.Store{DB: db, Table: table.Name("MEDIA")}, Objects: bucket.FromEnvironment("MEDIA_BUCKET"), Clock: now}
	return func(ctx context.Context, due task.Task) error {
		return remover.Unsent(ctx, due.App, id.Media(due.Subject))
	}
}

// objects implements media.Objects.
type objects struct{ *bucket.Bucket }

// Read implements media.Objects.
func (o objects) Read(ctx context.Context, key, etag string, from, limit int64) ([]byte, int64, error) {
	content, object, err := o.Bucket.Read(ctx, key, etag, from, limit)
	return content, object.Size, mediaError(err)
}

// Copy implements media.Objects.
func (o objects) Copy(ctx context.Context, from, etag, to, contentType string) error {
	return mediaError(o.Bucket.Copy(ctx, from, etag, to, contentType))
}

// mediaError says in the words of package media what the bucket has said.
func mediaError(err error) error {
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return fmt.Errorf("%w: %w", media.ErrNoObject, err)
	case errors.Is(err, bucket.ErrChanged):
		return fmt.Errorf("%w: %w", media.ErrReplaced, err)
	}
	return err
}
