//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func TestRegisterAndLookUp(t *testing.T) {
	t.Parallel()
	name := unique("Ann")
	made := post(t, app, "/register", object{"username": name})
	wantStatus(t, made, http.StatusCreated)
	var user client.Profile
	if err := made.Into(&user); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, user.CreatedAt); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("created_at %q: %v", user.CreatedAt, err)
	}
	if user.Username != name || !strings.HasPrefix(user.UserID, "u_") {
		t.Errorf("%+v", user)
	}
	found := get(t, app, "/users/"+user.UserID)
	wantStatus(t, found, http.StatusOK)
	var again client.Profile
	if err := found.Into(&again); err != nil || again != user {
		t.Errorf("registered %+v, found %+v (%v)", user, again, err)
	}
	byName := get(t, app, "/users/"+strings.ToUpper(name))
	if string(byName.Body) != string(found.Body) {
		t.Errorf("by ID %s, by name %s", found, byName)
	}
	unknown := user.UserID[:len(user.UserID)-1] + other(user.UserID[len(user.UserID)-1])
	for _, id := range []string{unknown, "u_", "nobody" + mark, "c_x"} {
		problem := wantRefusal(t, get(t, app, "/users/"+id), http.StatusNotFound, "user_not_found")
		wantField(t, problem, "id", "user_not_found")
	}
}

func TestNamesInManyScripts(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"用户", "ユーザー", "사용자", "пользователь", "χρήστης", "مستخدم", "משתמש", "उपयोगकर्ता", "ผู้ใช้", "José", "ẞtraße", "𠮷野", "नमस्ते", "ქართული", "Zoë.O_1"} {
		name := script + mark
		answer := post(t, app, "/register", object{"username": name})
		if answer.Status != http.StatusCreated {
			t.Errorf("%s: %s", name, answer)
			continue
		}
		sent := post(t, app, "/send", object{"from": register(t, "ann").ID, "to": name, "message": script})
		wantStatus(t, sent, http.StatusOK)
	}
}

func TestNamesThatAreTheSame(t *testing.T) {
	t.Parallel()
	name := unique("Größe")
	wantStatus(t, post(t, app, "/register", object{"username": name}), http.StatusCreated)
	decomposed := strings.ReplaceAll(name, "ö", "o\u0308")
	wide := strings.ReplaceAll(name, "G", "Ｇ")
	for _, same := range []string{name, strings.ToUpper(name[:1]) + strings.ToLower(name[1:]), strings.ToLower(name), decomposed, wide} {
		wantRefusal(t, post(t, app, "/register", object{"username": same}), http.StatusConflict, "username_taken")
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", " ", "two words", "tab\there", "a\u200bb", "\u202etrick", "emoji😀", strings.Repeat("x", 65), strings.Repeat("用", 22), "a/b\u0007", "a/b", "a?b", "a#b", "100%", "..", "ａ／ｂ"} {
		problem := wantRefusal(t, post(t, app, "/register", object{"username": name}), 422, "username_invalid", "field_too_short", "field_too_long")
		if len(problem.Errors) == 0 || problem.Errors[0].Field != "username" {
			t.Errorf("%q: the field is not named: %+v", name, problem.Errors)
		}
	}
	for _, prefix := range []string{"app_", "key_", "u_", "g_", "c_", "U_", "Key_", "ｕ_"} {
		wantRefusal(t, post(t, app, "/register", object{"username": prefix + mark}), 422, "username_reserved")
	}
	wantStatus(t, post(t, app, "/register", object{"username": strings.Repeat("y", 64-len(mark)) + mark}), http.StatusCreated)
}

// TestPathsAreDecodedOnce: what looks like an escape once a path is decoded is a text, and stands for nobody else.
func TestPathsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	user := register(t, "victim")
	name := user.Name
	if found := get(t, app, "/users/"+url.PathEscape(name)); found.Text("user_id") != user.ID {
		t.Errorf("by name: %s", found)
	}
	escaped := fmt.Sprintf("%%%02x", name[0]) + name[1:] // v is %76
	if found := get(t, app, "/users/"+escaped); found.Text("user_id") != user.ID {
		t.Errorf("by an escaped name: %s", found)
	}
	wantRefusal(t, get(t, app, "/users/"+url.PathEscape(escaped)), http.StatusNotFound, "user_not_found")
	wantRefusal(t, post(t, app, "/users/"+url.PathEscape(escaped)+"/tokens", object{}), http.StatusNotFound, "user_not_found")
	kanji := unique("周杰")
	wantStatus(t, post(t, app, "/register", object{"username": kanji}), http.StatusCreated)
	wantStatus(t, get(t, app, "/users/"+url.PathEscape(kanji)), http.StatusOK)
}

