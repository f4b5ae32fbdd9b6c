package run_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/local/run"
)

// lines collects a runner's output.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

const watchedMain = `package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (map[string]any, error) { return map[string]any{"version": 1}, nil })
}
`

const watchedTemplate = `
Resources:
  HttpApi: {Type: AWS::Serverless::HttpApi, Properties: {}}
  Watched:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/watched/
      Events: {All: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: ANY, Path: $default}}}
`

// repository makes a small repository that uses this one's module cache.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "template.yaml"), watchedTemplate)
	write(t, filepath.Join(root, "functions/watched/main.go"), watchedMain)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), string(text))
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsBuiltAndABrokenOneIsNot(t *testing.T) {
	root, output := repository(t), &lines{}
	r := start(t, run.Options{Root: root, Memory: true, Watch: true, Log: output})
	version := func() int {
		var answer struct{ Version int }
		get(t, r.Ready().HTTP+"/", &answer)
		return answer.Version
	}
	if got := version(); got != 1 {
		t.Fatalf("version %d", got)
	}
	source := filepath.Join(root, "functions/watched/main.go")
	write(t, source, strings.Replace(watchedMain, `"version": 1`, `"version": nonsense`, 1))
	await(t, "the compiler's error", func() bool { return output.has("undefined: nonsense") })
	if got := version(); got != 1 {
		t.Errorf("version %d after a failed build, want the old one", got)
	}
	write(t, source, strings.Replace(watchedMain, `"version": 1`, `"version": 2`, 1))
	await(t, "the new version", func() bool { return version() == 2 })
}
