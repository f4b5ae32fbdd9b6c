package oracle

import (
	"testing"
)

// withinCases is how many cases it may take to find a mistake.
const withinCases = 20_000

// A comparison is worth what it finds: each mistake has to be found soon, and without one nothing may be found.
func TestMistakesAreFound(t *testing.T) {
	const seed = 1
	for _, planted := range append([]mistake{none}, mistakes...) {
		t.Run(string(planted), func(t *testing.T) {
			t.Parallel()
			var found error
			cases := uint64(0)
			for n := uint64(1); found == nil && cases < withinCases; n++ {
				found = compare(planted, seed, n, nil)
				cases += casesPerWorld
			}
			switch {
			case planted == none && found != nil:
				t.Errorf("a disagreement without a mistake: %v", found)
			case planted != none && found == nil:
				t.Errorf("not found in %d cases", cases)
			case planted != none:
				t.Logf("found within %d cases", cases)
			}
		})
	}
}
