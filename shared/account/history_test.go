package account_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// history is a random one of three developers, beside a model of what has to come of it.
type history struct {
	*world
	rt *rapid.T
	// people have logins; passwords are what they set last.
	people    []id.Developer
	emails    map[id.Developer]string
	passwords map[id.Developer]string
	// sessions are all that ever began, in order; alive are those that have to work.
	sessions []begun
	// team is the first one's account, and roles what its members have to be.
	team  id.Account
	roles map[id.Developer]authz.Role
	// resets and invitations are mailed tokens that have to work, spent those that must not.
	resets, invitations, spent []mailed
}

type begun struct {
	text  string
	of    id.Developer
	alive bool
}

type mailed struct {
	token string
	to    id.Developer
	role  authz.Role
	by    id.Developer
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	h := &history{world: newWorld(t), rt: rt, emails: map[id.Developer]string{}, passwords: map[id.Developer]string{}}
	for _, email := range []account.Email{"a1@example.com", "b2@example.com", "c3@example.com"} {
		developer, made := h.enter(email)
		h.people, h.emails[developer.ID], h.passwords[developer.ID] = append(h.people, developer.ID), string(email), good
		if h.team == "" {
			h.team, h.roles = made.ID, map[id.Developer]authz.Role{developer.ID: authz.Owner}
		}
	}
	return h
}

func (h *history) person() id.Developer { return rapid.SampledFrom(h.people).Draw(h.rt, "person") }

func (h *history) password() string {
	return rapid.SampledFrom([]string{good, better}).Draw(h.rt, "password")
}

// done tells whether the operation was done, and holds that to what the model says. Whoever has to wait, or to step up,
// has done nothing.
func (h *history) done(doing string, err error, want bool) bool {
	if fault.Is(err, fault.TooManyAttempts) || fault.Is(err, fault.StepUpRequired) {
		return false
	}
	if (err == nil) != want {
		h.rt.Fatalf("%s: %v, want success %v", doing, err, want)
	}
	return want
}

// some returns one of the sessions that are alive, with its caller standing in the team where it is a member.
func (h *history) some() (int, authz.Caller) {
	at := rapid.IntRange(0, max(len(h.sessions)-1, 0)).Draw(h.rt, "session")
	if at >= len(h.sessions) || !h.sessions[at].alive {
		h.rt.Skip("no such session")
	}
	caller := h.caller(h.sessions[at].text)
	if _, err := h.Switch(h.t.Context(), caller, h.team); err == nil {
		caller = h.caller(h.sessions[at].text)
	}
	return at, caller
}

func (h *history) logIn() {
	developer, password := h.person(), h.password()
	text, err := h.try(h.emails[developer], account.Proof{Password: password})
	if h.done("log in", err, password == h.passwords[developer]) {
		h.sessions = append(h.sessions, begun{text, developer, true})
	}
}

func (h *history) stepUp() {
	_, caller := h.some()
	password := h.password()
	err := h.StepUp(h.t.Context(), caller, account.Proof{Password: password}, h.visit)
	h.done("step up", err, password == h.passwords[caller.Developer])
}

// endAll is what has to come of the end of all sessions but one.
func (h *history) endAll(developer id.Developer, keep int) {
	for i, each := range h.sessions {
		h.sessions[i].alive = each.alive && (each.of != developer || i == keep)
	}
}

func (h *history) endOthers() {
	at, caller := h.some()
	h.done("end all others", h.EndOthers(h.t.Context(), caller, h.visit), true)
	h.endAll(caller.Developer, at)
}

func (h *history) logOut() {
	at, caller := h.some()
	h.done("log out", h.Sessions.End(h.t.Context(), caller.Developer, caller.Session), true)
	h.sessions[at].alive = false
}

// set is what has to come of a new password: resets that were mailed before are worth nothing.
func (h *history) set(developer id.Developer, password string, keep int) {
	h.passwords[developer] = password
	h.endAll(developer, keep)
	h.resets = slices.DeleteFunc(h.resets, func(each mailed) bool {
		if each.to == developer {
			h.spent = append(h.spent, each)
		}
		return each.to == developer
	})
}

func (h *history) changePassword() {
	at, caller := h.some()
	now, next := h.password(), h.password()
	err := h.ChangePassword(h.t.Context(), caller, account.Proof{Password: now}, next, h.visit)
	if h.done("change the password", err, now == h.passwords[caller.Developer]) {
		h.set(caller.Developer, next, at)
	}
}

func (h *history) forgot() {
	developer := h.person()
	h.mails(h.emails[developer])
	if h.done("forget", h.Forgot(h.t.Context(), h.emails[developer], h.visit), true) {
		h.resets = append(h.resets, mailed{token: h.token(h.emails[developer], account.ActionReset), to: developer})
	}
}

func (h *history) reset() {
	if len(h.resets) == 0 {
		h.rt.Skip("none was mailed")
	}
	each, password := rapid.SampledFrom(h.resets).Draw(h.rt, "reset"), h.password()
	if h.done("reset", h.Reset(h.t.Context(), each.token, password, h.visit), true) {
		h.set(each.to, password, -1)
	}
}

