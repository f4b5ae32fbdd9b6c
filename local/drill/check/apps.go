package check

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/task"
)

// settings are the attributes of an app's own row; the times are in milliseconds since 1970, 0 for none.
type settings struct {
	Account   string `dynamodbav:"account"`
	DeletedAt int64  `dynamodbav:"deleted_at"`
	EraseAt   int64  `dynamodbav:"erase_at"`
	Erasing   int64  `dynamodbav:"erasing"`
	ErasedAt  int64  `dynamodbav:"erased_at"`
}

// leaves tells whether the app is being erased: its rows are on their way out, some before others, and break rules that
// nobody needs any more. Behind the end of the erasing there may be none.
func (c *checker) leaves(app id.App, where string) bool {
	if c.apps[app].ErasedAt != 0 {
		c.problem(App, where, "was left behind when its app was erased")
	}
	return c.apps[app].Erasing != 0
}

// checkApps checks every app against its pointer and its deletion. The first app of a stack is in no account; what was
// erased is in none any more.
func (c *checker) checkApps() {
	for app, row := range c.apps {
		_, listed := c.pointers[pointer{id.Account(row.Account), app}]
		deleted := row.DeletedAt != 0
		switch {
		case deleted != (row.EraseAt != 0), row.Erasing != 0 && !deleted, row.ErasedAt != 0 && row.Erasing == 0:
			c.problem(App, app.String(), "deleted at %d, to erase at %d, erasing since %d, erased at %d",
				row.DeletedAt, row.EraseAt, row.Erasing, row.ErasedAt)
		case row.Erasing != 0 && listed:
			c.problem(App, app.String(), "is being erased and is still in account %s", row.Account)
		case row.Erasing == 0 && row.Account != "" && !listed:
			c.problem(App, app.String(), "is not among the apps of its account, %s", row.Account)
		}
		if deleted && row.ErasedAt == 0 && !c.erasures[app] {
			c.problem(Task, app.String(), "is deleted, and no task erases it")
		}
	}
}

// pointer is an app's place in an account.
type pointer struct {
	account id.Account
	app     id.App
}

// checkPointer checks an account's pointer to an app against the app's own row.
func (c *checker) checkPointer(at pointer, row accountRow) {
	where := string(at.account) + " " + at.app.String()
	app, ok := c.apps[at.app]
	switch {
	case !ok:
		c.problem(App, where, "the app has no row")
	case app.Account != string(at.account):
		c.problem(App, where, "the app is of account %q", app.Account)
	case app.DeletedAt != row.DeletedAt:
		c.problem(App, where, "deleted at %d in the account, at %d by itself", row.DeletedAt, app.DeletedAt)
	}
}

// taskRow is an item of the table of tasks. The row "swept" has a day only.
type taskRow struct {
	Partition string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Kind      string `dynamodbav:"kind"`
	Due       int64  `dynamodbav:"due"`
	App       string `dynamodbav:"app"`
	Subject   string `dynamodbav:"subject"`
	Day       string `dynamodbav:"day"`
}

const (
	dayLayout = time.DateOnly
	dueLayout = "2006-01-02T15:04:05.000Z"
)

// readTasks checks that every task will be found when it is due. One of an app or a key that is gone comes to nothing, and
// is no problem.
func (c *checker) readTasks(ctx context.Context) error {
	return each(ctx, c, "TASKS", func(row taskRow) error {
		where := "TASKS " + row.Partition + " " + row.Sort
		if row.Partition == "swept" && row.Sort == "swept" {
			if _, err := time.Parse(dayLayout, row.Day); err != nil {
				c.problem(Unreadable, where, "%q is no day", row.Day)
			}
			return nil
		}
		c.report.Tasks++
		if !row.sound() {
			c.problem(Unreadable, where, "not a task under its day, time, kind, app and subject")
			return nil
		}
		if task.Kind(row.Kind) == task.AppErase {
			c.erasures[id.StoredApp(row.App)] = true
		}
		return nil
	})
}

// sound tells whether the task stands where its attributes say.
func (r taskRow) sound() bool {
	due := time.UnixMilli(r.Due).UTC()
	sort := strings.Join([]string{due.Format(dueLayout), r.Kind, r.App, r.Subject}, "#")
	return r.Partition == "due#"+due.Format(dayLayout) && r.Sort == sort && id.IsApp(r.App) &&
		slices.Contains(task.Kinds, task.Kind(r.Kind))
}
