package accesstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Harness is a store and what the suite needs of those who make what the store finds.
type Harness struct {
	Store access.Store
	// Add adds a key or a user to the app, just as it is, with no change of its statements yet. A key that ends by Noon has
	// been revoked, one that ends later expires.
	Add func(t *testing.T, app id.App, subject access.Subject)
	// Remove removes it, but not its grants.
	Remove func(t *testing.T, app id.App, subject string)
	// End revokes or suspends a key, whose other attributes stay as they are.
	End func(t *testing.T, app id.App, key id.Key, suspended bool)
	// DeleteApp deletes the app or restores it.
	DeleteApp func(t *testing.T, app id.App, deleted bool)
	// Policy returns the policy that the key has.
	Policy func(t *testing.T, app id.App, key id.Key) authz.Policy
	// Records has the records of the store.
	Records record.Store
}

// Run checks that a store keeps the contract of access.Store.
func Run(t *testing.T, h Harness) {
	t.Run("Subject has every field", func(t *testing.T) { runSubject(t, h) })
	t.Run("Put keeps every field", func(t *testing.T) { runPutKeeps(t, h) })
	t.Run("Put refuses", func(t *testing.T) { runPutRefuses(t, h) })
	t.Run("Put is atomic", func(t *testing.T) { runPutRace(t, h) })
	t.Run("Put of one grant at once", func(t *testing.T) { runPutSame(t, h) })
	t.Run("Revoke ends a grant once", func(t *testing.T) { runRevoke(t, h) })
	t.Run("Revoke refuses", func(t *testing.T) { runRevokeRefuses(t, h) })
	t.Run("Revoke without the subject", func(t *testing.T) { runRevokeGone(t, h) })
	t.Run("Revoke is atomic", func(t *testing.T) { runRevokeRace(t, h) })
	t.Run("Put and Revoke at once", func(t *testing.T) { runPutRevokeRace(t, h) })
	t.Run("List pages by ID", func(t *testing.T) { runList(t, h) })
	t.Run("List goes through many rows", func(t *testing.T) { runListMany(t, h) })
	t.Run("List filters", func(t *testing.T) { runFilters(t, h) })
	t.Run("Subjects pages through keys and users", func(t *testing.T) { runSubjects(t, h) })
	t.Run("SetBook keeps every field", func(t *testing.T) { runBookKeeps(t, h) })
	t.Run("SetBook refuses", func(t *testing.T) { runBookRefuses(t, h) })
	t.Run("SetBook is atomic", func(t *testing.T) { runBookRace(t, h) })
	t.Run("nobody decides by what they have lost", func(t *testing.T) { runGrantorRefused(t, h) })
	t.Run("who stays as they were decides", func(t *testing.T) { runGrantorStands(t, h) })
	t.Run("nobody decides behind what they have lost", func(t *testing.T) { runGrantorRace(t, h) })
	t.Run("Align reaches the keys that work", func(t *testing.T) { runAlign(t, h) })
	t.Run("Align goes forward only", func(t *testing.T) { runAlignForward(t, h) })
	t.Run("Align while the book and grants change", func(t *testing.T) { runAlignRace(t, h) })
	t.Run("an app sees its own only", func(t *testing.T) { runApart(t, h) })
}

// NewKey returns a key of the app that has not changed yet.
func NewKey(app id.App) access.Subject {
	return access.Subject{ID: string(id.Source{}.Key(app)), Name: "backend 后端", CreatedAt: storetest.Noon(),
		CreatedBy: string(id.Source{}.Developer()), EndedAt: storetest.Noon().Add(time.Hour), UsedAt: storetest.Noon().Add(time.Minute),
		Rights: authz.Rights{Kind: authz.Keys, Base: authz.SetOf(authz.MessagesSend, authz.UsersList)}}
}

// NewUser returns a user that has not changed yet.
func NewUser() access.Subject {
	return access.Subject{ID: string(id.Source{}.User()), Name: "Ann", CreatedAt: storetest.Noon(), Epoch: 3,
		Rights: authz.Rights{Kind: authz.Users}}
}

// NewGrant returns a grant of a role to the subject for good.
func NewGrant(app id.App, subject string) access.Grant {
	ids := id.Source{}
	grant := access.Grant{ID: ids.Grant(), App: app, Subject: subject, CreatedAt: storetest.Noon(), CreatedBy: string(ids.Developer()),
		Reason: "for the on-call week", Fingerprint: "fingerprint", Statement: authz.Statement{Role: authz.Auditor}}
	grant.Statement.Grant = grant.ID
	return grant
}

// world is an app with a key and a user, seen by one test.
type world struct {
	*testing.T
	Harness
	app       id.App
	key, user access.Subject
}

func newWorld(t *testing.T, h Harness) *world {
	w := &world{T: t, Harness: h, app: id.Source{}.App()}
	w.key, w.user = NewKey(w.app), NewUser()
	h.Add(t, w.app, w.key)
	h.Add(t, w.app, w.user)
	return w
}

// note returns a record of the app that no other test has.
func (w *world) note(doing string) record.Record {
	return record.New(record.OfApp(w.app), storetest.Noon(), record.Origin{Actor: "dev", Reason: doing}, record.GrantCreated, "it", nil, nil)
}

// put stores the grant as the subject's next statement.
func (w *world) put(grant access.Grant) access.Subject {
	w.Helper()
	was := w.subject(grant.Subject)
	made, err := w.Store.Put(w.Context(), access.Grantor{}, grant, was, append(slices.Clone(was.Rights.Statements), grant.Statement), w.note("put"))
	storetest.OK(w, "Put", err)
	same(w.T, "Put", made, grant)
	return w.subject(grant.Subject)
}

func (w *world) subject(subject string) access.Subject {
	w.Helper()
	found, err := w.Store.Subject(w.Context(), w.app, subject)
	storetest.OK(w, "Subject", err)
	return found
}

// stands checks what the store has of the grant.
func (w *world) stands(want access.Grant) {
	w.Helper()
	found, err := w.Store.Get(w.Context(), w.app, want.ID)
	storetest.OK(w, "Get", err)
	same(w.T, "Get", found, want)
}

// absent checks that the store has no such grant.
func (w *world) absent(grant access.Grant) {
	w.Helper()
	_, err := w.Store.Get(w.Context(), w.app, grant.ID)
	storetest.Refused(w.T, "Get", err, access.ErrNotFound)
}

// recorded checks that there are as many records as changes, each with its reason.
func (w *world) recorded(reasons ...string) {
	w.Helper()
	got := w.reasons()
	slices.Sort(got)
	slices.Sort(reasons)
	if !slices.Equal(got, reasons) {
		w.Fatalf("records of %v, want %v", got, reasons)
	}
}

// same compares what is printed: an empty list is as good as none.
func same(t storetest.T, doing string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s = %s\nwant %s", doing, g, w)
	}
}

// reasons are those of the app's records.
func (w *world) reasons() (reasons []string) {
	for _, each := range recordtest.All(w, w.Records, record.OfApp(w.app)) {
		reasons = append(reasons, each.Reason)
	}
	return reasons
}
