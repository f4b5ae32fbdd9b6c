package access_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const day = 24 * time.Hour

// used notes that the subject used the permission today.
func (s *scene) used(t *testing.T, subject string, permission authz.Permission) {
	found := s.subject(t, subject)
	if found.Rights.Used == nil {
		found.Rights.Used = map[authz.Permission]int64{}
	}
	found.Rights.Used[permission] = authz.Day(s.now())
	if id.IsKey(subject) {
		s.store.AddKey(s.app, found)
	} else {
		s.store.AddUser(s.app, found)
	}
}

// review returns what the review says of the subject.
func (s *scene) review(t *testing.T, days int, subject string) access.Reviewed {
	t.Helper()
	for position := ""; ; {
		page, next, err := s.Review(t.Context(), s.app, days, position, 1)
		storetest.OK(t, "Review", err)
		for _, each := range page {
			if each.Subject == subject {
				return each
			}
		}
		if next == "" {
			t.Fatalf("%s is not reviewed", subject)
		}
		position = next
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// A permission is unused once both its last use and what gave it are as old as was asked for.
func TestReviewOfAKey(t *testing.T) {
	s := newScene()
	start := s.now()
	key := s.key("messages:send", "users:list")
	s.clock.Advance(10 * day)
	s.used(t, key, authz.MessagesSend)
	given := s.grant(t, access.Wish{Subject: key, Permissions: []string{"keys:read"}})
	permissions := func(used, unusedList, unusedKeys bool) []access.ReviewedPermission {
		return []access.ReviewedPermission{
			{Permission: authz.KeysRead, Via: authz.ViaGrant, GrantID: given.ID, Since: &given.CreatedAt, Unused: unusedKeys},
			{Permission: authz.UsersList, Via: authz.ViaBase, Since: &start, Unused: unusedList},
			{Permission: authz.MessagesSend, Via: authz.ViaBase, Since: &start, LastUsed: "2096-03-24", Unused: used},
		}
	}
	want := func(days int, used, unusedList, unusedKeys bool) {
		t.Helper()
		got := s.review(t, days, key)
		same(t, "permissions", got.Permissions, permissions(used, unusedList, unusedKeys))
		if slices.Contains(got.Findings, access.UnusedPermissions) != (used || unusedList || unusedKeys) || !got.Active || got.Kind != "key" || got.Name != "backend" {
			t.Errorf("%+v", got)
		}
	}
	want(10, false, true, false)
	want(11, false, false, false)
	s.clock.Advance(5*day - time.Millisecond)
	want(5, true, true, false) // uses are known by the day, grants by the millisecond
	s.clock.Advance(time.Millisecond)
	want(5, true, true, true)
	want(6, false, true, false)
	same(t, "grants", s.review(t, 5, key).Grants, []access.ReviewedGrant{{GrantID: given.ID, Effect: "allow", Permissions: []string{"keys:read"},
		CreatedAt: &given.CreatedAt, Unused: []authz.Permission{authz.KeysRead}}})
	same(t, "findings", s.review(t, 5, key).Findings, []access.Finding{access.UnusedPermissions})
	s.used(t, key, authz.KeysRead)
	same(t, "grants", s.review(t, 5, key).Grants[0].Unused, []authz.Permission{})

	s.revokeKey(t, key)
	s.clock.Advance(5 * day)
	got := s.review(t, 1, key)
	if got.Active || !got.ExpiresAt.Equal(s.now().Add(-5*day)) || len(got.Permissions) != 0 || len(got.Grants) != 1 || len(got.Grants[0].Unused) != 0 {
		t.Errorf("revoked: %+v", got)
	}
	same(t, "findings", got.Findings, []access.Finding{access.NotActive})
}

// Of users only what they were granted is reviewed; what every user may do is no reason to look at one.
func TestReviewOfAUser(t *testing.T) {
	s := newScene()
	user, plain := s.user(), s.user()
	role := s.role(t, "support", []string{"groups:manage", "messages:send", "keys:manage"}, nil)
	given := s.grant(t, access.Wish{Subject: user, Role: "support"})
	grouped := s.grant(t, access.Wish{Subject: user, Permissions: []string{"groups:manage", "groups:own"}, Group: string(someGroup), Until: s.now().Add(100 * day)})
	denied := s.grant(t, access.Wish{Subject: user, Permissions: []string{"tickets:create"}, Deny: true})
	s.clock.Advance(75 * day)
	got := s.review(t, 75, user)
	same(t, "permissions", got.Permissions, []access.ReviewedPermission{
		{Permission: authz.GroupsManage, Via: authz.ViaGrant, GrantID: given.ID, Since: &given.CreatedAt, Unused: true},
		{Permission: authz.GroupsOwn, Group: someGroup, Via: authz.ViaGrant, GrantID: grouped.ID, Since: &grouped.CreatedAt},
	})
	same(t, "grants", got.Grants, []access.ReviewedGrant{
		{GrantID: given.ID, Effect: "allow", Role: role.ID, CreatedAt: &given.CreatedAt, Unused: []authz.Permission{authz.GroupsManage}},
		{GrantID: grouped.ID, Effect: "allow", Permissions: []string{"groups:manage", "groups:own"}, Group: someGroup,
			Until: &grouped.Statement.Until, CreatedAt: &grouped.CreatedAt, Unused: []authz.Permission{}},
		{GrantID: denied.ID, Effect: "deny", Permissions: []string{"tickets:create"}, CreatedAt: &denied.CreatedAt, Unused: []authz.Permission{}},
	})
	same(t, "findings", got.Findings, []access.Finding{access.ExpiresSoon, access.RoleWiderThanUsed, access.UnusedPermissions})
	s.used(t, user, authz.GroupsManage)
	same(t, "findings", s.review(t, 75, user).Findings, []access.Finding{access.ExpiresSoon})
	s.clock.Advance(25 * day)
	got = s.review(t, 3650, user)
	if len(got.Permissions) != 1 || len(got.Grants) != 2 || len(got.Findings) != 0 {
		t.Errorf("a grant that has ended is still there: %+v", got)
	}
	all, next, err := s.Review(t.Context(), s.app, 90, "", 100)
	storetest.OK(t, "Review", err)
	if next != "" || slices.ContainsFunc(all, func(r access.Reviewed) bool { return r.Subject == plain }) {
		t.Errorf("a user without grants is reviewed: %+v", all)
	}
}

func TestReviewFindsWhatEndsSoon(t *testing.T) {
	s := newScene()
	for ends, want := range map[time.Duration][]access.Finding{30*day - time.Millisecond: {access.ExpiresSoon}, 30 * day: {}, 0: {access.NotActive}} {
		key := s.key("messages:send")
		found := s.subject(t, key)
		found.EndedAt = s.now().Add(ends)
		s.store.AddKey(s.app, found)
		same(t, ends.String(), s.review(t, 90, key).Findings, want)
	}
}
