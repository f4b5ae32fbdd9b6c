package check

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// userRow is an item of the table of users: a user, what it shows of itself, one of its blocks, or a name with whom it is
// held for.
type userRow struct {
	Key      string `dynamodbav:"pk"`
	User     string `dynamodbav:"user"`
	App      string `dynamodbav:"app"`
	Username string `dynamodbav:"username"`
	Version  int64  `dynamodbav:"version"`
	Claim    string `dynamodbav:"claim"`
	ErasedAt int64  `dynamodbav:"erased_at"`
	Blocks   int    `dynamodbav:"blocks"`
	Filter   []byte `dynamodbav:"block_filter"`
	Shard    string `dynamodbav:"shard"`
	Name     string `dynamodbav:"name"`
	compiled
}

// namePrefix begins the part of a key behind the app where it is a name's. User IDs begin with u_, so the two differ.
const namePrefix = "name#"

// profileSuffix ends the key of what a user shows of itself.
const profileSuffix = "#profile"

// erasedSuffix ends the key of what is left of a user who was erased, or is being erased.
const erasedSuffix = "#erased"

// known tells whether there is the user, or was: rows of others may name one who was erased.
func (c *checker) known(who member) bool {
	_, user := c.profiles[who]
	return user || c.gone(who)
}

// gone tells whether the user was erased, or is being erased.
func (c *checker) gone(who member) bool {
	_, gone := c.erased[who]
	return gone
}

// erasing tells whether the user is deleted, and its erasing has not come to its end.
func (c *checker) erasing(who member) bool { return c.gone(who) && c.erased[who].ErasedAt == 0 }

// blockInfix stands between two users in the key of a block.
const blockInfix = "#block#"

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
		if of, ok := strings.CutSuffix(rest, profileSuffix); ok && id.IsApp(app) && id.IsUser(of) {
			c.shown[member{id.StoredApp(app), id.User(of)}] = row
			return nil
		}
		if of, ok := strings.CutSuffix(rest, erasedSuffix); ok && id.IsApp(app) && id.IsUser(of) {
			c.erased[member{id.StoredApp(app), id.User(of)}] = row
			return nil
		}
		if of, other, ok := strings.Cut(rest, blockInfix); ok && id.IsApp(app) && id.IsUser(of) && id.IsUser(other) {
			c.blocks[member{id.StoredApp(app), id.User(of)}] = append(c.blocks[member{id.StoredApp(app), id.User(of)}], row)
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
	c.checkBlocks()
	for who, left := range c.erased {
		if _, ok := c.profiles[who]; ok || left.User != string(who.user) {
			c.problem(Name, who.app.String()+" "+string(who.user), "is a user and was erased")
		}
	}
	for who, shown := range c.shown {
		if profile, ok := c.profiles[who]; !c.erasing(who) && (!ok || profile.Version == 0 || shown.User != string(who.user)) {
			c.problem(Name, who.app.String()+" "+string(who.user), "its profile is nobody's")
		}
	}
}

// checkBlocks counts the blocks of every user, and asks its filter for each: one that the filter did not know would be none.
func (c *checker) checkBlocks() {
	for who, profile := range c.profiles {
		where := who.app.String() + " " + string(who.user)
		if blocks := c.blocks[who]; len(blocks) != profile.Blocks {
			c.problem(Name, where, "counts %d blocks and has %d", profile.Blocks, len(blocks))
		}
		for _, block := range c.blocks[who] {
			known := user.Blocks{Count: profile.Blocks, Filter: profile.Filter}.MayHave(id.User(block.Name))
			if list := userdb.BlockList(who.app, who.user); !known || block.User != string(who.user) || block.Shard != list {
				c.problem(Name, where, "its block of %s is not found by sends, or by the list", block.Name)
			}
		}
	}
	for who := range c.blocks {
		if _, ok := c.profiles[who]; !ok && !c.erasing(who) {
			c.problem(Name, who.app.String()+" "+string(who.user), "has blocks and is missing")
		}
	}
}

func (c *checker) checkName(at appName, claim userRow) {
	where := fmt.Sprintf("%s name %q", at.app, at.name)
	shard := fmt.Sprintf("%s#%d", at.app, crc32.ChecksumIEEE([]byte(claim.User))%directoryShards)
	if claim.Name != at.name || claim.Shard != shard {
		c.problem(Name, where, "the directory would not list it in its place")
	}
	holder := member{at.app, id.User(claim.User)}
	profile, ok := c.profiles[holder]
	if c.erasing(holder) && c.erased[holder].Claim == at.name {
		return // the name is free when all the rest is gone
	}
	if !ok {
		c.problem(Name, where, "is held for %s, who is missing", claim.User)
		return
	}
	if name, err := user.ParseName(profile.Username); err == nil && name.Compared != at.name {
		c.problem(Name, where, "is held for %s, who has another name", claim.User)
	}
}
