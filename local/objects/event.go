package objects

import (
	"net/url"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// event is what S3 tells a queue.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
type event struct {
	Records []record
}

type record struct {
	Version   string    `json:"eventVersion"`
	Source    string    `json:"eventSource"`
	Region    string    `json:"awsRegion"`
	Time      time.Time `json:"eventTime"`
	Name      string    `json:"eventName"`
	Responses struct {
		RequestID string `json:"x-amz-request-id"`
	} `json:"responseElements"`
	S3 entity `json:"s3"`
}

type entity struct {
	Version string       `json:"s3SchemaVersion"`
	Bucket  bucketEntity `json:"bucket"`
	Object  objectEntity `json:"object"`
}

type bucketEntity struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

type objectEntity struct {
	Key       string `json:"key"` // as in a form: a space is a plus
	Size      int64  `json:"size"`
	ETag      string `json:"eTag"`
	Sequencer string `json:"sequencer"`
}

// announce tells the queues that the template names of an object that was put. What fails is logged: on AWS the event comes
// later.
func (s *Service) announce(c *call, size int64) {
	for _, e := range c.bucket.Events {
		if !strings.HasPrefix(c.key, e.Prefix) || !strings.HasSuffix(c.key, e.Suffix) {
			continue
		}
		etag, err := s.etag(c.bucket.Name, c.key)
		if err != nil {
			continue // deleted meanwhile
		}
		name := "ObjectCreated:Put"
		if c.request.Header.Get("X-Amz-Copy-Source") != "" {
			name = "ObjectCreated:Copy"
		}
		now := s.options.Now().UTC()
		r := record{Version: "2.1", Source: "aws:s3", Region: template.Region, Time: now, Name: name, S3: entity{Version: "1.0",
			Bucket: bucketEntity{c.bucket.Name, c.bucket.ARN()},
			Object: objectEntity{Key: url.QueryEscape(c.key), Size: size, ETag: etag, Sequencer: now.Format("20060102150405.000000000")}}}
		r.Responses.RequestID = lambda.NewRequestID()
		if err := s.options.Send(e.Queue, string(plainjson.Must(event{[]record{r}}))); err != nil {
			s.options.Log.Error("a queue is not told of an object", "queue", e.Queue, "bucket", c.bucket.Name, "error", err)
		}
	}
}
