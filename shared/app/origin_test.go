package app

import (
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://chat.example.com":             "https://chat.example.com",
		"HTTPS://Chat.Example.COM":             "https://chat.example.com",
		"https://example.com:8443":             "https://example.com:8443",
		"https://example.com:443":              "https://example.com",
		"https://xn--fsqu00a.xn--0zwm56d":      "https://xn--fsqu00a.xn--0zwm56d",
		"https://intranet":                     "https://intranet",
		"https://10.0.0.5:8443":                "https://10.0.0.5:8443",
		"https://3com.com":                     "https://3com.com",
		"http://localhost":                     "http://localhost",
		"http://localhost:80":                  "http://localhost",
		"http://localhost:5173":                "http://localhost:5173",
		"http://LOCALHOST:*":                   "http://localhost:*",
		"http://127.0.0.1:*":                   "http://127.0.0.1:*",
		"https://localhost:*":                  "https://localhost:*",
		"":                                     "",
		"*":                                    "",
		"null":                                 "",
		"chat.example.com":                     "",
		"https:chat.example.com":               "",
		"https://":                             "",
		"https:///":                            "",
		"http://chat.example.com":              "",
		"http://10.0.0.5":                      "",
		"http://localhost.evil.example":        "",
		"ftp://localhost":                      "",
		"javascript://localhost":               "",
		"chrome-extension://abcdefgh":          "",
		"https://chat.example.com/":            "",
		"https://chat.example.com/path":        "",
		"https://chat.example.com?query":       "",
		"https://chat.example.com#fragment":    "",
		"https://chat.example.com\\":           "",
		"https://user@chat.example.com":        "",
		"https://user:pass@chat.example.com":   "",
		"https://*.example.com":                "",
		"https://*":                            "",
		"https://example.com:*":                "",
		"https://10.0.0.5:*":                   "",
		"http://127.0.0.2:*":                   "",
		"https://example.com:":                 "",
		"https://example.com:0":                "",
		"https://example.com:08443":            "",
		"https://example.com:+8443":            "",
		"https://example.com:65536":            "",
		"https://example.com:8443:8443":        "",
		"https://例子.测试":                        "",
		"https://ＥＸＡＭＰＬＥ.com":                  "",
		"https://example.com.":                 "",
		"https://.example.com":                 "",
		"https://a..b":                         "",
		"https://-a.com":                       "",
		"https://a-.com":                       "",
		"https://a_b.com":                      "",
		"https://1.2.3":                        "",
		"https://1.2.3.400":                    "",
		"https://01.02.03.04":                  "",
		"https://0x7f.1":                       "",
		"https://example.0x7f":                 "",
		"https://example.09":                   "",
		"https://[::1]":                        "",
		"https://[::1]:8443":                   "",
		" https://example.com":                 "",
		"https://example.com ":                 "",
		"https://exa mple.com":                 "",
		"https://example.com\n":                "",
		"https://example.com\x00":              "",
		"https://exam\u200bple.com":            "",
		"https://" + strings.Repeat("a", 64):   "",
		"https://" + strings.Repeat("a.", 127): "",
		"https://\u212a.example.com":           "", // the Kelvin sign, which is k in lower case
	} {
		got, ok := parseOrigin(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("parseOrigin(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

// FuzzParseOrigin: whatever is taken is a fixed point, and allows itself and, but for a wildcard, nothing else.
func FuzzParseOrigin(f *testing.F) {
	for _, seed := range []string{"https://chat.example.com", "http://localhost:*", "https://[::1]:1", "HTTP://LocalHost:080", "https://0x1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin, ok := parseOrigin(text)
		if !ok {
			return
		}
		if again, ok := parseOrigin(origin); !ok || again != origin {
			t.Fatalf("%q becomes %q, which becomes %q", text, origin, again)
		}
		if !(App{Settings: Settings{Origins: []string{origin}}}).AllowsOrigin(strings.Replace(origin, ":*", ":5173", 1)) {
			t.Fatalf("%q becomes %q, which does not allow itself", text, origin)
		}
		for i := range len(origin) {
			if origin[i] <= ' ' || origin[i] > '~' || strings.IndexByte("/?#@\\%", origin[i]) >= 0 && i > len("https://") {
				t.Fatalf("%q becomes %q", text, origin)
			}
		}
	})
}