// mayGive is the rule of roles: an owner gives all, an admin all but an owner's, the others nothing.
func (h *history) mayGive(by id.Developer, roles ...authz.Role) bool {
	switch h.roles[by] {
	case authz.Owner:
		return true
	case authz.Admin:
		return !slices.Contains(roles, authz.Owner)
	}
	return false
}

func (h *history) role() authz.Role { return rapid.SampledFrom(authz.AccountRoles).Draw(h.rt, "role") }

func (h *history) invite() {
	_, caller := h.some()
	to, role := h.person(), h.role()
	if caller.Account != h.team || !authz.RoleMay(caller.Role, authz.MembersManage) {
		h.rt.Skip("the edge refuses")
	}
	h.mails(h.emails[to])
	_, err := h.Invite(h.t.Context(), caller, h.emails[to], role, h.visit)
	if h.done("invite", err, h.mayGive(caller.Developer, role)) {
		h.invitations = append(h.invitations, mailed{h.token(h.emails[to], account.ActionInvitation), to, role, caller.Developer})
	}
}

func (h *history) accept() {
	if len(h.invitations) == 0 {
		h.rt.Skip("none was mailed")
	}
	at := rapid.IntRange(0, len(h.invitations)-1).Draw(h.rt, "invitation")
	each := h.invitations[at]
	_, err := h.Accept(h.t.Context(), each.token, good, h.visit)
	if h.done("accept", err, h.mayGive(each.by, each.role) && h.roles[each.to] == "") {
		h.roles[each.to] = each.role
		h.invitations = slices.Delete(h.invitations, at, at+1)
		h.spent = append(h.spent, each)
	}
}

// owners counts them.
func (h *history) owners() (n int) {
	for _, role := range h.roles {
		if role == authz.Owner {
			n++
		}
	}
	return n
}

func (h *history) setRole() {
	_, caller := h.some()
	who, role := h.person(), h.role()
	if caller.Account != h.team || !authz.RoleMay(caller.Role, authz.MembersManage) {
		h.rt.Skip("the edge refuses")
	}
	was := h.roles[who]
	last := was == authz.Owner && role != authz.Owner && h.owners() == 1
	_, err := h.SetRole(h.t.Context(), caller, who, role, h.visit)
	if h.done("set a role", err, was != "" && (was == role || h.mayGive(caller.Developer, was, role) && !last)) {
		h.roles[who] = role
	}
}

func (h *history) remove() {
	_, caller := h.some()
	who := h.person()
	if caller.Account != h.team || caller.Role == "" {
		h.rt.Skip("the edge refuses")
	}
	was := h.roles[who]
	may := who == caller.Developer || h.mayGive(caller.Developer, was)
	err := h.Remove(h.t.Context(), caller, who, h.visit)
	if h.done("remove", err, was != "" && may && (was != authz.Owner || h.owners() > 1)) {
		delete(h.roles, who)
	}
}

// check holds the world to the model: exactly the sessions that have to work do, every member has the role, there is an
// owner, and what was used is worth nothing.
func (h *history) check() {
	h.clock.Advance(time.Minute)
	for i, each := range h.sessions {
		caller, err := h.whoever(each.text)
		if (err == nil) != each.alive || err == nil && caller.Account == h.team && caller.Role != h.roles[each.of] {
			h.rt.Fatalf("session %d: %+v, %v; alive: %v, role %q", i, caller, err, each.alive, h.roles[each.of])
		}
	}
	for _, developer := range h.people {
		member, _ := h.store.Member(h.t.Context(), h.team, developer)
		if member.Role != h.roles[developer] {
			h.rt.Fatalf("%s is %q, want %q", h.emails[developer], member.Role, h.roles[developer])
		}
	}
	if h.owners() == 0 {
		h.rt.Fatal("no owner")
	}
	for _, each := range h.spent {
		if _, err := h.Accept(h.t.Context(), each.token, good, h.visit); !fault.Is(err, fault.LinkInvalid) {
			h.rt.Fatalf("a used invitation: %v", err)
		}
		if err := h.Reset(h.t.Context(), each.token, good, h.visit); !fault.Is(err, fault.LinkInvalid) {
			h.rt.Fatalf("a used reset: %v", err)
		}
	}
}

func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		steps := map[string]func(*rapid.T){"": func(rt *rapid.T) { h.rt = rt; h.check() }}
		for name, step := range map[string]func(){"log in": h.logIn, "step up": h.stepUp, "end all others": h.endOthers, "log out": h.logOut,
			"change the password": h.changePassword, "forget": h.forgot, "reset": h.reset, "invite": h.invite, "accept": h.accept,
			"set a role": h.setRole, "remove": h.remove} {
			steps[name] = func(rt *rapid.T) { h.rt = rt; step() }
		}
		rt.Repeat(steps)
	})
}
