package check_test

import (
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// TestRowsOfConnectionsAreKnown: imports of users, and their rows, and broadcasts lie among the connections, and so do devices' subscriptions to
// groups, and their ends; what only looks like them is a problem.
func TestRowsOfConnectionsAreKnown(t *testing.T) {
	sound, wrapper := world(t)
	app, _, _ := strings.Cut(text(sound["USERS"][0]["pk"]), "#")
	job := "import_" + strings.Repeat("1", 22)
	said := "broadcast_" + strings.Repeat("1", 22)
	group, user := app+"#g_"+strings.Repeat("1", 22), strings.Repeat("2", 22)
	for key, want := range map[[2]string]int{
		{app + "#import#a", job}: 0, {app + "#import#a", job + "#0001"}: 0,
		{app + "#import#a", "x"}: 1, {app + "#import", job}: 1, {app + "#imports#a", job}: 1, {"x#import#a", job}: 1,
		{app + "#broadcast", said}: 0, {app + "#broadcast", said + "#content"}: 0, {app + "#broadcast", "at#1793534400000#" + said}: 0, {app + "#broadcast", "slot#2"}: 0,
		{app + "#broadcast", "x"}: 1, {app + "#broadcast", "at#x#" + said}: 1, {app + "#broadcast", "at#1"}: 1, {app + "#broadcast", "slot#x"}: 1,
		{app + "#broadcast", said + "#x"}: 1, {app + "#broadcasts", said}: 1, {"x#broadcast", said}: 1,
		{group, user + "#AbC="}: 0, {group, user + "#"}: 0,
		{group, user}: 1, {group, "x#AbC="}: 1, {app + "#c_" + strings.Repeat("1", 22), user + "#AbC="}: 1, {"x#g_1", user + "#"}: 1,
	} {
		all := sound.clone()
		all["CONNECTIONS"] = append(all["CONNECTIONS"], table.Key(key[0], key[1]))
		report, err := check.Run(t.Context(), all, wrapper)
		storetest.OK(t, "Run", err)
		if len(report.Problems) != want || report.Of(check.Unreadable) != want {
			t.Errorf("%q: problems %v, want %d", key, report.Problems, want)
		}
	}
}
