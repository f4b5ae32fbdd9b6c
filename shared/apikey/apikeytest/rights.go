package apikeytest

import (
	"maps"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// policy returns the policy of the version, with every part of one.
func policy(version int64) authz.Policy {
	return authz.Policy{Version: version, Defaults: []authz.Role{authz.Member, "role_0000000001"},
		Roles: map[authz.Role]authz.Effect{"role_0000000001": {Allow: authz.SetOf(authz.MessagesRead), Deny: authz.SetOf(authz.MessagesSend)}}}
}

func runPolicy(t *testing.T, store World) {
	app := id.Source{}.App()
	create(t, store, NewKey(app)) // which has decided nothing
	store.SetPolicy(app, policy(3))
	key := NewKey(app)
	made, err := store.Create(t.Context(), key, apikey.Seen{}, Record(key, record.KeyCreated))
	storetest.OK(t, "Create", err)
	key.Policy = policy(3)
	same(t, "Create", made, key)
	stands(t, store, key)
	store.SetPolicy(app, policy(4))
	replaced, next := rotation(key, 0)
	made, err = store.Rotate(t.Context(), replaced, next, apikey.Seen{}, told(replaced, next)...)
	storetest.OK(t, "Rotate", err)
	next.Policy = policy(4)
	same(t, "Rotate", made, next)
	stands(t, store, next)
	other := NewKey(id.Source{}.App())
	create(t, store, other)
}

// runPolicyRace makes keys while the policy changes. Whoever has changed it lists the keys, to give it to each: those that
// come to be after that have to have it from the start.
func runPolicyRace(t *testing.T, store World) {
	const makers, each, versions = 4, 8, 8
	app := id.Source{}.App()
	listed := make([][]id.Key, versions+1)
	for _, err := range storetest.AtOnce(makers+1, func(i int) error {
		if i < makers {
			return makeSome(t, store, app, each)
		}
		for version := int64(1); version <= versions; version++ {
			store.SetPolicy(app, policy(version))
			keys, err := store.List(t.Context(), app, "", 100)
			if err != nil {
				return err
			}
			for _, key := range keys {
				listed[version] = append(listed[version], key.ID)
			}
		}
		return nil
	}) {
		storetest.OK(t, "make a key, or list them", err)
	}
	keys, err := store.List(t.Context(), app, "", 100)
	if err != nil || len(keys) != makers*each {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		for version := key.Policy.Version + 1; version <= versions; version++ {
			if !slices.Contains(listed[version], key.ID) {
				t.Errorf("%s has version %d, and was not there when version %d was", key.ID, key.Policy.Version, version)
			}
		}
	}
}

func makeSome(t *testing.T, store World, app id.App, many int) error {
	for range many {
		key := NewKey(app)
		if _, err := store.Create(t.Context(), key, apikey.Seen{}, Record(key, record.KeyCreated)); err != nil {
			return err
		}
	}
	return nil
}

func runNarrow(t *testing.T, store World) {
	app := id.Source{}.App()
	key := create(t, store, NewKey(app))
	narrow := func(scopes, was []string) (apikey.Key, error) {
		return store.Narrow(t.Context(), app, key.ID, scopes, was, Record(key, record.KeyNarrowed))
	}
	was := key.Scopes
	for _, scopes := range [][]string{was[:1], {}} {
		got, err := narrow(scopes, was)
		storetest.OK(t, "Narrow", err)
		version := key.Rights.Version + 1
		key.Scopes, key.Rights = scopes, apikey.RightsOf(scopes)
		key.Rights.Version = version
		same(t, "Narrow", got, key)
		stands(t, store, key)
		got, err = narrow(scopes[:0], was)
		storetest.Refused(t, "Narrow of what is narrower already", err, apikey.ErrChanged)
		same(t, "the standing record", got, key)
		was = scopes
	}
	wantTold(t, store, app, Record(key, record.KeyCreated), Record(key, record.KeyNarrowed), Record(key, record.KeyNarrowed))

	revoked, err := store.Revoke(t.Context(), app, key.ID, storetest.Noon(), Record(key, record.KeyRevoked))
	storetest.OK(t, "Revoke", err)
	got, err := narrow([]string{}, was)
	storetest.Refused(t, "Narrow of a revoked key", err, apikey.ErrChanged)
	same(t, "the standing record", got, revoked)
	unknown := NewKey(app)
	_, err = store.Narrow(t.Context(), app, unknown.ID, []string{}, unknown.Scopes, Record(unknown, record.KeyNarrowed))
	storetest.Refused(t, "Narrow of an unknown key", err, apikey.ErrNotFound)
	absent(t, store, unknown)
	wantTold(t, store, app, Record(key, record.KeyCreated), Record(key, record.KeyNarrowed), Record(key, record.KeyNarrowed),
		Record(key, record.KeyRevoked))
}

// runNarrowRace lets many take scopes away at once: one does.
func runNarrowRace(t *testing.T, store World) {
	key := create(t, store, NewKey(id.Source{}.App()))
	storetest.OneWins(t, storetest.Racers, apikey.ErrChanged, func(i int) error {
		_, err := store.Narrow(t.Context(), key.App, key.ID, key.Scopes[i%2:1+i%2], key.Scopes, Record(key, record.KeyNarrowed))
		return err
	})
	wantTold(t, store, key.App, Record(key, record.KeyCreated), Record(key, record.KeyNarrowed))
}

func runUsedFor(t *testing.T, store World) {
	key := create(t, store, NewKey(id.Source{}.App()))
	used := func(permission authz.Permission, day, want int64) {
		t.Helper()
		for _, err := range storetest.AtOnce(4, func(int) error {
			return store.UsedFor(t.Context(), key.App, key.ID, permission, day)
		}) {
			storetest.OK(t, "UsedFor", err)
		}
		noted := maps.Clone(key.Rights.Used)
		if noted == nil {
			noted = map[authz.Permission]int64{}
		}
		noted[permission] = want
		key.Rights.Used = noted
		stands(t, store, key)
	}
	used(authz.MessagesSend, 46000, 46000)
	used(authz.MessagesSend, 46000, 46000)
	used(authz.SocketConnect, 45999, 45999)
	used(authz.MessagesSend, 46001, 46001)
	used(authz.MessagesSend, 45000, 46001)
	unknown := NewKey(key.App)
	storetest.OK(t, "UsedFor", store.UsedFor(t.Context(), key.App, unknown.ID, authz.MessagesSend, 46000))
	absent(t, store, unknown)

	// The first notes of several permissions at once are all kept.
	fresh := create(t, store, NewKey(key.App))
	permissions := authz.HeldBy(authz.Keys).Permissions()
	for _, err := range storetest.AtOnce(len(permissions), func(i int) error {
		return store.UsedFor(t.Context(), key.App, fresh.ID, permissions[i], 46000)
	}) {
		storetest.OK(t, "UsedFor", err)
	}
	fresh.Rights.Used = map[authz.Permission]int64{}
	for _, permission := range permissions {
		fresh.Rights.Used[permission] = 46000
	}
	stands(t, store, fresh)
}
