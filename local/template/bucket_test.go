package template_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/template"
)

const bucketTemplate = `
Resources:
  ChecksQueue: {Type: AWS::SQS::Queue}
  FilesBucket:
    Type: AWS::S3::Bucket
    DependsOn: ChecksQueue
    Properties:
      PublicAccessBlockConfiguration: {BlockPublicAcls: true}
      LifecycleConfiguration: {Rules: [{Status: Enabled, Prefix: uploads/, ExpirationInDays: 1}]}
      CorsConfiguration: {CorsRules: [{AllowedOrigins: ["*"], AllowedMethods: [PUT], AllowedHeaders: [content-type], MaxAge: 60}]}
      NotificationConfiguration:
        QueueConfigurations:
          - {Event: "s3:ObjectCreated:*", Queue: !GetAtt ChecksQueue.Arn, Filter: {S3Key: {Rules: [{Name: prefix, Value: uploads/}, {Name: suffix, Value: x}]}}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/reader/
      Environment: {Variables: {FILES: !Ref FilesBucket, ARN: !Sub "${FilesBucket.Arn}/uploads/*"}}
`

func TestLoadReadsBuckets(t *testing.T) {
	tpl, err := template.Load(write(t, bucketTemplate), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &template.Bucket{ID: "FilesBucket", Name: "files-bucket",
		CORS:   []template.BucketCORS{{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"content-type"}, MaxAge: 60}},
		Events: []template.BucketEvent{{Queue: "checks-queue", Prefix: "uploads/", Suffix: "x"}}}
	if got := tpl.Bucket("files-bucket"); !reflect.DeepEqual(got, want) {
		t.Errorf("bucket = %+v, want %+v", got, want)
	}
	reader := tpl.Function("Reader").Environment
	if reader["FILES"] != "files-bucket" || reader["ARN"] != "arn:aws:s3:::files-bucket/uploads/*" {
		t.Errorf("environment = %v", reader)
	}
}

func TestLoadRefusesBucketsThatTheRunnerDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"property": {"LifecycleConfiguration", "WebsiteConfiguration", "WebsiteConfiguration"},
		"event":    {"s3:ObjectCreated:*", "s3:ObjectRemoved:*", "ObjectRemoved"},
		"no ARN":   {"!GetAtt ChecksQueue.Arn", "!Ref ChecksQueue", "not the Arn"},
		"unknown":  {"!GetAtt ChecksQueue.Arn", "arn:aws:sqs:us-east-1:000000000000:none", "none"},
		"filter":   {"Name: suffix", "Name: middle", "middle"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(bucketTemplate, c.old, c.new, 1)
			if text == bucketTemplate {
				t.Fatal("nothing to replace")
			}
			if _, err := template.Load(write(t, text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that names %s", err, c.want)
			}
		})
	}
}
