package password_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/ccojocar/zxcvbn-go/data"

	"github.com/tokenim/tokenim/shared/table/storetest"
)

var update = flag.Bool("update", false, "write the list of the commonest passwords")

// TestCommonPasswordsAreThoseOfTheModule holds common.txt to the first 3,000 of the ranked list that it is made from.
func TestCommonPasswordsAreThoseOfTheModule(t *testing.T) {
	packed, err := data.Asset("data/Passwords.json")
	storetest.OK(t, "read the module's list", err)
	var ranked struct{ List []string }
	storetest.OK(t, "decode it", json.Unmarshal(packed, &ranked))
	want := strings.Join(ranked.List[:3000], "\n") + "\n"
	if *update {
		storetest.OK(t, "write", os.WriteFile("common.txt", []byte(want), 0o644))
	}
	text, err := os.ReadFile("common.txt")
	storetest.OK(t, "read common.txt", err)
	if string(text) != want {
		t.Error("common.txt is not the module's list: run this test with -update")
	}
}
