package root_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// page returns the page as it is answered.
func page(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(ask(t, "GET", "/link").Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// inline returns what stands in the page's one element of the name.
func inline(t *testing.T, page, element string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, "<"+element+">")
	text, rest, found := strings.Cut(rest, "</"+element+">")
	if !found || strings.Contains(rest, "<"+element) || strings.Contains(text, "\r") || strings.Contains(text, "<!--") {
		t.Fatalf("the page has no, or more than one, or a broken %s", element)
	}
	return text
}

func TestLinkPageHeaders(t *testing.T) {
	header := ask(t, "GET", "/link").Header
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestLinkPagePolicyAllowsItsOwnScriptAndStyleOnly(t *testing.T) {
	text := page(t)
	hash := func(element string) string {
		sum := sha256.Sum256([]byte(inline(t, text, element)))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; script-src " + hash("script") + "; style-src " + hash("style") + "; connect-src 'self'; " +
		"form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
	if got := ask(t, "GET", "/link").Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy %q\nwant   %q", got, want)
	}
}

func TestLinkPageLoadsNothingAndWritesTextOnly(t *testing.T) {
	text := page(t)
	for _, forbidden := range []string{`\son[a-z]+\s*=`, `https?:`, `\ssrc\s*=`, `\shref\s*=`, `\sstyle\s*=`,
		`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function`,
		`javascript:`, `\burl\(|@import`, `localStorage|sessionStorage|console\.`} {
		if found := regexp.MustCompile(forbidden).FindString(text); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	for _, left := range []string{"<style>STYLE", "<script>SCRIPT"} {
		if strings.Contains(text, left) {
			t.Errorf("%s was not replaced", left)
		}
	}
}

func TestLinkPageHasEveryElementThatItsScriptUses(t *testing.T) {
	text := page(t)
	for _, used := range regexp.MustCompile(`\$\("([a-z-]+)"\)`).FindAllStringSubmatch(inline(t, text, "script"), -1) {
		if strings.Count(text, `id="`+used[1]+`"`) != 1 {
			t.Errorf("the script uses #%s, which is not there once", used[1])
		}
	}
}

// TestLinkPageScript runs the script in Node.js on a stand-in for the browser.
func TestLinkPageScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed")
	}
	path := t.TempDir() + "/page.html"
	if err := os.WriteFile(path, []byte(page(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), node, "testdata/link.mjs", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
