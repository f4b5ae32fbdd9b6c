package check

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/user"
)

// userRow is an item of the table of users: a profile, or a name with whom it is held for.
type userRow struct {
	Key      string `dynamodbav:"pk"`
	User     string `dynamodbav:"user"`
	App      string `dynamodbav:"app"`
	Username string `dynamodbav:"username"`
	Shard    string `dynamodbav:"shard"`
	Name     string `dynamodbav:"name"`
	compiled
}

// namePrefix begins the part of a key behind the app where it is a name's. User IDs begin with u_, so the two differ.
const namePrefix = "name#"

func (c *checker) readUsers(ctx context.Context) error {
	return each(ctx, c, "USERS", func(row userRow) error {
		app, rest, _ := strings.Cut(row.Key, "#")
		if c.leaves(id.StoredApp(app), "USERS "+row.Key) {
			return nil
		}
		if name, ok := strings.CutPrefix(rest, namePrefix); ok && id.IsApp(app) {
			c.names[appName{id.StoredApp(app), name}] = row
			return nil
		}
		c.report.Users++
		if !id.IsApp(app) || !id.IsUser(rest) || row.App != app || row.User != rest {
			c.problem(Unreadable, "USERS "+row.Key, "neither a profile nor a name")
			return nil
		}
		c.profiles[member{id.StoredApp(app), id.User(rest)}] = row
		return nil
	})
}

// directoryShards is how many partitions an app's directory has.
const directoryShards = 16

// checkUsers matches names and profiles one to one.
func (c *checker) checkUsers() {
	for who, profile := range c.profiles {
		where := who.app.String() + " " + string(who.user)
		if _, ok := c.apps[who.app]; !ok {
			c.problem(Name, where, "its app has no row")
		}
		name, err := user.ParseName(profile.Username)
		if err != nil {
			c.problem(Unreadable, where, "%q is no username", profile.Username)
			continue
		}
		if c.names[appName{who.app, name.Compared}].User != string(who.user) {
			c.problem(Name, where, "its name is not held for it")
		}
	}
	for at, claim := range c.names {
		c.checkName(at, claim)
	}
}

func (c *checker) checkName(at appName, claim userRow) {
	where := fmt.Sprintf("%s name %q", at.app, at.name)
	shard := fmt.Sprintf("%s#%d", at.app, crc32.ChecksumIEEE([]byte(claim.User))%directoryShards)
	if claim.Name != at.name || claim.Shard != shard {
		c.problem(Name, where, "the directory would not list it in its place")
	}
	profile, ok := c.profiles[member{at.app, id.User(claim.User)}]
	if !ok {
		c.problem(Name, where, "is held for %s, who is missing", claim.User)
		return
	}
	if name, err := user.ParseName(profile.Username); err == nil && name.Compared != at.name {
		c.problem(Name, where, "is held for %s, who has another name", claim.User)
	}
}
