package apikey

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/shared/fault"
)

// mappedBits is the length of what stands before an IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2).
const mappedBits = 96

// AllowsSource refuses an address that the key may not be used from. An address that is not known is refused by a key
// that is bound to addresses.
func (k Key) AllowsSource(source netip.Addr) error {
	source = source.Unmap()
	if len(k.Sources) == 0 || slices.ContainsFunc(k.Sources, func(p netip.Prefix) bool { return p.Contains(source) }) {
		return nil
	}
	return fault.New(fault.SourceNotAllowed)
}

// ParseSources reads ranges of addresses: in CIDR notation, or single addresses. The result is sorted, each range once
// and without the bits behind its length; it is nil for nil, and empty for none. fault.CIDRInvalid names the bad ones.
func ParseSources(texts []string) ([]netip.Prefix, error) {
	if texts == nil {
		return nil, nil
	}
	sources := make([]netip.Prefix, 0, len(texts))
	var bad []fault.Field
	for i, text := range texts {
		source, ok := parseSource(text)
		if !ok {
			name := fmt.Sprintf("allowed_cidrs[%d]", i)
			bad = append(bad, fault.Field{Name: name, Code: fault.CIDRInvalid, Args: []any{name}})
		}
		sources = append(sources, source)
	}
	if len(bad) > 0 {
		return nil, fault.Invalid(bad...)
	}
	slices.SortFunc(sources, netip.Prefix.Compare)
	return slices.Compact(sources), nil
}

func parseSource(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" { // a zone is the name of somebody's network card
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if !prefix.Addr().Is4In6() {
		return prefix.Masked(), true
	}
	if prefix.Bits() < mappedBits { // more than IPv4, and not all of anything
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mappedBits).Masked(), true
}

// within tells whether every one of the ranges lies in one of the outer ones. Both are empty for any address.
func within(ranges, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	lies := func(r netip.Prefix) bool {
		return slices.ContainsFunc(outer, func(o netip.Prefix) bool { return o.Bits() <= r.Bits() && o.Contains(r.Addr()) })
	}
	return len(ranges) > 0 && !slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return !lies(r) })
}

// spellSources writes ranges as one text: "" for nil, which is not the same as none.
func spellSources(sources []netip.Prefix) string {
	if sources == nil {
		return ""
	}
	return "[" + strings.Join(texts(sources), " ") + "]"
}

// texts returns the ranges in CIDR notation.
func texts(sources []netip.Prefix) []string {
	written := make([]string, len(sources))
	for i, source := range sources {
		written[i] = source.String()
	}
	return written
}
