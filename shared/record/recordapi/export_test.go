package recordapi

import (
	stdcsv "encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestCell(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "two words": "two words", "周杰倫": "周杰倫", "a=b": "a=b", "1-1": "1-1",
		"a,b": `"a,b"`, `say "x"`: `"say ""x"""`, "a\nb": "\"a\nb\"", "a\r\nb": "\"a\r\nb\"", " a": `" a"`, "a ": `"a "`,
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "\"'\t=1\"", "\r=1": "\"'\r=1\"", "\n=1": "\"'\n=1\"",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠SUM(A1)": "'＠SUM(A1)",
		`=HYPERLINK("x","y")`: `"'=HYPERLINK(""x"",""y"")"`,
	} {
		want := want
		if text == "\t=1" {
			want = "'\t=1" // a tab needs no quotes once it is not at an end
		}
		if got := cell(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// draw returns a record with any texts.
func draw(r *rapid.T) record.Record {
	text := rapid.StringOf(rapid.RuneFrom([]rune("a=+-@＝＋－＠,\"' \t\r\n<&é周\u2028")))
	made := record.New("app_x", storetest.Noon(), record.Origin{Actor: text.Draw(r, "actor"), Reason: text.Draw(r, "reason")},
		record.KeyCreated, text.Draw(r, "subject"), nil, map[string]string{"name": text.Draw(r, "name")}).About("messages:send", "users:list")
	made.Chain, made.Seq = 3, 17
	return made
}

// What a reader of CSV gets is what was recorded, and begins no formula.
func TestCSVIsReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		made := draw(r)
		line := csv(shown(made))
		if !strings.HasSuffix(line, "\r\n") {
			r.Fatalf("%q", line)
		}
		reader := stdcsv.NewReader(strings.NewReader(strings.ReplaceAll(line[:len(line)-2], "\r", "␍"))) // which it would drop
		cells, err := reader.Read()
		if err != nil || len(cells) != 10 {
			r.Fatalf("%q: %v, %v", line, cells, err)
		}
		want := []string{"rec_3_17", "2096-03-14T12:00:00.123Z", "key.created", made.Actor, "", made.Subject, "messages:send users:list", made.Reason, "", string(made.After)}
		for i, cell := range cells {
			cell = strings.ReplaceAll(cell, "␍", "\r")
			if strings.IndexAny(cell, "=+-@\t\r\n＝＋－＠") == 0 {
				r.Errorf("cell %d is a formula: %q", i, cell)
			}
			if cell != want[i] && cell != "'"+want[i] {
				r.Errorf("cell %d: %q, want %q", i, cell, want[i])
			}
		}
	})
}

func TestNDJSONIsReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		made := draw(r)
		line := ndjson(shown(made))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			r.Fatalf("%q", line)
		}
		var got Audit
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			r.Fatal(err)
		}
		if got.RecordID != "rec_3_17" || got.Actor != made.Actor || got.Reason != made.Reason || got.Subject != made.Subject || len(got.Permissions) != 2 {
			r.Fatalf("%q: %+v", line, got)
		}
	})
}
