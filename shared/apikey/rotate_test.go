package apikey_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// rotate replaces the key and returns the new one with its parsed text, and the old one as it stands then.
func (f *fixture) rotate(t *testing.T, keyID id.Key, request apikey.Rotation) (made apikey.Key, secret apikey.Secret, old apikey.Key) {
	t.Helper()
	made, text, err := f.Rotate(t.Context(), f.maker, keyID, request)
	storetest.OK(t, "Rotate", err)
	secret, err = apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	old, err = f.store.Get(t.Context(), f.maker.App, keyID)
	storetest.OK(t, "Get", err)
	return made, secret, old
}

func TestRotate(t *testing.T) {
	f := setUp()
	asked := request("")
	asked.Sources, asked.ExpiresAt = sources("203.0.113.0/24"), storetest.Noon().Add(48*time.Hour)
	first, oldSecret := f.create(t, asked)
	f.clock.Advance(time.Hour)
	now := f.clock.Now()
	made, secret, old := f.rotate(t, first.ID, apikey.Rotation{Overlap: time.Hour})
	want := apikey.Key{ID: made.ID, App: first.App, Name: first.Name, Scopes: first.Scopes, Rights: first.Rights, Hash: secret.Hash, CreatedAt: now,
		CreatedBy: f.maker.By, Fingerprint: made.Fingerprint, RotatedFrom: first.ID, Sources: first.Sources, ExpiresAt: now.Add(48 * time.Hour)}
	if !reflect.DeepEqual(made, want) || made.ID == first.ID {
		t.Errorf("made %+v\nwant %+v", made, want)
	}
	want = first
	want.RotatedTo, want.RotatedAt, want.ExpiresAt, want.Rights.Version = made.ID, now, now.Add(time.Hour), 1
	if !reflect.DeepEqual(old, want) {
		t.Errorf("the old key = %+v\nwant %+v", old, want)
	}
	for _, at := range []time.Time{now, now.Add(time.Hour - 1)} {
		wantCode(t, "the old key in the overlap", old.Check(oldSecret, at), "")
		wantCode(t, "the new key in the overlap", made.Check(secret, at), "")
	}
	wantCode(t, "the old key after it", old.Check(oldSecret, now.Add(time.Hour)), fault.APIKeyExpired)
	f.sockets.want(t)
}

func TestRotateWithoutOverlap(t *testing.T) {
	f := setUp()
	first, oldSecret := f.create(t, request(""))
	f.sockets.err = errors.New("no answer") // which costs nobody the new key's text
	_, _, old := f.rotate(t, first.ID, apikey.Rotation{})
	wantCode(t, "the old key by a clock that is behind", old.Check(oldSecret, storetest.Noon().Add(-time.Second)), fault.APIKeyRevoked)
	f.sockets.want(t, first.ID)
}

// The old key lives on no longer than it would have.
func TestRotateDoesNotProlong(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, request(""))
	_, _, old := f.rotate(t, first.ID, apikey.Rotation{Overlap: 24 * time.Hour})
	if !old.ExpiresAt.Equal(first.ExpiresAt) {
		t.Errorf("the old key expires at %v, before at %v", old.ExpiresAt, first.ExpiresAt)
	}
}

func TestRotateChooses(t *testing.T) {
	f := setUp()
	for name, test := range map[string]struct {
		expires, chosen, want         time.Duration // after noon, 0 for never
		sources, chooses, wantSources []netip.Prefix
	}{
		"nothing, of a key without bounds": {},
		"an end":                           {chosen: time.Minute, want: time.Minute},
		"a longer life":                    {expires: time.Hour, chosen: 9 * time.Hour, want: 9 * time.Hour},
		"addresses":                        {chooses: sources("::1/128"), wantSources: sources("::1/128")},
		"any address":                      {sources: sources("::1/128"), chooses: sources()},
	} {
		after := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return storetest.Noon().Add(d)
		}
		first, _ := f.create(t, apikey.Request{Sources: test.sources, ExpiresAt: after(test.expires)})
		made, _, _ := f.rotate(t, first.ID, apikey.Rotation{Overlap: time.Minute, ExpiresAt: after(test.chosen), Sources: test.chooses})
		if !made.ExpiresAt.Equal(after(test.want)) || !reflect.DeepEqual(made.Sources, test.wantSources) {
			t.Errorf("%s: made %+v", name, made)
		}
	}
}

