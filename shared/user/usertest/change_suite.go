package usertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

func change(was user.User, from, to string) user.Change {
	return user.Change{Was: was, Username: to, From: from, To: to, Profile: profile.Profile{Name: "The " + to, Avatar: "/" + to, Custom: `{"k":1}`}}
}

func wantProfile(t *testing.T, store user.Store, of user.User, want profile.Profile) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		found, err := store.Profiles(t.Context(), of.App, []id.User{of.ID, id.Source{}.User()}, strong)
		storetest.OK(t, "Profiles", err)
		if len(found) != 1 || found[of.ID] != want {
			t.Fatalf("Profiles (strong %v) = %+v, want %+v of %s", strong, found, want, of.ID)
		}
	}
}

func runChange(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	ida, jon := NewUser(app, "ida"), NewUser(app, "jon")
	create(t, store, ida, "ida")
	create(t, store, jon, "jon")
	if found, err := store.Profiles(t.Context(), app, []id.User{ida.ID}, true); err != nil || len(found) != 0 {
		t.Fatalf("Profiles of one who has set none = %+v, %v", found, err)
	}
	storetest.Refused(t, "Change to a name that is taken", store.Change(t.Context(), change(ida, "ida", "jon")), user.ErrNameTaken)
	storetest.Refused(t, "Change of nobody", store.Change(t.Context(), change(NewUser(app, "kim"), "kim", "kai")), user.ErrChanged)
	_, err := store.ByName(t.Context(), app, "kai", true)
	storetest.Refused(t, "ByName of a refused change", err, user.ErrNotFound)
	wantUser(t, store, ida)
	storetest.OK(t, "Change", store.Change(t.Context(), change(ida, "ida", "eda")))
	storetest.Refused(t, "Change again", store.Change(t.Context(), change(ida, "ida", "ada")), user.ErrChanged)
	ida.Username, ida.Version = "eda", 1
	wantUser(t, store, ida)
	wantName(t, store, app, "eda", ida.ID)
	wantProfile(t, store, ida, profile.Profile{Name: "The eda", Avatar: "/eda", Custom: `{"k":1}`})
	for _, gone := range []string{"ida", "ada"} {
		_, err := store.ByName(t.Context(), app, gone, true)
		storetest.Refused(t, "ByName of a free name", err, user.ErrNotFound)
	}
	create(t, store, NewUser(app, "ida"), "ida")
	same := user.Change{Was: ida, Username: "EDA", From: "eda", To: "eda"} // another case of the same name, and no profile any more
	storetest.OK(t, "Change of the case", store.Change(t.Context(), same))
	ida.Username, ida.Version = "EDA", 2
	wantUser(t, store, ida)
	wantName(t, store, app, "eda", ida.ID)
	wantProfile(t, store, ida, profile.Profile{})
	other := ida
	other.App = id.Source{}.App()
	storetest.Refused(t, "Change by another app", store.Change(t.Context(), change(other, "eda", "mine")), user.ErrChanged)
	if got := listAll(t, store, app, 10); fmt.Sprint(got) != "[EDA ida jon]" {
		t.Errorf("listed %v", got)
	}
}

func runChangeRace(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	lea := NewUser(app, "lea")
	create(t, store, lea, "lea")
	winner := storetest.OneWins(t, storetest.Racers, user.ErrChanged, func(i int) error {
		return store.Change(t.Context(), change(lea, "lea", fmt.Sprint("lea", i)))
	})
	wantName(t, store, app, fmt.Sprint("lea", winner), lea.ID)
	if got := listAll(t, store, app, 100); len(got) != 1 {
		t.Errorf("listed %v", got)
	}
	users := make([]user.User, storetest.Racers)
	for i := range users {
		name := fmt.Sprint("mia", i)
		users[i] = NewUser(app, name)
		create(t, store, users[i], name)
	}
	winner = storetest.OneWins(t, len(users), user.ErrNameTaken, func(i int) error {
		return store.Change(t.Context(), change(users[i], users[i].Username, "mia"))
	})
	wantName(t, store, app, "mia", users[winner].ID)
}

// RunRecorded checks those methods of a store that leave records, which it keeps in the logs.
func RunRecorded(t *testing.T, store user.Store, logs record.Store) {
	app := id.Source{}.App()
	noa := NewUser(app, "noa")
	set := func(active bool, at time.Time) (user.User, error) {
		changed := record.New(record.OfApp(app), at, record.Origin{Actor: "key"}, record.UserDeactivated, string(noa.ID), nil, active)
		return store.SetActive(t.Context(), app, noa.ID, active, at, changed)
	}
	_, err := set(false, storetest.Noon())
	storetest.Refused(t, "SetActive of nobody", err, user.ErrNotFound)
	create(t, store, noa, "noa")
	for _, step := range []struct {
		active  bool
		at      time.Time
		records int
	}{{true, storetest.Noon(), 0}, {false, storetest.Noon(), 1}, {false, storetest.Noon().Add(time.Hour), 1}, {true, storetest.Noon(), 2}, {true, storetest.Noon(), 2}, {false, storetest.Noon(), 3}} {
		if step.records > recorded(t, logs, app) { // it changes something
			noa.DeactivatedAt = time.Time{}
			if !step.active {
				noa.DeactivatedAt, noa.TokenEpoch = step.at, noa.TokenEpoch+1
			}
		}
		for _, err := range storetest.AtOnce(4, func(int) error {
			_, err := set(step.active, step.at)
			return err
		}) {
			storetest.OK(t, "SetActive", err)
		}
		after, err := set(step.active, step.at)
		if err != nil || after.DeactivatedAt != noa.DeactivatedAt {
			t.Fatalf("SetActive = %+v, %v; want %+v", after, err, noa)
		}
		wantUser(t, store, noa)
		if got := recorded(t, logs, app); got != step.records {
			t.Fatalf("%d records after %+v", got, step)
		}
	}
}

// recorded counts the records of the app.
func recorded(t *testing.T, logs record.Store, app id.App) (count int) {
	t.Helper()
	for chain := range record.Chains {
		head, err := logs.Head(t.Context(), record.OfApp(app), chain)
		storetest.OK(t, "Head", err)
		count += int(head.Seq)
	}
	return count
}
