package architecture

import (
	"maps"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/tokenim/tokenim/shared/api"
)

// asyncAPI is what the test reads of docs/asyncapi.yaml.
type asyncAPI struct {
	AsyncAPI string `yaml:"asyncapi"`
	Info     struct {
		Version string `yaml:"version"`
	} `yaml:"info"`
	Operations map[string]struct {
		Action     string `yaml:"action"`
		Permission string `yaml:"x-permission"`
		Messages   []struct {
			Ref string `yaml:"$ref"`
		} `yaml:"messages"`
	} `yaml:"operations"`
	Channels map[string]struct {
		Messages map[string]any `yaml:"messages"`
	} `yaml:"channels"`
}

func TestAsyncAPIDescribesTheActions(t *testing.T) {
	var document asyncAPI
	if err := yaml.Unmarshal([]byte(read(t, "docs/asyncapi.yaml")), &document); err != nil {
		t.Fatalf("docs/asyncapi.yaml: %v", err)
	}
	if document.AsyncAPI != "3.0.0" || document.Info.Version != api.Version {
		t.Errorf("docs/asyncapi.yaml is AsyncAPI %q of version %q; the API's is %q", document.AsyncAPI, document.Info.Version, api.Version)
	}
	actions := everything(t, refuseAll).socket.Actions()
	var described []string
	for name, operation := range document.Operations {
		if operation.Action != "receive" {
			continue
		}
		described = append(described, name)
		if operation.Permission != string(actions[name]) {
			t.Errorf("docs/asyncapi.yaml: %s asks for %q; the code for %q", name, operation.Permission, actions[name])
		}
		if want := "#/channels/socket/messages/" + name; len(operation.Messages) != 1 || operation.Messages[0].Ref != want {
			t.Errorf("docs/asyncapi.yaml: %s has the messages %v, want %s", name, operation.Messages, want)
		}
		if document.Channels["socket"].Messages[name] == nil {
			t.Errorf("docs/asyncapi.yaml: the channel lacks the message %s", name)
		}
	}
	same(t, "docs/asyncapi.yaml", described, "the socket", slices.Collect(maps.Keys(actions)))
}
