package pattern_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/pattern"
)

// record is one of a DynamoDB stream, in part.
const record = `{"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "app#g"}}, "NewImage": {
	"large": {"N": "1"}, "open": {"BOOL": true}, "none": {"NULL": true}, "names": {"SS": ["ann", "bob"]},
	"list": {"L": [{"S": "one"}, {"N": "2"}]}, "empty": {"L": []}}}}`

func TestMatches(t *testing.T) {
	image := func(name, rest string) string { return `{"dynamodb": {"NewImage": {"` + name + `": ` + rest + `}}}` }
	for text, want := range map[string]bool{
		`{"eventName": ["INSERT"]}`:           true,
		`{"eventName": ["MODIFY", "INSERT"]}`: true,
		`{"eventName": ["MODIFY"]}`:           false,
		`{"eventName": [{"prefix": "INS"}]}`:  true,
		`{"eventName": [{"prefix": "NS"}]}`:   false,
		`{"eventName": ["INSERT"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "app#"}]}}}}`: true,
		`{"eventName": ["REMOVE"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "app#"}]}}}}`: false,
		image("large", `{"N": [{"exists": true}]}`):                                            true,
		image("large", `{"N": ["1"]}`):                                                         true,
		image("large", `{"N": [{"exists": false}]}`):                                           false,
		image("large", `{"S": [{"exists": true}]}`):                                            false,
		image("small", `{"N": [{"exists": true}]}`):                                            false,
		image("small", `{"N": [{"exists": false}]}`):                                           true,
		image("small", `{"N": [null]}`):                                                        false,
		image("large", `[{"exists": true}]`):                                                   false, // not a leaf of the record
		image("open", `{"BOOL": [true]}`):                                                      true,
		image("open", `{"BOOL": [false, "true"]}`):                                             false,
		image("names", `{"SS": ["bob"]}`):                                                      true,
		image("names", `{"SS": ["eve"]}`):                                                      false,
		image("list", `{"L": {"S": ["one"]}}`):                                                 true,
		image("list", `{"L": {"S": ["two"]}}`):                                                 false,
		image("list", `{"L": {"S": ["one"], "N": ["2"]}}`):                                     false, // of two items
		image("empty", `{"L": [{"exists": true}]}`):                                            false,
		image("empty", `{"L": [{"exists": false}]}`):                                           true,
		`{"dynamodb": {"OldImage": {"large": {"N": [{"exists": false}]}}}}`:                    true,
	} {
		p, err := pattern.Parse(text, "eventName", "dynamodb")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(record), &value); err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(value); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestParseRefusesWhatItCannotEvaluate(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                  "not a JSON object",
		`["INSERT"]`:                         "not a JSON object",
		`{}`:                                 "empty object",
		`{"dynamodb": {}}`:                   "dynamodb: the pattern has an empty object",
		`{"body": {"x": ["y"]}}`:             `"body"`,
		`{"eventName": "INSERT"}`:            "neither an object nor a list",
		`{"eventName": []}`:                  "empty list",
		`{"eventName": [7]}`:                 "7 is not known",
		`{"eventName": [["INSERT"]]}`:        `["INSERT"] is not known`,
		`{"eventName": [{"suffix": "T"}]}`:   `{"suffix":"T"} is not known`,
		`{"eventName": [{"exists": "yes"}]}`: `{"exists":"yes"} is not known`,
		`{"eventName": [{"exists": true, "prefix": "x"}]}`:     "is not known",
		`{"dynamodb": {"$or": [{"exists": true}]}}`:            "dynamodb: $or: not known",
		`{"dynamodb": {"N": [{"numeric": [">", 1]}]}}`:         "numeric",
		`{"eventName": ["` + strings.Repeat("x", 4096) + `"]}`: "4096",
	} {
		if _, err := pattern.Parse(text, "eventName", "dynamodb"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want one that names %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"eventName": ["INSERT", null, true, {"exists": false}, {"prefix": ""}]}`)
	f.Add(`{"dynamodb": {"NewImage": {"x": {"L": {"S": ["y"]}}}}}`)
	var value any
	if err := json.Unmarshal([]byte(record), &value); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := pattern.Parse(text, "eventName", "dynamodb")
		if (p == nil) != (err != nil) {
			t.Fatalf("%v, %v", p, err)
		}
		if p != nil {
			p.Matches(value)
		}
	})
}
