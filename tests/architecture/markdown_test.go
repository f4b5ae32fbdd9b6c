package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns the Markdown files that people read, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range []string{"README.md", "README.zh-CN.md", "CHANGELOG.md"} {
		found[name] = read(t, name)
	}
	err := filepath.WalkDir(filepath.Join(repository, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			relative, _ := filepath.Rel(repository, path)
			found[filepath.ToSlash(relative)] = read(t, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	link      = regexp.MustCompile(`\]\(([^)#]+)\)`)
	jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
)

func TestDocumentsLinkToWhatExists(t *testing.T) {
	for name, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			target := filepath.Join(repository, filepath.Dir(name), match[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, match[1])
			}
		}
	}
}

func TestDocumentsShowJSON(t *testing.T) {
	for name, text := range documents(t) {
		for _, block := range jsonBlock.FindAllStringSubmatch(text, -1) {
			for decoder := json.NewDecoder(strings.NewReader(block[1])); ; {
				var value any
				err := decoder.Decode(&value)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("%s: an example is not JSON: %v\n%s", name, err, block[1])
					break
				}
			}
		}
	}
}

func TestSocketGuideHasEveryAction(t *testing.T) {
	guide := read(t, "docs/socket.md")
	for action := range everything(t, refuseAll).socket.Actions() {
		if !strings.Contains(guide, "\n### "+action+"\n") {
			t.Errorf("docs/socket.md has no chapter about %s", action)
		}
	}
}

// TestDependenciesHaveAReason: each module that go.mod requires directly is named in the first decision.
func TestDependenciesHaveAReason(t *testing.T) {
	reasons := read(t, "docs/decisions/0001-dependencies.md")
	for line := range strings.Lines(read(t, "go.mod")) {
		module, _, ok := strings.Cut(strings.TrimSpace(line), " v")
		if !ok || strings.Contains(line, "// indirect") {
			continue
		}
		// The SDK's modules share a line of the table, each by what follows the common part.
		short := strings.TrimPrefix(strings.TrimPrefix(module, "github.com/"), "aws/aws-sdk-go-v2/")
		if !strings.Contains(reasons, short) && !strings.Contains(reasons, "`"+strings.TrimPrefix(short, "service/")+"`") {
			t.Errorf("%s has no reason in docs/decisions/0001-dependencies.md", module)
		}
	}
}
