package apikey_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// cutter records which keys' sockets were cut, and what the store said of the key at that moment.
type cutter struct {
	store apikey.Store
	cut   []id.Key
	err   error
}

func (c *cutter) CutKey(ctx context.Context, app id.App, key id.Key) error {
	found, err := c.store.Get(ctx, app, key)
	if err != nil || found.RevokedAt.IsZero() {
		return errors.New("cut before the key was revoked")
	}
	c.cut = append(c.cut, key)
	return c.err
}

// setUp returns a service on stores in memory, its sockets and clock, and a key that makes keys.
func setUp() (*apikey.Service, *cutter, *clocktest.Clock, apikey.Key) {
	store, clock := apikeytest.NewStore(), clocktest.New(storetest.Noon())
	sockets := &cutter{store: store}
	maker := apikeytest.NewKey(id.Source{}.App())
	return &apikey.Service{Store: store, Sockets: sockets, Clock: clock}, sockets, clock, maker
}

func request(idempotencyKey string) apikey.Request {
	return apikey.Request{Name: "backend", Scopes: []string{"messages:send"}, IdempotencyKey: idempotencyKey,
		ExpiresAt: storetest.Noon().Add(time.Hour)}
}

func wantCode(t *testing.T, doing string, err error, want fault.Code) {
	t.Helper()
	if !is(err, want) {
		t.Fatalf("%s: %v, want %q", doing, err, want)
	}
}

