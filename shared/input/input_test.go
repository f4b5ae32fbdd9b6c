package input_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/input"
)

type frame struct {
	Effect string     `json:"effect,omitempty" enum:"allow,deny"`
	Until  *time.Time `json:"until,omitempty"`
	Hex    string     `json:"hex,omitempty" pattern:"^[0-9a-f]*$"`
	Names  []string   `json:"names,omitempty" uniqueItems:"true"`
}

// Whoever sends what is not allowed is told what is, and never how Go writes it.
func TestFindingsSayWhatIsAllowed(t *testing.T) {
	decoder := input.NewDecoder[frame]()
	for text, want := range map[string]string{
		`{"effect": "maybe"}`:    `The field "effect" has a value that is not allowed here. It is one of: allow, deny.`,
		`{"until": "yesterday"}`: `The field "until" has the wrong type; expected: RFC 3339 date-time.`,
		`{"hex": "xyz"}`:         `The field "hex" has a value that is not allowed here. It has to match ^[0-9a-f]*$.`,
		`{"names": ["a", "a"]}`:  `The field "names" has a value that is not allowed here. No two of its items may be the same.`,
		`{"color": "red"}`:       `There is no field "color" here; names are case-sensitive.`,
	} {
		_, err := decoder.Decode([]byte(text))
		if got := fault.Of(err).Detail(fault.English); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
