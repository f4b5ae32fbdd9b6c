package template

import (
	"fmt"
	"strings"
)

// Bucket is one AWS::S3::Bucket.
type Bucket struct {
	ID     string // logical ID
	Name   string // physical name: the logical ID in lower-case kebab
	CORS   []BucketCORS
	Events []BucketEvent
}

// ARN is the bucket's.
func (b *Bucket) ARN() string { return bucketARN(b.Name) }

func bucketARN(name string) string { return "arn:" + Partition + ":s3:::" + name }

// BucketCORS is one rule of a bucket's CorsConfiguration.
type BucketCORS struct {
	AllowedOrigins []string
	AllowedMethods []string
	AllowedHeaders []string
	ExposedHeaders []string
	MaxAge         int // seconds
}

// BucketEvent says which queue is told of objects that were created.
type BucketEvent struct {
	Queue  string // physical name
	Prefix string // of the keys; empty: all
	Suffix string // of the keys; empty: all
}

// objectCreated is the one kind of event that the runner knows.
const objectCreated = "s3:ObjectCreated:*"

// bucketQueue is a QueueConfiguration of a bucket.
type bucketQueue struct {
	Event  string
	Queue  string
	Filter struct {
		S3Key struct {
			Rules []struct{ Name, Value string }
		}
	}
}

func (l *loader) bucket(id string, tree any) error {
	var p struct {
		NotificationConfiguration struct{ QueueConfigurations []bucketQueue }
		CorsConfiguration         struct{ CorsRules []BucketCORS }
		// What keeps objects from others, and for how long, is AWS's part: the runner's objects are on this machine only.
		BucketEncryption,
		LifecycleConfiguration,
		OwnershipControls,
		PublicAccessBlockConfiguration,
		VersioningConfiguration,
		Tags ignored
	}
	if err := decode(tree, &p); err != nil {
		return err
	}
	bucket := &Bucket{ID: id, Name: l.scope.name(typeBucket, id), CORS: p.CorsConfiguration.CorsRules}
	for _, q := range p.NotificationConfiguration.QueueConfigurations {
		event, err := q.event()
		if err != nil {
			return err
		}
		bucket.Events = append(bucket.Events, event)
	}
	l.tpl.Buckets = append(l.tpl.Buckets, bucket)
	return nil
}

func (q bucketQueue) event() (BucketEvent, error) {
	if q.Event != objectCreated {
		return BucketEvent{}, fmt.Errorf("event %q: only %s is supported by the laptop runner", q.Event, objectCreated)
	}
	event := BucketEvent{Queue: queueOfARN(q.Queue)}
	if event.Queue == "" {
		return BucketEvent{}, fmt.Errorf("queue %q is not the Arn of a queue", q.Queue)
	}
	for _, rule := range q.Filter.S3Key.Rules {
		switch strings.ToLower(rule.Name) {
		case "prefix":
			event.Prefix = rule.Value
		case "suffix":
			event.Suffix = rule.Value
		default:
			return BucketEvent{}, fmt.Errorf("filter %q is neither prefix nor suffix", rule.Name)
		}
	}
	return event, nil
}

// checkBuckets holds the buckets' events to the queues.
func (l *loader) checkBuckets() error {
	for _, bucket := range l.tpl.Buckets {
		for _, event := range bucket.Events {
			if l.tpl.Queue(event.Queue) == nil {
				return fmt.Errorf("bucket %s: %q is not a queue of this template", bucket.ID, event.Queue)
			}
		}
	}
	return nil
}

// Bucket returns the bucket of that physical name, or nil.
func (t *Template) Bucket(name string) *Bucket {
	for _, b := range t.Buckets {
		if b.Name == name {
			return b
		}
	}
	return nil
}
