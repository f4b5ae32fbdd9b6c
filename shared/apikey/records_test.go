package apikey_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// told returns what the app's log has of the subject under the action.
func (f *fixture) told(t *testing.T, subject id.Key, action record.Action) []record.Record {
	t.Helper()
	return slices.DeleteFunc(recordtest.All(t, f.store.Logs, record.OfApp(f.maker.App)), func(r record.Record) bool {
		return r.Subject != string(subject) || r.Action != action
	})
}

// wantTold checks that the log has one such record, and what it says.
func (f *fixture) wantTold(t *testing.T, subject id.Key, action record.Action, origin record.Origin, permissions, before, after string) {
	t.Helper()
	told := f.told(t, subject, action)
	if len(told) != 1 {
		t.Fatalf("%s: %d records of %s", subject, len(told), action)
	}
	got := told[0]
	if got.Actor != origin.Actor || got.Source != origin.Source.String() || got.Reason != origin.Reason || !got.At.Equal(f.clock.Now()) {
		t.Errorf("%s by %q from %q because %q at %v, want %+v", action, got.Actor, got.Source, got.Reason, got.At, origin)
	}
	if strings.Join(got.Permissions, " ") != permissions || string(got.Before) != before || string(got.After) != after {
		t.Errorf("%s about %q: %s, then %s\nwant %q: %s, then %s", action, got.Permissions, got.Before, got.After, permissions, before, after)
	}
}

func TestRecords(t *testing.T) {
	f := setUp()
	origin := record.Origin{Actor: f.maker.By, Source: netip.MustParseAddr("203.0.113.7"), Reason: "because 原因"}
	f.maker.From, f.maker.Reason = origin.Source, origin.Reason
	asked := apikey.Request{Name: "backend", Scopes: []string{"keys:manage", "messages:send"}, Sources: sources("::1/128"),
		ExpiresAt: storetest.Noon().Add(48 * time.Hour), IdempotencyKey: "r1"}
	first, _ := f.create(t, asked)
	_, _, err := f.Create(t.Context(), f.maker, asked) // a replay, which leaves no second record
	storetest.OK(t, "Create again", err)
	f.wantTold(t, first.ID, record.KeyCreated, origin, "keys:manage messages:send", "",
		`{"name":"backend","scopes":["keys:manage","messages:send"],"allowed_cidrs":["::1/128"],"expires_at":"2096-03-16T12:00:00.123Z"}`)

	narrowed, err := f.Narrow(t.Context(), f.maker.App, first.ID, []string{"keys:manage", "users:list"}, origin)
	if err != nil || !slices.Equal(narrowed.Scopes, []string{"messages:send"}) || narrowed.Rights.Base != authz.SetOf(authz.MessagesSend) {
		t.Errorf("narrowed %+v, %v", narrowed, err)
	}
	_, err = f.Narrow(t.Context(), f.maker.App, first.ID, []string{"keys:manage"}, origin)
	storetest.OK(t, "Narrow of what is gone", err)
	f.wantTold(t, first.ID, record.KeyNarrowed, origin, "keys:manage", `{"scopes":["keys:manage","messages:send"]}`, `{"scopes":["messages:send"]}`)

	made, _, _ := f.rotate(t, first.ID, apikey.Rotation{ExpiresAt: storetest.Noon().Add(time.Hour), Sources: sources()})
	f.wantTold(t, first.ID, record.KeyRotated, origin, "", "",
		`{"rotated_to":"`+string(made.ID)+`","expires_at":"2096-03-14T12:00:00.123Z","revoked_at":"2096-03-14T12:00:00.123Z"}`)
	f.wantTold(t, made.ID, record.KeyCreated, origin, "messages:send", "",
		`{"name":"backend","scopes":["messages:send"],"expires_at":"2096-03-14T13:00:00.123Z","rotated_from":"`+string(first.ID)+`"}`)

	for range 2 {
		_, err = f.Revoke(t.Context(), f.maker.App, made.ID, origin)
		storetest.OK(t, "Revoke", err)
	}
	f.wantTold(t, made.ID, record.KeyRevoked, origin, "", "", "")
}

