package apikey_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestParseSources(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":           "203.0.113.7/32",
		"203.0.113.7/32":        "203.0.113.7/32",
		"203.0.113.7/24":        "203.0.113.0/24",
		"0.0.0.0/0":             "0.0.0.0/0",
		"255.255.255.255/0":     "0.0.0.0/0",
		"2001:DB8::1":           "2001:db8::1/128",
		"2001:db8:0:0::1/32":    "2001:db8::/32",
		"::/0":                  "::/0",
		"::ffff:203.0.113.7":    "203.0.113.7/32",
		"::ffff:cb00:7107/120":  "203.0.113.0/24",
		"::ffff:203.0.113.7/96": "0.0.0.0/0",
	} {
		got, err := apikey.ParseSources([]string{text})
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%q = %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "203.0.113.7 ", "203.0.113", "203.0.113.256", "203.0.113.07", "203.0.113.0/33", "203.0.113.0/-1",
		"203.0.113.0/024", "203.0.113.0/", "/24", "203.0.113.0/24/24", "203.0.113.0/255.255.255.0", "fe80::1%eth0", "fe80::%eth0/64",
		"2001:db8::/129", "::ffff:203.0.113.7/95", "::ffff:0:0/0", "localhost", "*", "[::1]", "203.0.113.7:80", "２０３.0.113.7", "203.0.113.7\x00"} {
		got, err := apikey.ParseSources([]string{text})
		if !fault.Is(err, fault.CIDRInvalid) || got != nil {
			t.Errorf("%q = %v, %v; want a refusal", text, got, err)
		}
	}
}

func TestParseSourcesAsASet(t *testing.T) {
	got, err := apikey.ParseSources([]string{"::1", "203.0.113.9/24", "198.51.100.1", "::ffff:203.0.113.0/120", "203.0.113.0/25"})
	if want := sources("198.51.100.1/32", "203.0.113.0/24", "203.0.113.0/25", "::1/128"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parsed %v, %v; want %v", got, err, want)
	}
	if got, err := apikey.ParseSources(nil); got != nil || err != nil {
		t.Errorf("nothing said = %v, %v", got, err)
	}
	if got, err := apikey.ParseSources([]string{}); got == nil || len(got) != 0 || err != nil {
		t.Errorf("none = %v, %v", got, err)
	}
}

func TestParseSourcesNamesTheBadOnes(t *testing.T) {
	_, err := apikey.ParseSources([]string{"nowhere", "::1", "203.0.113.0/99"})
	var names []string
	for _, field := range fault.Of(err).Fields {
		names = append(names, field.Name)
	}
	if want := []string{"allowed_cidrs[0]", "allowed_cidrs[2]"}; !slices.Equal(names, want) {
		t.Errorf("named %v, want %v", names, want)
	}
	if strings.Contains(err.Error(), "nowhere") {
		t.Errorf("the error repeats what was sent: %v", err)
	}
}

func FuzzParseSources(f *testing.F) {
	for _, text := range []string{"203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "::ffff:203.0.113.7/120", "fe80::1%eth0", "0.0.0.0/0", "/", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := apikey.ParseSources([]string{text})
		if err != nil {
			if !fault.Is(err, fault.CIDRInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		prefix := got[0]
		if !prefix.IsValid() || prefix != prefix.Masked() || prefix.Addr().Is4In6() || prefix.Addr().Zone() != "" {
			t.Fatalf("%q = %v, which is not canonical", text, prefix)
		}
		again, err := apikey.ParseSources([]string{prefix.String()})
		if err != nil || again[0] != prefix {
			t.Fatalf("%q = %v, which reads as %v, %v", text, prefix, again, err)
		}
		if address, err := netip.ParseAddr(text); err == nil && !prefix.Contains(address.Unmap()) {
			t.Fatalf("%v does not contain %v", prefix, address)
		}
	})
}

func TestAllowsSource(t *testing.T) {
	bound := apikey.Key{Sources: sources("203.0.113.0/24", "2001:db8::/32")}
	everywhere4, everywhere6 := apikey.Key{Sources: sources("0.0.0.0/0")}, apikey.Key{Sources: sources("::/0")}
	for _, test := range []struct {
		key     apikey.Key
		address string
		want    bool
	}{
		{bound, "203.0.113.7", true}, {bound, "::ffff:203.0.113.7", true}, {bound, "203.0.114.7", false},
		{bound, "2001:db8::1", true}, {bound, "2001:db9::1", false}, {bound, "", false},
		{everywhere4, "198.51.100.1", true}, {everywhere4, "::1", false}, {everywhere4, "", false},
		{everywhere6, "::1", true}, {everywhere6, "198.51.100.1", false}, {everywhere6, "::ffff:198.51.100.1", false},
		{apikey.Key{}, "198.51.100.1", true}, {apikey.Key{}, "::1", true}, {apikey.Key{}, "", true},
	} {
		var address netip.Addr
		if test.address != "" {
			address = netip.MustParseAddr(test.address)
		}
		want := fault.SourceNotAllowed
		if test.want {
			want = ""
		}
		wantCode(t, test.address, test.key.AllowsSource(address), want)
	}
	storetest.OK(t, "a key without bounds", apikey.Key{}.AllowsSource(netip.Addr{}))
}
