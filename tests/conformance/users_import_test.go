//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// imported is how far an import has come, with a page of its rows.
type imported struct {
	ImportID   string        `json:"import_id"`
	Status     string        `json:"status"`
	Total      int           `json:"total"`
	Registered int           `json:"registered"`
	Refused    int           `json:"refused"`
	FinishedAt string        `json:"finished_at"`
	Items      []importedRow `json:"items"`
}

type importedRow struct {
	Row    int    `json:"row"`
	Status string `json:"status"`
	UserID string `json:"user_id"`
	Code   string `json:"code"`
	Field  string `json:"field"`
}

// begin begins an import, under the idempotency key where it is not "".
func begin(t *testing.T, key string, users any) client.Answer {
	t.Helper()
	header := map[string]string{}
	if key != "" {
		header["Idempotency-Key"] = key
	}
	return do(t, app, client.Request{Method: http.MethodPost, Path: "/users/import", Body: object{"users": users}, Header: header})
}

// awaitImported waits until the import is done, and returns it with all of its rows.
func awaitImported(t *testing.T, job string) (done imported) {
	t.Helper()
	client.WaitFor(t, "the import "+job, limit, func() bool {
		done = into[imported](t, get(t, app, "/users/import/"+job+"/rows?limit=1"))
		return done.Status == "done"
	})
	done.Items = pages[importedRow](t, app, "/users/import/"+job+"/rows?limit=100")
	return done
}

func TestImportUsers(t *testing.T) {
	t.Parallel()
	taken, one, two := register(t, "taken"), unique("Imported"), unique("imported")
	rows := []any{
		object{"username": one, "name": "Ann of the Mill", "avatar": "https://example.com/a.png", "custom": object{"team": 7}},
		object{"username": strings.ToUpper(one)}, object{"username": strings.ToUpper(taken.Name)}, object{"username": "a b"}, object{"username": "u_x"},
		object{}, 7, nil, "x", []any{}, object{"username": 7}, object{"username": two, "Username": "x"}, object{"username": two, "avatar": "javascript:alert(1)"},
		object{"username": two, "name": strings.Repeat("ü", 65)}, object{"username": two, "custom": []any{1}}, object{"username": two, "user_id": taken.ID},
		object{"username": two, "name": "a\u202eb"}, object{"username": two, "custom": object{"x": strings.Repeat("x", 2049)}},
		object{"username": two},
	}
	want := []importedRow{
		{1, "registered", "", "", ""}, {2, "refused", "", "username_duplicate", "username"}, {3, "refused", "", "username_taken", "username"},
		{4, "refused", "", "username_invalid", "username"}, {5, "refused", "", "username_reserved", "username"}, {6, "refused", "", "field_missing", "username"},
		{7, "refused", "", "field_type", ""}, {8, "refused", "", "field_type", ""}, {9, "refused", "", "field_type", ""}, {10, "refused", "", "field_type", ""},
		{11, "refused", "", "field_type", "username"}, {12, "refused", "", "field_unknown", ""}, {13, "refused", "", "field_invalid", "avatar"},
		{14, "refused", "", "field_too_long", "name"}, {15, "refused", "", "field_type", "custom"}, {16, "refused", "", "field_unknown", ""},
		{17, "refused", "", "field_invalid", "name"}, {18, "refused", "", "field_too_long", "custom"}, {19, "registered", "", "", ""},
	}
	begun := begin(t, "", rows)
	wantStatus(t, begun, http.StatusAccepted)
	done := awaitImported(t, begun.Text("import_id"))
	if done.Total != 19 || done.Registered != 2 || done.Refused != 17 || done.FinishedAt == "" || len(done.Items) != 19 {
		t.Fatalf("the import: %+v", done)
	}
	for i, row := range done.Items {
		registered := want[i].Status == "registered"
		if registered == (row.UserID == "") {
			t.Errorf("row %d: %+v", i+1, row)
		}
		row.UserID = ""
		if row != want[i] {
			t.Errorf("row %+v, want %+v", row, want[i])
		}
	}
	ann := into[profile](t, get(t, app, "/users/"+one))
	if ann.UserID != done.Items[0].UserID || ann.Username != one || ann.Name != "Ann of the Mill" || ann.Avatar != "https://example.com/a.png" || fmt.Sprint(ann.Custom) != "map[team:7]" {
		t.Errorf("registered %+v", ann)
	}
	wantStatus(t, post(t, app, "/send", object{"from": one, "to": two, "message": "hello"}), http.StatusOK)
	wantStatus(t, patch(t, app, "/users/"+two, object{"name": "Bob"}), http.StatusOK)
}