func TestCreate(t *testing.T) {
	service, _, _, maker := setUp()
	made, text, err := service.Create(t.Context(), maker, request(""))
	storetest.OK(t, "Create", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	if secret.ID != made.ID || made.CreatedBy != maker.ID || made.ID.App() != maker.App {
		t.Errorf("made %+v", made)
	}
	found, err := service.Store.Get(t.Context(), maker.App, made.ID)
	if err != nil || !reflect.DeepEqual(found, made) {
		t.Errorf("Get = %+v, %v; want %+v", found, err, made)
	}
	wantCode(t, "Check", found.Check(secret, storetest.Noon()), "")
	other, text2, err := service.Create(t.Context(), maker, request(""))
	if err != nil || other.ID == made.ID || text2 == text {
		t.Errorf("the next key = %+v, %v; want another", other, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	service, _, _, maker := setUp()
	for name, test := range map[string]struct {
		request apikey.Request
		want    fault.Code
	}{
		"a scope that the maker lacks": {apikey.Request{Scopes: []string{"messages:send", "users:list"}}, fault.ScopeExceedsKey},
		"an expiry now":                {apikey.Request{ExpiresAt: storetest.Noon()}, fault.FieldInvalid},
		"an expiry that has passed":    {apikey.Request{ExpiresAt: storetest.Noon().Add(-1)}, fault.FieldInvalid},
	} {
		made, text, err := service.Create(t.Context(), maker, test.request)
		wantCode(t, name, err, test.want)
		if text != "" || made.ID != "" {
			t.Errorf("%s made %+v %q", name, made, text)
		}
	}
	if keys, _ := service.Store.List(t.Context(), maker.App, "", 10); len(keys) != 0 {
		t.Errorf("refusals left %+v behind", keys)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	service, _, clock, maker := setUp()
	made, text, err := service.Create(t.Context(), maker, request("r1"))
	storetest.OK(t, "Create", err)
	clock.Advance(time.Minute)
	again, text2, err := service.Create(t.Context(), maker, request("r1"))
	storetest.OK(t, "Create again", err)
	if !reflect.DeepEqual(again, made) || text == "" || text2 != "" {
		t.Errorf("again = %+v, text %q; want %+v without its text", again, text2, made)
	}
	for _, change := range []func(*apikey.Request){
		func(r *apikey.Request) { r.Name = "other" },
		func(r *apikey.Request) { r.Scopes = nil },
		func(r *apikey.Request) { r.ExpiresAt = time.Time{} },
	} {
		other := request("r1")
		change(&other)
		_, text, err = service.Create(t.Context(), maker, other)
		wantCode(t, "Create of another under one idempotency key", err, fault.IdempotencyConflict)
		if text != "" {
			t.Error("a conflict shows a key")
		}
	}
	second := maker // an idempotency key belongs to its maker
	second.ID = id.Source{}.Key(maker.App)
	other, _, err := service.Create(t.Context(), second, request("r1"))
	if err != nil || other.ID == made.ID {
		t.Errorf("another maker's key = %+v, %v", other, err)
	}
}

// Times finer than the store keeps must not make a repeated request another one.
func TestCreateIsIdempotentBelowTheMillisecond(t *testing.T) {
	service, _, _, maker := setUp()
	fine := request("r1")
	fine.ExpiresAt = fine.ExpiresAt.Add(time.Microsecond)
	_, _, err := service.Create(t.Context(), maker, fine)
	storetest.OK(t, "Create", err)
	_, _, err = service.Create(t.Context(), maker, fine)
	wantCode(t, "Create again", err, "")
}

func TestCreateAtOnce(t *testing.T) {
	service, _, _, maker := setUp()
	texts, ids := make([]string, storetest.Racers), make([]id.Key, storetest.Racers)
	errs := storetest.AtOnce(len(texts), func(i int) (err error) {
		var made apikey.Key
		made, texts[i], err = service.Create(t.Context(), maker, request("r1"))
		ids[i] = made.ID
		return err
	})
	shown := 0
	for i := range errs {
		storetest.OK(t, "Create", errs[i])
		if ids[i] != ids[0] {
			t.Errorf("two keys: %s and %s", ids[i], ids[0])
		}
		if texts[i] != "" {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("the text was shown %d times, want once", shown)
	}
}

// lossy tells the truth about a first Create only at the second attempt, as the SDK does when an answer got lost.
type lossy struct{ *apikeytest.Store }

func (l lossy) Create(ctx context.Context, key apikey.Key) (apikey.Key, error) {
	if standing, err := l.Store.Create(ctx, key); err != nil {
		return standing, err
	}
	return l.Store.Create(ctx, key)
}

// A lost answer between the service and its table must not cost the caller the text of its key.
func TestCreateSurvivesALostAnswer(t *testing.T) {
	service, _, _, maker := setUp()
	service.Store = lossy{apikeytest.NewStore()}
	for _, idempotencyKey := range []string{"", "r1"} {
		made, text, err := service.Create(t.Context(), maker, request(idempotencyKey))
		storetest.OK(t, "Create", err)
		secret, err := apikey.Parse(text)
		if err != nil || secret.Hash != made.Hash {
			t.Errorf("idempotency key %q: the text %q is not the key's: %v", idempotencyKey, text, err)
		}
	}
}

func TestBootstrap(t *testing.T) {
	service, _, _, maker := setUp()
	text, err := service.Bootstrap(t.Context(), maker.App, []string{"keys:manage"})
	storetest.OK(t, "Bootstrap", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	key, err := service.Store.Get(t.Context(), maker.App, secret.ID)
	storetest.OK(t, "Get", err)
	wantCode(t, "Check", key.Check(secret, storetest.Noon()), "")
	if !key.Has("keys:manage") || key.CreatedBy != "" || !key.ExpiresAt.IsZero() {
		t.Errorf("the first key = %+v", key)
	}
}

func TestRevoke(t *testing.T) {
	service, sockets, clock, maker := setUp()
	made, text, err := service.Create(t.Context(), maker, request(""))
	storetest.OK(t, "Create", err)
	secret, _ := apikey.Parse(text)
	for range 2 { // again repeats the cut and changes nothing else
		key, err := service.Revoke(t.Context(), maker.App, made.ID)
		storetest.OK(t, "Revoke", err)
		if !key.RevokedAt.Equal(storetest.Noon()) {
			t.Errorf("revoked at %v, want %v", key.RevokedAt, storetest.Noon())
		}
		wantCode(t, "Check", key.Check(secret, clock.Now()), fault.APIKeyRevoked)
		clock.Advance(time.Minute)
	}
	if want := []id.Key{made.ID, made.ID}; !reflect.DeepEqual(sockets.cut, want) {
		t.Errorf("cut %v, want %v", sockets.cut, want)
	}
	_, err = service.Revoke(t.Context(), maker.App, id.Source{}.Key(maker.App))
	wantCode(t, "Revoke of an unknown key", err, fault.KeyNotFound)
	_, err = service.Revoke(t.Context(), id.Source{}.App(), made.ID)
	wantCode(t, "Revoke of another app's key", err, fault.KeyNotFound)
	if len(sockets.cut) != 2 {
		t.Errorf("a refusal cut %v", sockets.cut)
	}
}

func TestRevokeReportsAFailedCut(t *testing.T) {
	service, sockets, _, maker := setUp()
	made, _, err := service.Create(t.Context(), maker, request(""))
	storetest.OK(t, "Create", err)
	sockets.err = errors.New("no answer")
	if _, err = service.Revoke(t.Context(), maker.App, made.ID); !errors.Is(err, sockets.err) {
		t.Errorf("Revoke: %v, want the cut's error, so that the caller repeats it", err)
	}
}
