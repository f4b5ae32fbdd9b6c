package run_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/shared/bucket"
)

func TestAnObjectIsAnnouncedInItsQueue(t *testing.T) {
	r := start(t, options(t))
	environment := r.Environment("Worker")
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_S3": environment["AWS_ENDPOINT_URL_S3"], "FILES_BUCKET": environment["FILES_BUCKET"],
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": lambda.AccessKey, "AWS_SECRET_ACCESS_KEY": lambda.SecretKey} {
		t.Setenv(name, value)
	}
	files := bucket.FromEnvironment("FILES_BUCKET")
	for _, key := range []string{"new/a", "other/b"} {
		if err := files.Put(t.Context(), key, "text/plain", []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if d := depth(t, r.Ready().HTTP, "files-queue"); d.Visible != 1 {
		t.Errorf("depth = %+v, want one message", d)
	}
	usage := r.Stats().S3
	if len(usage) != 2 || usage[0].Function != "Worker" || usage[0].Action != "s3:PutObject" || usage[0].Resource != "files-bucket/new/*" {
		t.Errorf("usage = %+v", usage)
	}
}
