package authz_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/authz"
)

// A set has what was put in, in the catalogue's order, once, and no more.
func TestSetsHaveWhatWasPutIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		put := rapid.SliceOf(rapid.SampledFrom(authz.Catalogue)).Draw(t, "put")
		var permissions []authz.Permission
		var names []string
		for _, entry := range put {
			permissions, names = append(permissions, entry.Permission), append(names, string(entry.Permission))
		}
		set := authz.SetOf(permissions...)
		var want []string
		for _, entry := range authz.Catalogue {
			in := slices.Contains(permissions, entry.Permission)
			if in {
				want = append(want, string(entry.Permission))
			}
			if set.Has(entry.Permission) != in || set.Contains(string(entry.Permission)) != in {
				t.Errorf("%s is in %v: %v", entry.Permission, names, !in)
			}
		}
		if got := set.Names(); !slices.Equal(got, want) {
			t.Errorf("%v; want %v", got, want)
		}
		if parsed, unknown := authz.ParseSet(names); parsed != set || unknown != "" {
			t.Errorf("%v parsed: %v, unknown %q", names, parsed.Names(), unknown)
		}
		if got := authz.SetOf(set.Permissions()...); got != set {
			t.Errorf("%v became %v", set.Names(), got.Names())
		}
		if first := set.First(); len(want) > 0 && string(first) != want[0] || len(want) == 0 && first != "" {
			t.Errorf("the first of %v is %q", want, first)
		}
	})
}

// What is no permission is in no set, not even in the one with every bit.
func TestSetsHaveNothingUnknown(t *testing.T) {
	for _, unknown := range []authz.Permission{authz.Public, "no:such", "", "Messages:send", "messages:send "} {
		if authz.SetOf(unknown) != 0 || authz.Set(1<<64-1).Has(unknown) || authz.Set(1<<64-1).Contains(string(unknown)) {
			t.Errorf("%q is in a set", unknown)
		}
	}
	if set, unknown := authz.ParseSet([]string{"users:list", "no:such", "public", "users:read"}); unknown != "no:such" ||
		set != authz.SetOf(authz.UsersList, authz.UsersRead) {
		t.Errorf("parsed %v, unknown %q", set.Names(), unknown)
	}
	if set, unknown := authz.ParseSet([]string{""}); set != 0 {
		t.Errorf("the empty name: %v, %q", set.Names(), unknown)
	}
	if got := authz.Set(1 << 63).Names(); got == nil || len(got) != 0 { // nil would be null in JSON
		t.Errorf("a bit that no permission has: %v", got)
	}
}
