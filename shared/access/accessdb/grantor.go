package accessdb

import (
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// grantorStands is the condition that the grantor is as it was when it was let in. An item that is the subject's is left out:
// recompile asks for that one.
func (s *Store) grantorStands(work *table.Transaction, by access.Grantor, app id.App, subject string) {
	if by.Key != "" && string(by.Key) != subject {
		work.Check(s.keyStands(by, app), access.ErrGrantorChanged)
	}
	if by.User != "" && string(by.User) != subject {
		work.Check(s.userStands(by, app), access.ErrGrantorChanged)
	}
}

// itself returns the condition of a grantor whose item is the subject's.
func (s *Store) itself(c change) (table.Update, bool) {
	switch c.grant.Subject {
	case "":
		return table.Update{}, false
	case string(c.by.Key):
		return s.keyStands(c.by, c.grant.App), true
	case string(c.by.User):
		return s.userStands(c.by, c.grant.App), true
	}
	return table.Update{}, false
}

func (s *Store) keyStands(by access.Grantor, app id.App) table.Update {
	return apikeydb.Stands(s.Keys, app, by.Key, apikey.Seen{Rights: by.KeyVersion, Policy: by.PolicyVersion})
}

func (s *Store) userStands(by access.Grantor, app id.App) table.Update {
	stands := table.Update{Table: s.Users, Key: userdb.ItemKey(app, by.User), If: "attribute_exists(pk) AND epoch = :seen_epoch",
		Values: table.Item{":seen_epoch": table.N(by.Epoch)}}
	asRead, values := authzdb.AsRead(by.UserVersion)
	apikeydb.And(&stands, table.Update{If: asRead, Values: values})
	return stands
}