func TestRotateRefuses(t *testing.T) {
	f := setUp()
	rotated, _ := f.create(t, request(""))
	f.rotate(t, rotated.ID, apikey.Rotation{Overlap: time.Minute})
	atOnce, _ := f.create(t, request(""))
	f.rotate(t, atOnce.ID, apikey.Rotation{})
	revoked, _ := f.create(t, request(""))
	_, err := f.Revoke(t.Context(), f.maker.App, revoked.ID, record.Origin{})
	storetest.OK(t, "Revoke", err)
	expired, _ := f.create(t, request(""))
	f.clock.Advance(time.Hour)
	suspended, _ := f.create(t, apikey.Request{})
	storetest.OK(t, "Suspend", f.store.Suspend(t.Context(), f.maker.App, suspended.ID, true))
	before, _ := f.store.List(t.Context(), f.maker.App, "", 100)
	for name, test := range map[string]struct {
		key  id.Key
		want fault.Code
	}{
		"a rotated key":         {rotated.ID, fault.KeyRotated},
		"one rotated at once":   {atOnce.ID, fault.KeyRotated},
		"a revoked key":         {revoked.ID, fault.KeyNotActive},
		"an expired key":        {expired.ID, fault.KeyNotActive},
		"a deleted app's key":   {suspended.ID, fault.AppDeleted},
		"an unknown key":        {id.Source{}.Key(f.maker.App), fault.KeyNotFound},
		"another app's key":     {id.Source{}.Key(id.Source{}.App()), fault.KeyNotFound},
		"the app's own row":     {"app", fault.KeyNotFound},
		"what stands elsewhere": {"", fault.KeyNotFound},
	} {
		made, text, err := f.Rotate(t.Context(), f.maker, test.key, apikey.Rotation{Overlap: time.Hour})
		wantCode(t, name, err, test.want)
		if text != "" || made.ID != "" {
			t.Errorf("%s made %+v %q", name, made, text)
		}
	}
	if after, _ := f.store.List(t.Context(), f.maker.App, "", 100); !reflect.DeepEqual(after, before) {
		t.Errorf("refusals changed %+v\nto %+v", before, after)
	}
}

func TestRotateInADeletedApp(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, request(""))
	f.store.DeleteApp(f.maker.App, true)
	_, _, err := f.Rotate(t.Context(), f.maker, first.ID, apikey.Rotation{})
	wantCode(t, "Rotate", err, fault.AppDeleted)
}

// Whoever rotates a key holds the new one, so it may be allowed no more than they are.
func TestRotateWithinItsMaker(t *testing.T) {
	f := setUp()
	end := storetest.Noon().Add(time.Hour)
	for name, test := range map[string]struct {
		key     apikey.Request
		maker   apikey.Maker
		request apikey.Rotation
		want    fault.Code
		end     time.Time
	}{
		"a scope that it lacks":                {apikey.Request{Scopes: []string{"keys:manage"}}, apikey.Maker{}, apikey.Rotation{}, fault.ScopeExceedsKey, end},
		"a key of any address":                 {apikey.Request{}, apikey.Maker{Sources: sources("::1/128")}, apikey.Rotation{}, fault.SourcesExceedKey, end},
		"a key of any address, for its own":    {apikey.Request{}, apikey.Maker{Sources: sources("::1/128")}, apikey.Rotation{Sources: sources("::1/128")}, "", time.Time{}},
		"a key that never ends":                {apikey.Request{}, apikey.Maker{ExpiresAt: end}, apikey.Rotation{}, fault.ExpiryExceedsKey, end},
		"a key that never ends, until its own": {apikey.Request{}, apikey.Maker{ExpiresAt: end}, apikey.Rotation{ExpiresAt: end}, "", end},
		"a longer life":                        {apikey.Request{}, apikey.Maker{ExpiresAt: end}, apikey.Rotation{ExpiresAt: end.Add(time.Second)}, fault.ExpiryExceedsKey, end},
		"the same life again":                  {apikey.Request{ExpiresAt: end.Add(time.Hour)}, apikey.Maker{ExpiresAt: end}, apikey.Rotation{}, "", end},
	} {
		first, _ := f.create(t, test.key)
		test.maker.App, test.maker.By = f.maker.App, "key"
		made, _, err := f.Rotate(t.Context(), test.maker, first.ID, test.request)
		wantCode(t, name, err, test.want)
		if err == nil && !made.ExpiresAt.Equal(test.end) {
			t.Errorf("%s: ends at %v, want %v", name, made.ExpiresAt, test.end)
		}
	}
}

