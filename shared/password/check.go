package password

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/tokenim/tokenim/shared/fault"
)

const (
	// commonest is how many of the list's passwords are refused; the list begins with the commonest.
	commonest = 3000
	// leastWord is how many characters make an own word: shorter ones stand in too many passwords by chance.
	leastWord = 4
	// service is an own word of every account.
	service = "tokenim"
)

// Check returns nil for a password that is good enough to be set, else the refusal. It asks for no kinds of characters,
// only for length and for a password that is not among the first to be guessed:
//
//   - MinLength characters, or MinLengthSecondFactor where a second factor is on (fault.PasswordTooShort); at most
//     MaxLength and MaxBytes (fault.PasswordTooLong); text as PRECIS OpaqueString has it (fault.PasswordInvalid);
//   - not one of the 3,000 commonest, nor one of them or a single character repeated (the last time possibly in part),
//     nor one of them between repetitions of one character each (fault.PasswordCommon);
//   - not built from the account's own words (fault.PasswordOwnWords): once these are taken out, 8 characters are left
//     that are not common by the rule above. A password without an own word is never refused by this rule.
//
// own is what is known of the account: its e-mail address, the person's name, the account's name. Its words are the
// texts themselves; what stands on either side of an "@"; in these the runs of letters and digits, and the runs of
// letters, each alone and written together ("annlee84" and "annlee" of ann.lee84@…); each where it has 4 characters or
// more; and the service's name. Words and common passwords are compared without regard to case and width.
func Check(text string, secondFactor bool, own ...string) error {
	normal, err := normalise(text)
	if err != nil {
		return err
	}
	least := MinLength
	if secondFactor {
		least = MinLengthSecondFactor
	}
	if utf8.RuneCountInString(normal) < least {
		return fault.New(fault.PasswordTooShort, least)
	}
	folded := []rune(fold(normal))
	if isCommon(folded) {
		return fault.New(fault.PasswordCommon)
	}
	rest := without(folded, words(own))
	if len(rest) < len(folded) && (len(rest) < MinLengthSecondFactor || isCommon(rest)) {
		return fault.New(fault.PasswordOwnWords)
	}
	return nil
}

// fold makes texts that differ in case or width only equal.
func fold(text string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

// list has the commonest passwords, one a line, as github.com/ccojocar/zxcvbn-go ranks them (MIT License); a test holds it
// to that module. The module itself would add the dictionaries of five languages to the function.
//
//go:embed common.txt
var list string

// common returns the commonest passwords, folded.
var common = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool, commonest)
	for entry := range strings.Lines(list) {
		set[fold(strings.TrimSuffix(entry, "\n"))] = true
	}
	return set
})

// longest is how many characters the longest common password has: what is longer need not be looked up.
var longest = sync.OnceValue(func() (most int) {
	for entry := range common() {
		most = max(most, utf8.RuneCountInString(entry))
	}
	return most
})

// isCommon tells whether the text, folded, is common by the rule of Check.
func isCommon(text []rune) bool { return isRepeated(text) || isPadded(text) }

// isRepeated tells whether the text is a common password or one character, written once or more; the last time possibly
// in part.
func isRepeated(text []rune) bool {
	for unit := 1; unit <= min(len(text), longest()); unit++ {
		if (unit == 1 || common()[string(text[:unit])]) && slices.Equal(text[unit:], text[:len(text)-unit]) {
			return true
		}
	}
	return false
}

// isPadded tells whether the text is a common password behind one character, repeated, and before another.
func isPadded(text []rune) bool {
	before, behind := run(text), run(reversed(text))
	for start := 0; start <= before; start++ {
		for end := max(start+1, len(text)-behind); end <= min(len(text), start+longest()); end++ {
			if common()[string(text[start:end])] {
				return true
			}
		}
	}
	return false
}

// run returns how often the text's first character stands at its beginning.
func run(text []rune) int {
	other := slices.IndexFunc(text, func(r rune) bool { return r != text[0] })
	if other < 0 {
		return len(text)
	}
	return other
}

func reversed(text []rune) []rune {
	backwards := slices.Clone(text)
	slices.Reverse(backwards)
	return backwards
}

// words returns the own words of the texts.
func words(own []string) [][]rune {
	found := [][]rune{[]rune(service)}
	add := func(candidates ...string) {
		for _, candidate := range candidates {
			if word := []rune(candidate); len(word) >= leastWord {
				found = append(found, word)
			}
		}
	}
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }
	notWord := func(r rune) bool { return notLetter(r) && !unicode.IsDigit(r) }
	for _, text := range own {
		text = fold(text)
		add(strings.TrimSpace(text))
		for side := range strings.SplitSeq(text, "@") {
			add(strings.TrimSpace(side))
			for _, separates := range []func(rune) bool{notWord, notLetter} {
				fields := strings.FieldsFunc(side, separates)
				add(fields...)
				add(strings.Join(fields, ""))
			}
		}
	}
	return found
}

// without returns the text without every character that is part of one of the words, wherever these overlap.
func without(text []rune, words [][]rune) []rune {
	covered := make([]bool, len(text))
	for _, word := range words {
		for at := 0; at+len(word) <= len(text); at++ {
			if slices.Equal(text[at:at+len(word)], word) {
				for i := range word {
					covered[at+i] = true
				}
			}
		}
	}
	var rest []rune
	for i, r := range text {
		if !covered[i] {
			rest = append(rest, r)
		}
	}
	return rest
}