func TestOneOfFiftyGetsTheName(t *testing.T) {
	t.Parallel()
	name := unique("wanted")
	answers := together(50, func(int) client.Answer {
		return post(t, app, "/register", object{"username": name})
	})
	won := 0
	for _, answer := range answers {
		if answer.Status == http.StatusCreated {
			won++
			continue
		}
		wantRefusal(t, answer, http.StatusConflict, "username_taken")
	}
	if won != 1 {
		t.Errorf("%d registrations won", won)
	}
}

// together runs n calls at once and returns what each returned. On the emulator sixteen at most are on their way: it serves all
// of them and what they call in one thread, and on a slow machine more would wait until the functions give up.
func together[T any](n int, call func(i int) T) []T {
	results := make([]T, n)
	start, places := make(chan struct{}), make(chan struct{}, n)
	if onMinistack {
		places = make(chan struct{}, 16)
	}
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			places <- struct{}{}
			results[i] = call(i)
			<-places
		})
	}
	close(start)
	group.Wait()
	return results
}

func TestRegistrationIsIdempotent(t *testing.T) {
	t.Parallel()
	request := client.Request{Path: "/register", Body: object{"username": unique("once")}, Header: map[string]string{"Idempotency-Key": unique("k")}}
	answers := together(10, func(int) client.Answer { return do(t, app, request) })
	for _, answer := range answers {
		wantStatus(t, answer, http.StatusCreated)
		if string(answer.Body) != string(answers[0].Body) {
			t.Errorf("%s, but %s", answers[0], answer)
		}
	}
	request.Body = object{"username": unique("twice")}
	wantRefusal(t, do(t, app, request), http.StatusConflict, "idempotency_conflict")
	request.Header = map[string]string{"Idempotency-Key": strings.Repeat("k", 129)}
	wantRefusal(t, do(t, app, request), 422, "field_too_long")
}

func TestUsersAreListedByName(t *testing.T) {
	t.Parallel()
	const many = 130
	names := map[string]bool{}
	together(8, func(i int) any {
		for n := i; n < many; n += 8 {
			wantStatus(t, post(t, app, "/register", object{"username": "List-" + mark + "-" + string(rune('a'+n%26)) + unique("")}), http.StatusCreated)
		}
		return nil
	})
	var listed []string
	for _, user := range pages[client.Profile](t, app, "/users?limit=37") {
		listed = append(listed, strings.ToLower(user.Username))
		if strings.HasPrefix(user.Username, "List-"+mark) {
			names[user.Username] = true
		}
	}
	if len(names) != many {
		t.Errorf("%d of %d users are listed", len(names), many)
	}
	if !slices.IsSorted(listed) || len(slices.Compact(slices.Clone(listed))) != len(listed) {
		t.Error("the users are not listed each once, in the order of their names")
	}
}

func TestListParameters(t *testing.T) {
	t.Parallel()
	for query, code := range map[string]string{"limit=0": "field_out_of_range", "limit=101": "field_out_of_range", "limit=-1": "field_out_of_range",
		"limit=x": "field_type", "limit=1.5": "field_type", "Limit=1": "field_unknown", "page=2": "field_unknown", "cursor=" + strings.Repeat("a", 513): "field_too_long"} {
		problem := wantRefusal(t, get(t, app, "/users?"+query), 422, code)
		if len(problem.Errors) != 1 {
			t.Errorf("%s: errors %+v", query, problem.Errors)
		}
	}
	for _, cursor := range []string{"x", "AAAA", "%20", "null", strings.Repeat("A", 60)} {
		wantRefusal(t, get(t, app, "/users?cursor="+cursor), http.StatusBadRequest, "cursor_invalid")
	}
}

func TestRootAnswersWhatBelongsToNoResource(t *testing.T) {
	t.Parallel()
	nobody := app.With("")
	if status := get(t, nobody, "/status"); status.Status != http.StatusOK || status.Text("status") != "ok" {
		t.Errorf("status %s", status)
	}
	if description := get(t, nobody, "/openapi.json"); description.Status != http.StatusOK || !strings.HasPrefix(description.Text("openapi"), "3.1") {
		t.Errorf("description %s", description)
	}
	for _, path := range []string{"/", "/nothing", "/users/x/y/z", "//send", "/Send", "/send/"} {
		if path == "//send" && onMinistack { // it normalises paths
			continue
		}
		wantRefusal(t, get(t, nobody, path), http.StatusNotFound, "route_not_found")
	}
	answer := do(t, nobody, client.Request{Method: http.MethodPut, Path: "/send", Body: object{}})
	wantRefusal(t, answer, http.StatusMethodNotAllowed, "method_not_allowed")
	if answer.Header.Get("Allow") != "POST" {
		t.Errorf("Allow: %q", answer.Header.Get("Allow"))
	}
}
