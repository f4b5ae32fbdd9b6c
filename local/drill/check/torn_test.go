package check_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// torn is what a restore can make of a change that was under way: one table is as it was before, and the change is made
// again, undone first where it counts as made.
type torn struct {
	table        string // which is cut before the change
	change, undo func(c club, of id.Group)
}

func addGil(c club, of id.Group)    { c.bring("", of, true, "gil") }
func removeGil(c club, of id.Group) { c.remove("gil", of) }
func addEve(c club, of id.Group)    { c.bring("", of, true, "eve") }
func removeEve(c club, of id.Group) { c.remove("eve", of) }

func renameTo(name string) func(c club, of id.Group) {
	return func(c club, of id.Group) {
		_, err := c.groups.Change(c.Context(), c.as("dan"), of, group.Wish{Name: &name})
		storetest.OK(c, "rename", err)
	}
}

// What docs/restoring.md says of changes that were under way: the check finds them, and all but the count of members is in
// step once the change is made again, undone first where it counts as made.
func TestAChangeTornByARestore(t *testing.T) {
	for name, torn := range map[string]torn{
		"a member in the roster alone":  {"CONVERSATIONS", addGil, func(club, id.Group) {}},
		"a member by the row alone":     {"GROUPS", addGil, removeGil},
		"a removal in the roster alone": {"CONVERSATIONS", removeEve, addEve},
		"a removal by the row alone":    {"GROUPS", removeEve, addEve},
		"a name that is only told":      {"GROUPS", renameTo("walking"), renameTo("running")},
	} {
		t.Run(name, func(t *testing.T) { torn.run(t) })
	}
}

func (torn torn) run(t *testing.T) {
	db, tables, wrapper, key := tenant(t)
	users, messages := services(db, tables, wrapper)
	c := newClub(t, db, tables, key.App(), users, messages)
	of := c.make("dan", "hiking", group.Wish{})
	c.bring("", of, true, "eve")

	before := copied(t, db, tables)
	torn.change(c, of)
	behind := tables["TABLE_"+torn.table]
	for _, item := range copied(t, db, tables)[torn.table] {
		key := table.Item{"pk": item["pk"], "sk": item["sk"]}
		_, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &behind, Key: key})
		storetest.OK(t, "delete", err)
	}
	for _, item := range before[torn.table] {
		storetest.OK(t, "put", table.Put(t.Context(), db, behind, item, "", nil, nil))
	}
	problems := func() []check.Problem {
		report, err := check.Run(t.Context(), copied(t, db, tables), wrapper)
		storetest.OK(t, "Run", err)
		return report.Problems
	}
	if len(problems()) == 0 {
		t.Error("nothing is found")
	}
	torn.undo(c, of)
	torn.change(c, of)
	for _, problem := range problems() {
		if problem.Kind != check.Group || !strings.Contains(problem.What, "counts") {
			t.Errorf("after the change was made again: %s", problem)
		}
	}
}