// A key may rotate itself, and does not live longer by it.
func TestRotateItself(t *testing.T) {
	f := setUp()
	for _, overlap := range []time.Duration{0, time.Minute} {
		first, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes, ExpiresAt: storetest.Noon().Add(time.Hour)})
		f.clock.Advance(time.Second)
		made, _, err := f.Rotate(t.Context(), of(first), first.ID, apikey.Rotation{Overlap: overlap})
		storetest.OK(t, "Rotate", err)
		if made.CreatedBy != string(first.ID) || !made.ExpiresAt.Equal(first.ExpiresAt) {
			t.Errorf("made %+v", made)
		}
	}
}

func TestRotateIsIdempotent(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, request(""))
	second, _ := f.create(t, request("r0"))
	asked := apikey.Rotation{Overlap: time.Minute, IdempotencyKey: "r1"}
	made, _, _ := f.rotate(t, first.ID, asked)
	f.tasks.Take()
	f.clock.Advance(2 * time.Hour)
	again, text, err := f.Rotate(t.Context(), f.maker, first.ID, asked)
	if err != nil || text != "" || !reflect.DeepEqual(again, made) {
		t.Errorf("again = %+v, text %q, %v; want %+v without its text", again, text, err, made)
	}
	if tasks := f.tasks.Take(); len(tasks) != 0 {
		t.Errorf("a replay left %+v", tasks)
	}
	for name, change := range map[string]func(*apikey.Rotation, *id.Key){
		"another overlap":      func(r *apikey.Rotation, _ *id.Key) { r.Overlap++ },
		"another end":          func(r *apikey.Rotation, _ *id.Key) { r.ExpiresAt = storetest.Noon().Add(9 * time.Hour) },
		"other addresses":      func(r *apikey.Rotation, _ *id.Key) { r.Sources = sources() },
		"another key":          func(_ *apikey.Rotation, key *id.Key) { *key = second.ID },
		"the key of a Create":  func(r *apikey.Rotation, _ *id.Key) { r.IdempotencyKey = "r0" },
		"the key that it made": func(_ *apikey.Rotation, key *id.Key) { *key = made.ID },
	} {
		other, keyID := asked, first.ID
		change(&other, &keyID)
		_, _, err := f.Rotate(t.Context(), f.maker, keyID, other)
		wantCode(t, name, err, fault.IdempotencyConflict)
	}
}

func TestRotateAtOnce(t *testing.T) {
	for _, idempotencyKey := range []string{"", "r1"} {
		f := setUp()
		first, _ := f.create(t, request(""))
		texts := make([]string, 64)
		errs := storetest.AtOnce(len(texts), func(i int) (err error) {
			_, texts[i], err = f.Rotate(t.Context(), f.maker, first.ID, apikey.Rotation{Overlap: time.Minute, IdempotencyKey: idempotencyKey})
			return err
		})
		shown := 0
		for i, err := range errs {
			if texts[i] != "" {
				shown++
				continue
			}
			want := fault.Code("")
			if idempotencyKey == "" {
				want = fault.KeyRotated
			}
			wantCode(t, "Rotate", err, want)
		}
		if keys, _ := f.store.List(t.Context(), f.maker.App, "", 100); shown != 1 || len(keys) != 2 {
			t.Errorf("%d texts shown, %d keys", shown, len(keys))
		}
	}
}

// lossyRotations is lossy for Rotate.
type lossyRotations struct{ *apikeytest.Store }

func (l lossyRotations) Rotate(ctx context.Context, replaced, made apikey.Key, maker apikey.Seen, records ...record.Record) (apikey.Key, error) {
	if standing, err := l.Store.Rotate(ctx, replaced, made, maker, records...); err != nil {
		return standing, err
	}
	return l.Store.Rotate(ctx, replaced, made, maker, records...)
}

func TestRotateSurvivesALostAnswer(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, request(""))
	f.Store = lossyRotations{f.store}
	made, secret, _ := f.rotate(t, first.ID, apikey.Rotation{Overlap: time.Minute})
	wantCode(t, "Check", made.Check(secret, storetest.Noon()), "")
}
