package accesstest_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accesstest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

func TestStore(t *testing.T) {
	store := accesstest.NewStore()
	accesstest.Run(t, accesstest.Harness{
		Store: store,
		Add: func(_ *testing.T, app id.App, subject access.Subject) {
			if id.IsKey(subject.ID) {
				store.AddKey(app, subject)
			} else {
				store.AddUser(app, subject)
			}
		},
		Remove:    func(_ *testing.T, app id.App, subject string) { store.Remove(app, subject) },
		End:       func(_ *testing.T, app id.App, key id.Key, suspended bool) { store.End(app, key, suspended) },
		DeleteApp: func(_ *testing.T, app id.App, deleted bool) { store.DeleteApp(app, deleted) },
		Policy:    func(_ *testing.T, app id.App, key id.Key) authz.Policy { return store.Policy(app, key) },
		Records:   store.Logs,
	})
}
