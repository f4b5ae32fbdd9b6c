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

// translations are what the commands of the Chinese README say in Chinese: the texts of messages, and nothing else.
var translations = strings.NewReplacer("Ann，你好！", "Hi Ann!", "你好！", "Hello!")

func TestReadmesHaveTheSameCommands(t *testing.T) {
	english := codeBlock.FindAllStringSubmatch(read(t, "README.md"), -1)
	chinese := codeBlock.FindAllStringSubmatch(translations.Replace(read(t, "README.zh-CN.md")), -1)
	if len(english) != len(chinese) || len(english) == 0 {
		t.Fatalf("README.md has %d blocks of code, README.zh-CN.md has %d", len(english), len(chinese))
	}
	for i, block := range english {
		if block[1] != chinese[i][1] || block[2] != chinese[i][2] {
			t.Errorf("block %d (%s) of README.md is\n%s\nin README.zh-CN.md (%s) it is\n%s", i+1, block[1], block[2], chinese[i][1], chinese[i][2])
		}
	}
}

func TestReadmesNameTheSameCommands(t *testing.T) {
	named := func(path string) (commands []string) {
		for _, match := range inlineCommand.FindAllStringSubmatch(read(t, path), -1) {
			commands = append(commands, match[1])
		}
		return commands
	}
	same(t, "README.md", named("README.md"), "README.zh-CN.md", named("README.zh-CN.md"))
}