// What is refused leaves no record.
func TestRefusalsLeaveNoRecord(t *testing.T) {
	f := setUp()
	for _, asked := range []apikey.Request{{Scopes: []string{"users:list"}}, {ExpiresAt: storetest.Noon()}} {
		if _, _, err := f.Create(t.Context(), f.maker, asked); err == nil {
			t.Errorf("made %+v", asked)
		}
	}
	unknown := id.Source{}.Key(f.maker.App)
	_, err := f.Revoke(t.Context(), f.maker.App, unknown, record.Origin{})
	wantCode(t, "Revoke", err, fault.KeyNotFound)
	_, err = f.Narrow(t.Context(), f.maker.App, unknown, []string{"messages:send"}, record.Origin{})
	wantCode(t, "Narrow", err, fault.KeyNotFound)
	_, _, err = f.Rotate(t.Context(), f.maker, unknown, apikey.Rotation{})
	wantCode(t, "Rotate", err, fault.KeyNotFound)
	f.store.DeleteApp(f.maker.App, true)
	_, _, err = f.Create(t.Context(), f.maker, request(""))
	wantCode(t, "Create in a deleted app", err, fault.AppDeleted)
	if all := recordtest.All(t, f.store.Logs, record.OfApp(f.maker.App)); len(all) != 0 {
		t.Errorf("recorded %+v", all)
	}
}

func TestBootstrapIsRecorded(t *testing.T) {
	f := setUp()
	text, err := f.Bootstrap(t.Context(), f.maker.App, []string{"keys:manage"})
	storetest.OK(t, "Bootstrap", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	told := f.told(t, secret.ID, record.KeyCreated)
	if len(told) != 1 || told[0].Actor != "" || told[0].Source != "" || !slices.Equal(told[0].Permissions, []string{"keys:manage"}) {
		t.Errorf("recorded %+v", told)
	}
}

func TestNarrowRefuses(t *testing.T) {
	f := setUp()
	revoked, _ := f.create(t, request(""))
	_, err := f.Revoke(t.Context(), f.maker.App, revoked.ID, record.Origin{})
	storetest.OK(t, "Revoke", err)
	expired, _ := f.create(t, request(""))
	f.clock.Advance(time.Hour)
	for keyID, want := range map[id.Key]fault.Code{revoked.ID: fault.KeyNotActive, expired.ID: fault.KeyNotActive,
		id.Source{}.Key(id.Source{}.App()): fault.KeyNotFound, "app": fault.KeyNotFound, "policy": fault.KeyNotFound} {
		_, err := f.Narrow(t.Context(), f.maker.App, keyID, []string{"messages:send"}, record.Origin{})
		wantCode(t, "Narrow of "+string(keyID), err, want)
	}
}

// Of what is taken away at once everything goes, each by one record.
func TestNarrowAtOnce(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes})
	for _, err := range storetest.AtOnce(4, func(i int) error {
		_, err := f.Narrow(t.Context(), f.maker.App, key.ID, f.maker.Scopes[i%2:1+i%2], record.Origin{})
		return err
	}) {
		storetest.OK(t, "Narrow", err)
	}
	found, err := f.Get(t.Context(), f.maker.App, key.ID)
	if err != nil || len(found.Scopes) != 0 || len(f.told(t, key.ID, record.KeyNarrowed)) != 2 {
		t.Errorf("narrowed to %+v, %v, by %+v", found, err, f.told(t, key.ID, record.KeyNarrowed))
	}
}

// alwaysChanged is a store in which every key was narrowed since it was read.
type alwaysChanged struct{ *apikeytest.Store }

