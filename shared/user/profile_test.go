package user_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

func of[T any](value T) *T { return &value }

func TestChange(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	register(t, service, app, "Bob", "")
	change := func(wish user.Wish) (user.User, profile.Profile, error) {
		return service.Change(t.Context(), app, ann.ID, wish)
	}
	long := strings.Repeat("x", 3000)
	for what, test := range map[string]struct {
		wish user.Wish
		want fault.Code
	}{
		"a taken name":     {user.Wish{Username: of("BOB")}, fault.UsernameTaken},
		"no username":      {user.Wish{Username: of("a b")}, fault.UsernameInvalid},
		"an ID":            {user.Wish{Username: of("u_x")}, fault.UsernameReserved},
		"a long name":      {user.Wish{Wish: profile.Wish{Name: &long}}, fault.FieldTooLong},
		"a broken name":    {user.Wish{Wish: profile.Wish{Name: of("a\nb")}}, fault.FieldInvalid},
		"script as avatar": {user.Wish{Wish: profile.Wish{Avatar: of("javascript:alert(1)")}}, fault.FieldInvalid},
		"long members":     {user.Wish{Wish: profile.Wish{Custom: map[string]json.RawMessage{"k": json.RawMessage(`"` + long + `"`)}}}, fault.FieldTooLong},
		"several":          {user.Wish{Username: of("a b"), Wish: profile.Wish{Name: &long}}, fault.FieldTooLong},
	} {
		_, _, err := change(test.wish)
		wantCode(t, what, err, test.want)
	}
	_, _, err := service.Change(t.Context(), app, id.Source{}.User(), user.Wish{})
	wantCode(t, "Change of nobody", err, fault.UserNotFound)

	wish := user.Wish{Username: of("Anna"), Wish: profile.Wish{Name: of("Ann of the Mill"), Custom: map[string]json.RawMessage{"k": json.RawMessage(` [1] `)}}}
	for range 2 { // the second changes nothing
		after, shown, err := change(wish)
		storetest.OK(t, "Change", err)
		if after.Username != "Anna" || after.Version != 1 || shown != (profile.Profile{Name: "Ann of the Mill", Custom: `{"k":[1]}`}) {
			t.Fatalf("changed to %+v, %+v", after, shown)
		}
	}
	register(t, service, app, "ann", "") // the old name is free
	_, shown, err := change(user.Wish{Wish: profile.Wish{Name: of(""), Custom: map[string]json.RawMessage{}}})
	if err != nil || shown != (profile.Profile{}) {
		t.Errorf("emptied to %+v, %v", shown, err)
	}
}

// TestChangesAtOnce: each changes a part, and none is lost.
func TestChangesAtOnce(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	wishes := []user.Wish{{Username: of("Anna")}, {Wish: profile.Wish{Name: of("name")}}, {Wish: profile.Wish{Avatar: of("/a")}}}
	for _, err := range storetest.AtOnce(len(wishes), func(i int) error {
		_, _, err := service.Change(t.Context(), app, ann.ID, wishes[i])
		return err
	}) {
		storetest.OK(t, "Change", err)
	}
	after, shown, err := service.Change(t.Context(), app, ann.ID, user.Wish{})
	if err != nil || after.Username != "Anna" || after.Version != 3 || shown != (profile.Profile{Name: "name", Avatar: "/a"}) {
		t.Errorf("%+v, %+v, %v", after, shown, err)
	}
}

// hasty is a store in which somebody else is always faster.
type hasty struct{ *usertest.Store }

func (h hasty) Change(ctx context.Context, change user.Change) error {
	other := change
	other.Username, other.To, other.Profile.Name = change.Was.Username, change.From, fmt.Sprint(change.Was.Version)
	if err := h.Store.Change(ctx, other); err != nil {
		return err
	}
	return h.Store.Change(ctx, change)
}

func TestChangeGivesUp(t *testing.T) {
	service, _, _, app := setUp(hasty{usertest.NewStore()})
	ann := register(t, service, app, "Ann", "")
	_, _, err := service.Change(t.Context(), app, ann.ID, user.Wish{Username: of("Anna")})
	wantCode(t, "Change", err, fault.Overtaken)
}

func TestSetActive(t *testing.T) {
	store := usertest.NewStore()
	service, sockets, clock, app := setUp(store)
	ann := register(t, service, app, "Ann", "")
	admits := func(receiver id.User) error {
		_, err := service.Admits(t.Context(), app, id.Source{}.User(), receiver, "to")
		return err
	}
	wantCode(t, "Admits", admits(id.Source{}.User()), fault.UserNotFound)
	for range 2 { // a repetition cuts again what a broken one may have left
		after, err := service.SetActive(t.Context(), app, ann.ID, false, record.Origin{})
		if err != nil || !after.DeactivatedAt.Equal(clock.Now()) {
			t.Fatalf("SetActive = %+v, %v", after, err)
		}
	}
	if len(sockets.epochs) != 2 || sockets.epochs[0] != 1 || sockets.epochs[1] != 1 {
		t.Errorf("cut at the epochs %v, want 1 both times: the tokens are void first", sockets.epochs)
	}
	wantCode(t, "Admits", admits(ann.ID), fault.UserDeactivated)
	after, err := service.SetActive(t.Context(), app, ann.ID, true, record.Origin{})
	if err != nil || after.Deactivated() || len(sockets.epochs) != 2 {
		t.Errorf("SetActive = %+v, %v; cut %v", after, err, sockets.epochs)
	}
	storetest.OK(t, "Admits", admits(ann.ID))
	_, err = service.SetActive(t.Context(), app, id.Source{}.User(), false, record.Origin{})
	wantCode(t, "SetActive of nobody", err, fault.UserNotFound)
}
