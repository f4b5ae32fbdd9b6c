package user_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

// cutter records whose sockets were cut, and the token epoch at that moment.
type cutter struct {
	store  user.Store
	epochs []int64
	err    error
}

func (c *cutter) CutUser(ctx context.Context, app id.App, userID id.User) error {
	found, err := c.store.Get(ctx, app, userID, true)
	c.epochs = append(c.epochs, found.TokenEpoch)
	return errors.Join(err, c.err)
}

func setUp(store user.Store) (*user.Service, *cutter, *clocktest.Clock, id.App) {
	sockets, clock := &cutter{store: store}, clocktest.New(storetest.Noon())
	return &user.Service{Store: store, Clock: clock, Sockets: sockets}, sockets, clock, id.Source{}.App()
}

func register(t *testing.T, service *user.Service, app id.App, name, idempotencyKey string) user.User {
	t.Helper()
	made, err := service.Register(t.Context(), app, name, idempotencyKey)
	storetest.OK(t, "Register "+name, err)
	return made
}

func wantCode(t *testing.T, doing string, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Fatalf("%s: %v, want %s", doing, err, want)
	}
}

func TestRegister(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	if ann.App != app || ann.Username != "Ann" || !ann.CreatedAt.Equal(storetest.Noon()) || !id.IsUser(string(ann.ID)) {
		t.Errorf("registered %+v", ann)
	}
	for _, name := range []string{"Ann", "ANN", "ａｎｎ"} {
		_, err := service.Register(t.Context(), app, name, "")
		wantCode(t, "Register "+name, err, fault.UsernameTaken)
		_, err = service.Register(t.Context(), app, name, "another request")
		wantCode(t, "Register with an idempotency key "+name, err, fault.UsernameTaken)
	}
	_, err := service.Register(t.Context(), app, "an n", "")
	wantCode(t, "Register", err, fault.UsernameInvalid)
	_, err = service.Register(t.Context(), app, string(ann.ID), "")
	wantCode(t, "Register of an ID", err, fault.UsernameReserved)
	if other := register(t, service, id.Source{}.App(), "Ann", ""); other.ID == ann.ID {
		t.Error("two apps share a user")
	}
}

func TestRegisterIsIdempotent(t *testing.T) {
	service, _, clock, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "r1")
	clock.Advance(time.Hour)
	if again := register(t, service, app, "Ann", "r1"); !reflect.DeepEqual(again, ann) {
		t.Errorf("again %+v, want %+v", again, ann)
	}
	for _, name := range []string{"Bob", "ANN"} {
		_, err := service.Register(t.Context(), app, name, "r1")
		wantCode(t, "Register of another name under one idempotency key", err, fault.IdempotencyConflict)
	}
	if other := register(t, service, id.Source{}.App(), "Ann", "r1"); other.ID == ann.ID {
		t.Error("an idempotency key reaches into another app")
	}
	bob := register(t, service, app, "Bob", "") // the refused name is free
	_, err := service.Register(t.Context(), app, "Bob", "r1")
	wantCode(t, "Register of a taken name under a used idempotency key", err, fault.IdempotencyConflict)
	if bob.ID == ann.ID {
		t.Error("two users share an ID")
	}
}

// TestRegisterAgainAfterAChange: the first request's user is found by its idempotency key, whatever it is called by now.
func TestRegisterAgainAfterAChange(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "r1")
	_, _, err := service.Change(t.Context(), app, ann.ID, user.Wish{Username: of("Anna")})
	storetest.OK(t, "Change", err)
	if again := register(t, service, app, "Ann", "r1"); again.ID != ann.ID || again.Username != "Anna" {
		t.Errorf("again %+v", again)
	}
}

func TestRegisterAtOnce(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	users := make([]user.User, storetest.Racers)
	for _, err := range storetest.AtOnce(len(users), func(i int) (err error) {
		users[i], err = service.Register(t.Context(), app, "Ann", "r1")
		return err
	}) {
		storetest.OK(t, "Register", err)
	}
	for _, made := range users {
		if !reflect.DeepEqual(made, users[0]) {
			t.Fatalf("registered %+v and %+v", made, users[0])
		}
	}
}

// stale keeps weak reads from seeing anything that was written just now.
func stale() *usertest.Store {
	return usertest.NewStale(storetest.Staleness{Seed: 1, Lag: storetest.AnyAge})
}

func TestGetFindsWhatAWeakReadMisses(t *testing.T) {
	service, _, _, app := setUp(stale())
	ann := register(t, service, app, "Ann", "")
	for range 50 {
		found, err := service.Get(t.Context(), app, string(ann.ID), "to")
		if err != nil || !reflect.DeepEqual(found, ann) {
			t.Fatalf("Get = %+v, %v", found, err)
		}
		resolved, err := service.Resolve(t.Context(), app, "ANN", "to")
		if err != nil || resolved != ann.ID {
			t.Fatalf("Resolve = %s, %v", resolved, err)
		}
	}
}

func TestNobody(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	for _, text := range []string{"", "Ann", "u_short", string(id.Source{}.User())} {
		_, err := service.Get(t.Context(), app, text, "to")
		wantCode(t, "Get "+text, err, fault.UserNotFound)
		if fields := fault.Of(err).Fields; len(fields) != 1 || fields[0].Name != "to" {
			t.Errorf("Get %q names the fields %+v", text, fields)
		}
	}
	for _, text := range []string{"", "Bob", "a b", "u_short", "g_1"} {
		_, err := service.Resolve(t.Context(), app, text, "to")
		wantCode(t, "Resolve "+text, err, fault.UserNotFound)
	}
	other := id.Source{}.App()
	_, err := service.Get(t.Context(), other, string(ann.ID), "to")
	wantCode(t, "Get by another app", err, fault.UserNotFound)
	_, err = service.Resolve(t.Context(), other, "Ann", "to")
	wantCode(t, "Resolve by another app", err, fault.UserNotFound)
	nobody := id.Source{}.User() // Resolve does not look IDs up
	if found, err := service.Resolve(t.Context(), app, string(nobody), "to"); err != nil || found != nobody {
		t.Errorf("Resolve of an ID = %s, %v", found, err)
	}
}

func TestRevokeTokens(t *testing.T) {
	service, sockets, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	for range 2 {
		storetest.OK(t, "RevokeTokens", service.RevokeTokens(t.Context(), app, ann.ID))
	}
	if len(sockets.epochs) != 2 || sockets.epochs[0] != 1 || sockets.epochs[1] != 2 {
		t.Errorf("cut at the epochs %v, want 1 and 2: the epoch is raised first", sockets.epochs)
	}
	wantCode(t, "RevokeTokens of nobody", service.RevokeTokens(t.Context(), app, id.Source{}.User()), fault.UserNotFound)
	wantCode(t, "RevokeTokens by another app", service.RevokeTokens(t.Context(), id.Source{}.App(), ann.ID), fault.UserNotFound)
	if len(sockets.epochs) != 2 {
		t.Error("a refusal cut sockets")
	}
	sockets.err = errors.New("no answer")
	if err := service.RevokeTokens(t.Context(), app, ann.ID); !errors.Is(err, sockets.err) {
		t.Errorf("RevokeTokens: %v, want the cut's error, so that the caller repeats it", err)
	}
}
