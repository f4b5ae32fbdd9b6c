package architecture

import (
	"encoding/json"
	"flag"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/template"
)

// stats is where a laptop runner with -meter counts what functions did, after something exercised all of them:
//
//	go test ./tests/architecture -run TestPoliciesFitWhatFunctionsDid -stats http://127.0.0.1:8080/_local/stats
var stats = flag.String("stats", "", "address of a metered runner's /_local/stats")

// rare is what functions are allowed and need seldom: any of them may be the first to want an app's data key, and a key's
// uses are counted once in 4096 messages.
var rare = []string{"dynamodb:PutItem data-keys-table", "dynamodb:Query data-keys-table", "dynamodb:UpdateItem data-keys-table"}

// TestPoliciesFitWhatFunctionsDid holds the policies to what the compiled functions really asked of DynamoDB: the laptop
// runner itself refuses nothing.
func TestPoliciesFitWhatFunctionsDid(t *testing.T) {
	if *stats == "" {
		t.Skip("no -stats")
	}
	did := map[string][]string{}
	for _, usage := range readStats(t) {
		name := usage.Action + " " + usage.Table
		if usage.Index != "" {
			name += "/index/" + usage.Index
		}
		did[usage.Function] = append(did[usage.Function], name)
	}
	for _, f := range loadTemplate(t).Functions {
		may := tableActions(f)
		for _, name := range lacking(may, did[f.Name]) {
			t.Errorf("%s did %s, which template.yaml does not allow: on AWS it is refused", f.Name, name)
		}
		for _, name := range lacking(slices.Concat(did[f.Name], rare), may) {
			t.Errorf("%s may %s and never did", f.Name, name)
		}
	}
}

// tableActions returns what the function may do to tables, such as "dynamodb:Query users-table/index/directory".
func tableActions(f *template.Function) []string {
	var may []string
	for _, statement := range f.Policies {
		_, target, ok := strings.Cut(statement.Resources[0], ":table/")
		for _, action := range statement.Actions {
			if ok {
				may = append(may, action+" "+target)
			}
		}
	}
	return may
}

func readStats(t *testing.T) []meter.Usage {
	t.Helper()
	answer, err := http.Get(*stats)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var snapshot meter.Snapshot
	if err := json.NewDecoder(answer.Body).Decode(&snapshot); err != nil {
		t.Fatal(err)
	}
	if len(snapshot.DynamoDB) == 0 {
		t.Fatal("the runner has counted nothing; it needs -meter")
	}
	return snapshot.DynamoDB
}
