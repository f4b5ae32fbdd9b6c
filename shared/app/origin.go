package app

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tokenim/tokenim/shared/id"
)

const (
	// maxHost and maxLabel are DNS's limits for a name and for each of its parts (RFC 1035, 2.3.4).
	maxHost  = 253
	maxLabel = 63
)

// loopback are the hosts that are the developer's own machine: they may do without TLS, and have any port.
var loopback = []string{"localhost", "127.0.0.1"}

// parseOrigin returns a web origin as browsers write it (RFC 6454, 6.2): scheme and host in lower case, a port only where
// it is not the scheme's own, and nothing behind. Names that are not ASCII have to come in Punycode, as browsers send
// them. What no browser would ever send is refused.
func parseOrigin(text string) (string, bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false // before it is put in lower case: the Kelvin sign would become a k
	}
	scheme, rest, found := strings.Cut(strings.ToLower(text), "://")
	host, port, hasPort := strings.Cut(rest, ":")
	local := slices.Contains(loopback, host)
	known := scheme == "https" || scheme == "http" && local
	if !found || !known || !isHost(host) {
		return "", false
	}
	origin := scheme + "://" + host
	switch {
	case !hasPort, scheme == "https" && port == "443", scheme == "http" && port == "80":
		return origin, true
	case port == "*":
		return origin + ":*", local
	}
	return origin + ":" + port, isPort(port)
}

// isHost tells whether the text is a DNS name in lower case, or an IPv4 address. (An address of IPv6 has colons.)
func isHost(host string) bool {
	labels := strings.Split(host, ".")
	if len(host) > maxHost || slices.ContainsFunc(labels, func(label string) bool { return !isLabel(label) }) {
		return false
	}
	// Browsers read a name whose last part is a number as an address, in whatever form, and write it in the usual one.
	last := labels[len(labels)-1]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Is4()
	}
	return true
}

// isLabel tells whether the text is letters, digits and hyphens, with no hyphen at an end.
func isLabel(label string) bool {
	return label != "" && len(label) <= maxLabel && id.IsBase62(strings.ReplaceAll(label, "-", "")) &&
		strings.Trim(label, "-") == label
}

// isPort tells whether the text is a port as browsers write it.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && strconv.FormatUint(port, 10) == text
}