func TestARepeatedImport(t *testing.T) {
	t.Parallel()
	key, name := unique("import"), unique("once")
	rows := []object{{"username": name}, {"username": name + "-b"}}
	var jobs []string
	for range 3 {
		begun := begin(t, key, rows)
		wantStatus(t, begun, http.StatusAccepted)
		jobs = append(jobs, begun.Text("import_id"))
	}
	done := awaitImported(t, jobs[0])
	if jobs[1] != jobs[0] || jobs[2] != jobs[0] || done.Registered != 2 {
		t.Errorf("imports %v, %+v", jobs, done)
	}
	wantRefusal(t, begin(t, key, rows[:1]), http.StatusConflict, "idempotency_conflict")
	if again := into[imported](t, begin(t, key, rows)); again.Status != "done" || again.Registered != 2 {
		t.Errorf("again: %+v", again)
	}
	if users := pages[profile](t, app, "/users?limit=100&prefix="+name); len(users) != 2 {
		t.Errorf("registered: %+v", users)
	}
}

// A thousand rows are one import; the limits of the number of rows and of the body hold.
func TestALargeImport(t *testing.T) {
	t.Parallel()
	name := unique("many")
	rows := make([]object, 1001)
	for i := range rows {
		rows[i] = object{"username": fmt.Sprintf("%s-%d", name, i), "custom": object{"padding": strings.Repeat("x", 400)}}
	}
	wantRefusal(t, begin(t, "", rows), http.StatusUnprocessableEntity, "field_too_long")
	size := 1000
	if testing.Short() {
		size = 60 // the emulator would have nothing left for the other tests for minutes
	}
	rows = rows[:size]
	wantRefusal(t, begin(t, "", []object{}), http.StatusUnprocessableEntity, "field_too_short")
	large := object{"username": name, "custom": object{"padding": strings.Repeat("x", 512<<10)}}
	wantRefusal(t, begin(t, "", []object{large}), http.StatusRequestEntityTooLarge, "body_too_large")
	begun := begin(t, "", rows)
	wantStatus(t, begun, http.StatusAccepted)
	done := awaitImported(t, begun.Text("import_id"))
	if done.Registered != size || len(done.Items) != size {
		t.Fatalf("registered %d of %d rows", done.Registered, len(done.Items))
	}
	users := map[string]bool{}
	for i, row := range done.Items {
		users[row.UserID] = true
		if row.Row != i+1 {
			t.Errorf("row %d stands at %d", row.Row, i+1)
		}
	}
	if last := get(t, app, fmt.Sprintf("/users/%s-%d", name, size-1)); len(users) != size || last.Text("user_id") != done.Items[size-1].UserID {
		t.Errorf("%d users; the last is %s", len(users), last)
	}
	wantRefusal(t, get(t, app, "/users/import/import_0000000000000000000000/rows"), http.StatusNotFound, "import_not_found")
	wantRefusal(t, get(t, app, "/users/import/x/rows"), http.StatusNotFound, "import_not_found")
	wantRefusal(t, get(t, app, "/users/import/"+done.ImportID+"/rows?cursor=x"), http.StatusBadRequest, "cursor_invalid")
}
