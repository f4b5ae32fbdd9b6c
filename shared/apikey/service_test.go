package apikey_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// cutter records which keys' sockets were cut, and which were to be cut again, and what the store said of the key then.
type cutter struct {
	store      apikey.Store
	mutex      sync.Mutex
	cut, again []id.Key
	err        error
	againErr   error
}

func (c *cutter) CutKey(ctx context.Context, app id.App, key id.Key) error {
	return c.note(ctx, app, key, &c.cut, c.err)
}

func (c *cutter) Enqueue(ctx context.Context, job apikey.Revocation) error {
	return c.note(ctx, id.StoredApp(job.App), job.Key, &c.again, c.againErr)
}

func (c *cutter) note(ctx context.Context, app id.App, key id.Key, list *[]id.Key, answer error) error {
	found, err := c.store.Get(ctx, app, key)
	if err != nil || found.RevokedAt.IsZero() {
		return errors.New("cut before the key was revoked")
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	*list = append(*list, key)
	return answer
}

func (c *cutter) want(t *testing.T, keys ...id.Key) {
	t.Helper()
	if !slices.Equal(c.cut, keys) || !slices.Equal(c.again, keys) {
		t.Errorf("cut %v and again %v, want %v", c.cut, c.again, keys)
	}
}

// fixture is a service on stores in memory, and a developer who makes keys.
type fixture struct {
	*apikey.Service
	store   *apikeytest.Store
	sockets *cutter
	tasks   *apikeytest.Tasks
	clock   *clocktest.Clock
	maker   apikey.Maker
}

func setUp() *fixture {
	f := &fixture{store: apikeytest.NewStore(), tasks: &apikeytest.Tasks{}, clock: clocktest.New(storetest.Noon())}
	f.sockets = &cutter{store: f.store}
	f.Service = &apikey.Service{Store: f.store, Sockets: f.sockets, Background: f.sockets, Tasks: f.tasks, Clock: f.clock}
	f.maker = apikey.Maker{App: id.Source{}.App(), By: string(id.Source{}.Developer()), Scopes: []string{"messages:send", "keys:manage"}}
	return f
}

// create makes a key with the request and returns it with its parsed text.
func (f *fixture) create(t *testing.T, request apikey.Request) (apikey.Key, apikey.Secret) {
	t.Helper()
	made, text, err := f.Create(t.Context(), f.maker, request)
	storetest.OK(t, "Create", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	return made, secret
}

// of returns the key as a maker.
func of(key apikey.Key) apikey.Maker {
	return apikey.Maker{App: key.App, By: string(key.ID), Scopes: key.Scopes, Sources: key.Sources, ExpiresAt: key.ExpiresAt}
}

func request(idempotencyKey string) apikey.Request {
	return apikey.Request{Name: "backend", Scopes: []string{"messages:send"}, IdempotencyKey: idempotencyKey,
		ExpiresAt: storetest.Noon().Add(time.Hour)}
}

func sources(texts ...string) []netip.Prefix {
	parsed := []netip.Prefix{}
	for _, text := range texts {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

func wantCode(t *testing.T, doing string, err error, want fault.Code) {
	t.Helper()
	if !is(err, want) {
		t.Fatalf("%s: %v, want %q", doing, err, want)
	}
}

func TestCreate(t *testing.T) {
	f := setUp()
	made, text, err := f.Create(t.Context(), f.maker, request(""))
	storetest.OK(t, "Create", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	if secret.ID != made.ID || made.CreatedBy != f.maker.By || made.ID.App() != f.maker.App {
		t.Errorf("made %+v", made)
	}
	found, err := f.Store.Get(t.Context(), f.maker.App, made.ID)
	if err != nil || !reflect.DeepEqual(found, made) {
		t.Errorf("Get = %+v, %v; want %+v", found, err, made)
	}
	wantCode(t, "Check", found.Check(secret, storetest.Noon()), "")
	other, text2, err := f.Create(t.Context(), f.maker, request(""))
	if err != nil || other.ID == made.ID || text2 == text {
		t.Errorf("the next key = %+v, %v; want another", other, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	f := setUp()
	for name, test := range map[string]struct {
		request apikey.Request
		want    fault.Code
	}{
		"a scope that the maker lacks": {apikey.Request{Scopes: []string{"messages:send", "users:list"}}, fault.ScopeExceedsKey},
		"an expiry now":                {apikey.Request{ExpiresAt: storetest.Noon()}, fault.FieldInvalid},
		"an expiry that has passed":    {apikey.Request{ExpiresAt: storetest.Noon().Add(-1)}, fault.FieldInvalid},
	} {
		made, text, err := f.Create(t.Context(), f.maker, test.request)
		wantCode(t, name, err, test.want)
		if text != "" || made.ID != "" {
			t.Errorf("%s made %+v %q", name, made, text)
		}
	}
	if keys, _ := f.Store.List(t.Context(), f.maker.App, "", 10); len(keys) != 0 {
		t.Errorf("refusals left %+v behind", keys)
	}
}

// A key makes nothing that may do more than itself: what a request leaves open is its own.
func TestCreateWithinItsMaker(t *testing.T) {
	f := setUp()
	end := storetest.Noon().Add(time.Hour)
	bound := apikey.Maker{App: f.maker.App, By: "key", Scopes: f.maker.Scopes, Sources: sources("203.0.113.0/24", "2001:db8::/32"), ExpiresAt: end}
	for name, test := range map[string]struct {
		maker   apikey.Maker
		sources []netip.Prefix
		expires time.Time
		want    fault.Code
		made    []netip.Prefix
		end     time.Time
	}{
		"nothing said":                {bound, nil, time.Time{}, "", bound.Sources, end},
		"less":                        {bound, sources("203.0.113.7/32"), end.Add(-1 * time.Minute), "", sources("203.0.113.7/32"), end.Add(-time.Minute)},
		"the same":                    {bound, bound.Sources, end, "", bound.Sources, end},
		"any address":                 {bound, sources(), end, fault.SourcesExceedKey, nil, end},
		"a wider range":               {bound, sources("203.0.112.0/23"), end, fault.SourcesExceedKey, nil, end},
		"another range":               {bound, sources("203.0.113.0/24", "198.51.100.0/24"), end, fault.SourcesExceedKey, nil, end},
		"another family":              {bound, sources("::/0"), end, fault.SourcesExceedKey, nil, end},
		"a longer life":               {bound, nil, end.Add(time.Millisecond), fault.ExpiryExceedsKey, nil, end},
		"nothing said, by one free":   {f.maker, nil, time.Time{}, "", nil, time.Time{}},
		"any address, by one free":    {f.maker, sources(), time.Time{}, "", nil, time.Time{}},
		"some addresses, by one free": {f.maker, sources("0.0.0.0/0"), end, "", sources("0.0.0.0/0"), end},
	} {
		made, _, err := f.Create(t.Context(), test.maker, apikey.Request{Sources: test.sources, ExpiresAt: test.expires})
		wantCode(t, name, err, test.want)
		if err == nil && (!reflect.DeepEqual(made.Sources, test.made) || !made.ExpiresAt.Equal(test.end)) {
			t.Errorf("%s: made %+v", name, made)
		}
	}
}

func TestCreateInADeletedApp(t *testing.T) {
	f := setUp()
	f.store.DeleteApp(f.maker.App, true)
	_, text, err := f.Create(t.Context(), f.maker, request(""))
	wantCode(t, "Create", err, fault.AppDeleted)
	if text != "" {
		t.Error("a refusal shows a key")
	}
}

// A key that is revoked while it makes another has made none.
func TestCreateByARevokedKey(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, apikey.Request{Scopes: f.maker.Scopes})
	_, err := f.Revoke(t.Context(), f.maker.App, key.ID, record.Origin{})
	storetest.OK(t, "Revoke", err)
	_, _, err = f.Create(t.Context(), of(key), request(""))
	wantCode(t, "Create", err, fault.APIKeyRevoked)
}

func TestCreateIsIdempotent(t *testing.T) {
	f := setUp()
	made, text, err := f.Create(t.Context(), f.maker, request("r1"))
	storetest.OK(t, "Create", err)
	f.clock.Advance(time.Minute)
	again, text2, err := f.Create(t.Context(), f.maker, request("r1"))
	storetest.OK(t, "Create again", err)
	if !reflect.DeepEqual(again, made) || text == "" || text2 != "" {
		t.Errorf("again = %+v, text %q; want %+v without its text", again, text2, made)
	}
	for _, change := range []func(*apikey.Request){
		func(r *apikey.Request) { r.Name = "other" },
		func(r *apikey.Request) { r.Scopes = nil },
		func(r *apikey.Request) { r.ExpiresAt = time.Time{} },
		func(r *apikey.Request) { r.Sources = sources("203.0.113.0/24") },
		func(r *apikey.Request) { r.Sources = sources() },
	} {
		other := request("r1")
		change(&other)
		_, text, err = f.Create(t.Context(), f.maker, other)
		wantCode(t, "Create of another under one idempotency key", err, fault.IdempotencyConflict)
		if text != "" {
			t.Error("a conflict shows a key")
		}
	}
	second := f.maker // an idempotency key belongs to its maker
	second.By = string(id.Source{}.Developer())
	other, _, err := f.Create(t.Context(), second, request("r1"))
	if err != nil || other.ID == made.ID {
		t.Errorf("another maker's key = %+v, %v", other, err)
	}
}

// Times finer than the store keeps must not make a repeated request another one.
func TestCreateIsIdempotentBelowTheMillisecond(t *testing.T) {
	f := setUp()
	fine := request("r1")
	fine.ExpiresAt = fine.ExpiresAt.Add(time.Microsecond)
	_, _, err := f.Create(t.Context(), f.maker, fine)
	storetest.OK(t, "Create", err)
	_, _, err = f.Create(t.Context(), f.maker, fine)
	wantCode(t, "Create again", err, "")
}

func TestCreateAtOnce(t *testing.T) {
	f := setUp()
	texts, ids := make([]string, storetest.Racers), make([]id.Key, storetest.Racers)
	errs := storetest.AtOnce(len(texts), func(i int) (err error) {
		var made apikey.Key
		made, texts[i], err = f.Create(t.Context(), f.maker, request("r1"))
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

func (l lossy) Create(ctx context.Context, key apikey.Key, maker apikey.Seen, made record.Record) (apikey.Key, error) {
	if standing, err := l.Store.Create(ctx, key, maker, made); err != nil {
		return standing, err
	}
	return l.Store.Create(ctx, key, maker, made)
}

// A lost answer between the service and its table must not cost the caller the text of its key.
func TestCreateSurvivesALostAnswer(t *testing.T) {
	f := setUp()
	f.Store = lossy{apikeytest.NewStore()}
	for _, idempotencyKey := range []string{"", "r1"} {
		made, text, err := f.Create(t.Context(), f.maker, request(idempotencyKey))
		storetest.OK(t, "Create", err)
		secret, err := apikey.Parse(text)
		if err != nil || secret.Hash != made.Hash {
			t.Errorf("idempotency key %q: the text %q is not the key's: %v", idempotencyKey, text, err)
		}
	}
}

func TestBootstrap(t *testing.T) {
	f := setUp()
	text, err := f.Bootstrap(t.Context(), f.maker.App, []string{"keys:manage"})
	storetest.OK(t, "Bootstrap", err)
	secret, err := apikey.Parse(text)
	storetest.OK(t, "Parse", err)
	key, err := f.Store.Get(t.Context(), f.maker.App, secret.ID)
	storetest.OK(t, "Get", err)
	wantCode(t, "Check", key.Check(secret, storetest.Noon()), "")
	if !key.Has("keys:manage") || key.CreatedBy != "" || !key.ExpiresAt.IsZero() {
		t.Errorf("the first key = %+v", key)
	}
}

func TestRevoke(t *testing.T) {
	f := setUp()
	made, text, err := f.Create(t.Context(), f.maker, request(""))
	storetest.OK(t, "Create", err)
	secret, _ := apikey.Parse(text)
	for range 2 { // again repeats the cut and changes nothing else
		key, err := f.Revoke(t.Context(), f.maker.App, made.ID, record.Origin{})
		storetest.OK(t, "Revoke", err)
		if !key.RevokedAt.Equal(storetest.Noon()) {
			t.Errorf("revoked at %v, want %v", key.RevokedAt, storetest.Noon())
		}
		wantCode(t, "Check", key.Check(secret, f.clock.Now()), fault.APIKeyRevoked)
		f.clock.Advance(time.Minute)
	}
	f.sockets.want(t, made.ID, made.ID)
	_, err = f.Revoke(t.Context(), f.maker.App, id.Source{}.Key(f.maker.App), record.Origin{})
	wantCode(t, "Revoke of an unknown key", err, fault.KeyNotFound)
	_, err = f.Revoke(t.Context(), id.Source{}.App(), made.ID, record.Origin{})
	wantCode(t, "Revoke of another app's key", err, fault.KeyNotFound)
	f.sockets.want(t, made.ID, made.ID)
}

func TestRevokeReportsAFailedCut(t *testing.T) {
	f := setUp()
	made, _, err := f.Create(t.Context(), f.maker, request(""))
	storetest.OK(t, "Create", err)
	f.sockets.err = errors.New("no answer")
	if _, err = f.Revoke(t.Context(), f.maker.App, made.ID, record.Origin{}); !errors.Is(err, f.sockets.err) {
		t.Errorf("Revoke: %v, want the cut's error, so that the caller repeats it", err)
	}
	f.sockets.want(t, made.ID)
}

// What goes on in the background makes a revocation better, and is no part of it.
func TestRevokeNeedsNoBackground(t *testing.T) {
	f := setUp()
	made, _ := f.create(t, request(""))
	f.sockets.againErr = errors.New("no answer")
	_, err := f.Revoke(t.Context(), f.maker.App, made.ID, record.Origin{})
	wantCode(t, "Revoke", err, "")
	f.sockets.want(t, made.ID)
}

func TestGet(t *testing.T) {
	f := setUp()
	made, _ := f.create(t, request(""))
	got, err := f.Get(t.Context(), f.maker.App, made.ID)
	if err != nil || !reflect.DeepEqual(got, made) {
		t.Errorf("Get = %+v, %v; want %+v", got, err, made)
	}
	for _, keyID := range []id.Key{"", "app", "key_", id.Source{}.Key(f.maker.App), id.Source{}.Key(id.Source{}.App())} {
		_, err := f.Get(t.Context(), f.maker.App, keyID)
		wantCode(t, "Get of "+string(keyID), err, fault.KeyNotFound)
	}
	_, err = f.Get(t.Context(), id.Source{}.App(), made.ID)
	wantCode(t, "Get of another app's key", err, fault.KeyNotFound)
}