func (a alwaysChanged) Get(ctx context.Context, app id.App, keyID id.Key) (apikey.Key, error) {
	key, err := a.Store.Get(ctx, app, keyID)
	key.Scopes = append(slices.Clone(key.Scopes), "users:list")
	return key, err
}

// Whoever is overtaken without end may try again, and a rotation does not bring back what was taken away.
func TestOvertaken(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes})
	f.Store, f.maker.Scopes = alwaysChanged{f.store}, authz.Scopes()
	_, err := f.Narrow(t.Context(), f.maker.App, key.ID, []string{"messages:send"}, record.Origin{})
	wantCode(t, "Narrow", err, fault.Overtaken)
	_, text, err := f.Rotate(t.Context(), f.maker, key.ID, apikey.Rotation{})
	wantCode(t, "Rotate", err, fault.Overtaken)
	if text != "" || !errors.Is(err, apikey.ErrNotRotatable) {
		t.Errorf("Rotate: %v", err)
	}
	if told := recordtest.All(t, f.store.Logs, record.OfApp(f.maker.App)); len(told) != 1 {
		t.Errorf("recorded %+v", told)
	}
}

func TestRoutesTakeReasons(t *testing.T) {
	f := setUp()
	r := f.asDeveloper()
	made := r.must(t, http.StatusCreated, http.MethodPost, "/keys", `{"name": "backend", "scopes": ["messages:send"], "reason": "new backend"}`)
	first := id.Key(made["key_id"].(string))
	next := r.must(t, http.StatusCreated, http.MethodPost, "/keys/"+string(first)+"/rotate", `{"reason": "quarterly"}`)
	second := id.Key(next["key_id"].(string))
	long := strings.Repeat("原", 501)
	r.refused(t, fault.FieldTooLong, http.MethodDelete, "/keys/"+string(second)+"?reason="+long, "")
	r.refused(t, fault.FieldTooLong, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"], "reason": "`+long+`"}`)
	r.must(t, http.StatusOK, http.MethodDelete, "/keys/"+string(second)+"?reason=lost%20%E4%B8%A2%E5%A4%B1", "")
	r.must(t, http.StatusOK, http.MethodDelete, "/keys/"+string(first), "")
	for _, want := range []struct {
		key    id.Key
		action record.Action
		reason string
	}{{first, record.KeyCreated, "new backend"}, {first, record.KeyRotated, "quarterly"}, {second, record.KeyCreated, "quarterly"},
		{second, record.KeyRevoked, "lost 丢失"}, {first, record.KeyRevoked, ""}} {
		told := f.told(t, want.key, want.action)
		if len(told) != 1 || told[0].Reason != want.reason || told[0].Actor != f.maker.By || told[0].Source != requestSource {
			t.Errorf("%s: recorded %+v", want.action, told)
		}
	}
}

func TestRoutesShowWhenPermissionsWereUsed(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, request(""))
	r := f.asDeveloper()
	if shown := r.must(t, http.StatusOK, http.MethodGet, "/keys/"+string(key.ID), ""); shown["permissions_last_used"] != nil {
		t.Errorf("shown %v", shown)
	}
	storetest.OK(t, "UsedFor", f.store.UsedFor(t.Context(), f.maker.App, key.ID, authz.MessagesSend, 20636))
	storetest.OK(t, "UsedFor", f.store.UsedFor(t.Context(), f.maker.App, key.ID, authz.UsersList, 0))
	for _, shown := range []map[string]any{r.must(t, http.StatusOK, http.MethodGet, "/keys/"+string(key.ID), ""),
		r.must(t, http.StatusOK, http.MethodGet, "/keys", "")["items"].([]any)[0].(map[string]any)} {
		used, _ := shown["permissions_last_used"].(map[string]any)
		if len(used) != 2 || used["messages:send"] != "2026-07-02" || used["users:list"] != "1970-01-01" {
			t.Errorf("shown %v", shown)
		}
	}
}
