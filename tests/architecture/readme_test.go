package architecture

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// codeBlock is a block of code in a language; the tree of folders has none.
	codeBlock = regexp.MustCompile("(?s)\n```([a-z]+)\n(.*?)\n```")
	// inlineCommand is a command within a sentence.
	inlineCommand = regexp.MustCompile("`((?:make|sam|bash|pip) [^`]*)`")
)

// twins are the documents that are written in both languages, by the name of the English one.
var twins = map[string]string{"README.md": "README.zh-CN.md", "docs/guide.md": "docs/guide.zh-CN.md",
	"docs/guide-authorization.md": "docs/guide-authorization.zh-CN.md", "docs/guide-groups.md": "docs/guide-groups.zh-CN.md",
	"docs/guide-users.md": "docs/guide-users.zh-CN.md", "docs/guide-media.md": "docs/guide-media.zh-CN.md",
	"docs/guide-messages.md": "docs/guide-messages.zh-CN.md"}

// translations are what the commands of the Chinese documents say in Chinese: the texts of messages, and the wish for
// answers in Chinese.
var translations = strings.NewReplacer("Ann，你好！", "Hi Ann!", "你好！", "Hello!", " -H 'Accept-Language: zh'", "")

func TestTwinsHaveTheSameCommands(t *testing.T) {
	for first, second := range twins {
		english := codeBlock.FindAllStringSubmatch(read(t, first), -1)
		chinese := codeBlock.FindAllStringSubmatch(translations.Replace(read(t, second)), -1)
		if len(english) != len(chinese) || len(english) == 0 {
			t.Errorf("%s has %d blocks of code, %s has %d", first, len(english), second, len(chinese))
			continue
		}
		for i, block := range english {
			if block[1] != chinese[i][1] || block[2] != chinese[i][2] {
				t.Errorf("block %d (%s) of %s is\n%s\nin %s (%s) it is\n%s", i+1, block[1], first, block[2], second, chinese[i][1], chinese[i][2])
			}
		}
	}
}

func TestTwinsNameTheSameCommands(t *testing.T) {
	named := func(path string) (commands []string) {
		for _, match := range inlineCommand.FindAllStringSubmatch(read(t, path), -1) {
			commands = append(commands, match[1])
		}
		return commands
	}
	for first, second := range twins {
		same(t, first, named(first), second, named(second))
	}
}
