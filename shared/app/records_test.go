package app_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// told returns what the account's log has of the app under the action.
func (w *world) told(t *testing.T, about id.App, action record.Action) []record.Record {
	t.Helper()
	return slices.DeleteFunc(recordtest.All(t, w.apps.Logs, record.OfAccount(w.account)), func(r record.Record) bool {
		return r.Subject != about.String() || r.Action != action
	})
}

func TestRecords(t *testing.T) {
	w := newWorld(t)
	origin := record.Origin{Actor: "dev_1", Source: netip.MustParseAddr("203.0.113.7"), Reason: "because 原因"}
	made, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "r1", origin)
	storetest.OK(t, "Create", err)
	_, err = w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "r1", origin)
	storetest.OK(t, "Create again", err)
	text, name := made.ID.String(), "Room"
	for _, change := range []app.Change{{Name: &name}, {}, {Name: &name, Origins: []string{}}} { // the first changes something
		_, err = w.service.Change(t.Context(), w.account, text, change, origin)
		storetest.OK(t, "Change", err)
	}
	for range 2 {
		_, err = w.service.Delete(t.Context(), w.account, text, origin)
		storetest.OK(t, "Delete", err)
	}
	_, err = w.service.Change(t.Context(), w.account, text, app.Change{Origins: []string{"https://a.example"}}, origin)
	wantCode(t, "Change of a deleted app", err, fault.AppDeleted)
	_, err = w.service.Restore(t.Context(), w.account, text, origin)
	storetest.OK(t, "Restore", err)
	_, err = w.service.Restore(t.Context(), w.account, text, origin)
	wantCode(t, "Restore again", err, fault.AppNotDeleted)
	for action, want := range map[record.Action][2]string{
		record.AppCreated:  {"", `{"name":"Chat","allowed_origins":[]}`},
		record.AppChanged:  {`{"name":"Chat","allowed_origins":[]}`, `{"name":"Room","allowed_origins":[]}`},
		record.AppDeleted:  {"", `{"erase_at":"2096-03-21T12:00:00.123Z"}`},
		record.AppRestored: {"", ""},
	} {
		told := w.told(t, made.ID, action)
		if len(told) != 1 {
			t.Fatalf("%d records of %s", len(told), action)
		}
		got := told[0]
		if string(got.Before) != want[0] || string(got.After) != want[1] || got.Actor != origin.Actor || got.Source != origin.Source.String() ||
			got.Reason != origin.Reason || !got.At.Equal(w.clock.Now()) {
			t.Errorf("%s is recorded as %+v: %s, then %s", action, got, got.Before, got.After)
		}
	}
}

func TestErasingIsRecorded(t *testing.T) {
	w := newWorld(t)
	_, err := w.service.Delete(t.Context(), w.account, w.app.ID.String(), record.Origin{})
	storetest.OK(t, "Delete", err)
	w.clock.Advance(week)
	for range 2 {
		_, err = w.apps.BeginErasing(t.Context(), w.app.ID, w.clock.Now())
		storetest.OK(t, "BeginErasing", err)
	}
	told := w.told(t, w.app.ID, record.AppErased)
	if len(told) != 1 || told[0].Actor != "" || !told[0].At.Equal(w.clock.Now()) {
		t.Errorf("recorded %+v", told)
	}
}

// Changes at once of two things are both made, and each record says what that change was.
func TestChangeAtOnce(t *testing.T) {
	w := newWorld(t)
	name := "Room"
	changes := []app.Change{{Name: &name}, {Origins: []string{"https://a.example"}}}
	for _, err := range storetest.AtOnce(len(changes), func(i int) error {
		_, err := w.service.Change(t.Context(), w.account, w.app.ID.String(), changes[i], record.Origin{})
		return err
	}) {
		storetest.OK(t, "Change", err)
	}
	found, err := w.service.Find(t.Context(), w.account, w.app.ID.String())
	if err != nil || found.Name != name || len(found.Origins) != 1 {
		t.Errorf("the app is %+v, %v", found, err)
	}
	told := w.told(t, w.app.ID, record.AppChanged)
	if len(told) != 2 {
		t.Fatalf("recorded %+v", told)
	}
	if first, second := told[0], told[1]; string(first.After) != string(second.Before) && string(second.After) != string(first.Before) {
		t.Errorf("from %s to %s, and from %s to %s", first.Before, first.After, second.Before, second.After)
	}
}

func TestRoutesRecord(t *testing.T) {
	r := newWorld(t).as(authz.Owner)
	path := "/apps/" + r.app.ID.String()
	r.want(t, 422, "field_too_long", "DELETE", path+"?reason="+strings.Repeat("a", 501), "")
	r.want(t, 200, "", "PATCH", path, `{"name": "Room"}`)
	r.want(t, 200, "", "DELETE", path+"?reason=no%20longer%20needed", "")
	r.want(t, 200, "", "POST", path+"/restore", "")
	for action, reason := range map[record.Action]string{record.AppChanged: "", record.AppDeleted: "no longer needed", record.AppRestored: ""} {
		told := r.told(t, r.app.ID, action)
		if len(told) != 1 || told[0].Actor != string(r.caller.Developer) || told[0].Reason != reason {
			t.Errorf("%s is recorded as %+v", action, told)
		}
	}
}

// checkTold looks whether the records say what became of the app: neither a change without a record nor the reverse.
func checkTold(t *testing.T, w *world, restores bool) {
	t.Helper()
	found, err := w.service.Find(t.Context(), w.account, w.app.ID.String())
	storetest.OK(t, "Find", err)
	want := []record.Action{record.AppCreated}
	if restores || found.Deleted() {
		want = append(want, record.AppDeleted)
	}
	if restores && !found.Deleted() {
		want = append(want, record.AppRestored)
	}
	got := apptest.Told(t, w.apps.Logs, w.account, w.app.ID)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}
