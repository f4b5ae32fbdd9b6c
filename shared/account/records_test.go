package account_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// desk is a world with an account of two, in which everything goes through the HTTP edge, and names for its IDs.
type desk struct {
	*world
	ann, bob     account.Developer
	acme, second account.Account
	// owner and admin are the sessions of ann and bob, which stand in acme; ann owns second, too.
	owner, admin string
	names        []string
}

func newDesk(t *testing.T) *desk {
	d := &desk{world: newWorld(t)}
	d.ann, d.acme = d.enter(ann)
	d.bob, _ = d.enter(bob)
	d.second = account.Account{ID: id.Source{}.Account(), Name: "Second", CreatedAt: d.clock.Now().Add(time.Second)}
	_, err := d.store.Create(t.Context(), d.second, d.ann.ID)
	d.ok("Create", err)
	d.join(d.acme.ID, d.bob.ID, authz.Admin)
	d.owner, d.admin = d.planted(d.ann.ID), d.planted(d.bob.ID)
	d.ok("Switch", d.store.Switch(t.Context(), d.bob.ID, d.public(d.admin), d.acme.ID))
	d.names = []string{string(d.ann.ID), "ann", string(d.bob.ID), "bob", string(d.acme.ID), "acme", string(d.second.ID), "second",
		d.public(d.owner), "ann's", d.public(d.admin), "bob's"}
	return d
}

// join makes a member, without a record.
func (d *desk) join(of id.Account, developer id.Developer, role authz.Role) {
	now := d.clock.Now()
	link := account.Link{Hash: [32]byte{1}, Action: account.ActionInvitation, Account: of, Invitation: "i", Role: role, ExpiresAt: now.Add(time.Second)}
	d.ok("PutLink", d.store.PutLink(d.t.Context(), link))
	d.ok("PutInvitation", d.store.PutInvitation(d.t.Context(), account.Invitation{Account: of, ID: "i", ExpiresAt: now.Add(time.Second)}))
	d.ok("Join", d.store.Join(d.t.Context(), link, account.Member{Account: of, Developer: developer, Role: role, Since: now}, nil))
}

// public returns the session's ID.
func (d *desk) public(session string) string {
	parsed, err := login.Parse(session)
	d.ok("Parse", err)
	return parsed.ID
}

// ask asks with the session, "" for none, and checks the code of the answer.
func (d *desk) ask(session, method, path, sent string, want fault.Code) map[string]any {
	d.t.Helper()
	headers := []string{"User-Agent: test/1"}
	if session != "" {
		headers = append(headers, "Authorization: Bearer "+session)
	}
	answer := d.call(method, path, sent, headers...)
	if got := answered(answer); got != want {
		d.t.Fatalf("%s %s: %d %s, want %q", method, path, answer.Code, answer.Body, want)
	}
	var found map[string]any
	d.ok("decode", json.Unmarshal(answer.Body.Bytes(), &found))
	return found
}

// post is ask for what succeeds.
func (d *desk) post(session, path string, pairs ...string) map[string]any {
	d.t.Helper()
	return d.ask(session, http.MethodPost, path, body(pairs...), "")
}

// name gives an ID of an answer a name.
func (d *desk) name(found map[string]any, field, name string) {
	d.names = append(d.names, found[field].(string), name)
}

// told returns the log's records in a line each, sorted: what was done to whom, by whom, why, and what was before and after.
func (d *desk) told(log record.Log) (lines []string) {
	named := strings.NewReplacer(d.names...)
	for _, each := range d.store.Logs.All(log) {
		line := fmt.Sprintf("%s %s by %s", each.Action, cmp.Or(each.Subject, "nobody"), cmp.Or(each.Actor, "nobody"))
		if each.Reason != "" {
			line += " because " + each.Reason
		}
		for _, state := range []json.RawMessage{each.Before, each.After} {
			line += " " + cmp.Or(string(state), "-")
		}
		lines = append(lines, named.Replace(line))
		if each.Source != d.visit.Source.String() || !each.At.Equal(d.clock.Now()) {
			d.t.Errorf("%s: from %q at %s", line, each.Source, each.At)
		}
	}
	slices.Sort(lines)
	return lines
}

// recorded are the operations, each with what it leaves in the log of the account acme.
var recorded = map[string]struct {
	do   func(d *desk)
	want []string
}{
	"log in": {func(d *desk) {
		d.name(d.post("", "/login", "email", ann, "password", good), "session_id", "new")
	}, []string{`login.succeeded ann by ann - {"session":"new","user_agent":"test/1"}`}},
	"log in by code": {func(d *desk) {
		f := d.withFactor()
		d.name(d.post("", "/login", "email", ann, "password", good, "code", f.next()), "session_id", "new")
	}, []string{`login.succeeded ann by ann - {"session":"new","user_agent":"test/1","second_factor":"totp"}`}},
	"log in by recovery code": {func(d *desk) {
		d.name(d.post("", "/login", "email", ann, "password", good, "recovery_code", d.withFactor().codes[0]), "session_id", "new")
	}, []string{
		`login.succeeded ann by ann - {"session":"new","user_agent":"test/1","second_factor":"recovery_code"}`,
		`recovery_code.used ann by ann - -`,
	}},
	"log in by an unlock link": {func(d *desk) {
		d.post("", "/login/unlock", "email", ann)
		d.name(d.post("", "/login", "email", ann, "password", good, "unlock", d.token(ann, account.ActionUnlock)), "session_id", "new")
	}, []string{
		`login.succeeded ann by ann - {"session":"new","user_agent":"test/1"}`,
		`login.unlocked ann by ann - -`,
	}},
	"a wrong password": {func(d *desk) {
		d.ask("", "POST", "/login", body("email", ann, "password", wrong), fault.InvalidCredentials)
	}, []string{`login.failed ann by nobody - {"code":"invalid_credentials","user_agent":"test/1"}`}},
	"a wrong code": {func(d *desk) {
		d.ask("", "POST", "/login", body("email", ann, "password", good, "code", d.withFactor().other()), fault.SecondFactorWrong)
	}, []string{`login.failed ann by nobody - {"code":"second_factor_wrong","user_agent":"test/1"}`}},
	"no code yet": {func(d *desk) {
		d.withFactor()
		d.ask("", "POST", "/login", body("email", ann, "password", good), fault.SecondFactorRequired)
	}, nil},
	"too many guesses": {func(d *desk) {
		for range 5 {
			d.ask("", "POST", "/login", body("email", ann, "password", wrong), fault.InvalidCredentials)
		}
		d.ask("", "POST", "/login", body("email", ann, "password", wrong), fault.TooManyAttempts)
	}, slices.Repeat([]string{`login.failed ann by nobody - {"code":"invalid_credentials","user_agent":"test/1"}`}, 5)},
	"step up": {func(d *desk) { d.post(d.owner, "/session/confirm", "password", good) }, nil},
	"a wrong proof": {func(d *desk) {
		d.ask(d.owner, "POST", "/session/confirm", body("password", wrong), fault.InvalidCredentials)
	}, []string{`proof.failed ann by nobody - {"code":"invalid_credentials","user_agent":"test/1"}`}},
	"log out": {func(d *desk) { d.post(d.owner, "/logout") }, []string{`session.ended ann by ann {"session":"ann's"} -`}},
	"end a session": {func(d *desk) {
		other := d.public(d.planted(d.ann.ID))
		d.names = append(d.names, other, "other")
		d.ask(d.owner, "DELETE", "/sessions/"+other, "", "")
		d.ask(d.owner, "DELETE", "/sessions/"+other, "", fault.SessionNotFound)
	}, []string{`session.ended ann by ann {"session":"other"} -`}},
	"end all others": {func(d *desk) { d.ask(d.owner, "DELETE", "/sessions", "", "") }, []string{`sessions.ended ann by ann - -`}},
	"change the password": {func(d *desk) {
		d.post(d.owner, "/account/password", "password", good, "new_password", better)
	}, []string{`password.changed ann by ann - -`}},
	"reset the password": {func(d *desk) {
		d.post("", "/password/forgot", "email", ann)
		token := d.token(ann, account.ActionReset)
		d.post("", "/password/reset", "token", token, "password", better)
		d.ask("", "POST", "/password/reset", body("token", token, "password", good), fault.LinkInvalid)
	}, []string{`password.reset ann by ann - -`}},
	"change the address": {func(d *desk) {
		d.post(d.owner, "/account/email", "email", "other@example.com")
		d.post("", "/account/email/confirm", "token", d.token("other@example.com", account.ActionEmail))
	}, []string{`email.changed ann by ann - -`}},
	"turn a second factor on": {func(d *desk) {
		made := d.post(d.owner, "/account/mfa")
		f := &factor{w: d.world, secret: made["secret"].(string)}
		d.post(d.owner, "/account/mfa/confirm", "code", f.now())
	}, []string{`factor.added ann by ann - -`}},
	"new recovery codes": {func(d *desk) {
		d.withFactor()
		d.post(d.owner, "/account/mfa/recovery-codes")
	}, []string{`recovery_codes.replaced ann by ann - -`}},
	"turn the second factor off": {func(d *desk) {
		d.post(d.owner, "/account/mfa/off", "password", good, "code", d.withFactor().next())
	}, []string{`factor.removed ann by ann - -`}},
	"rename": {func(d *desk) {
		for range 2 { // the second changes nothing
			d.ask(d.owner, "PATCH", "/account", body("name", "New"), "")
		}
	}, []string{`account.renamed acme by ann {"name":"Acme"} {"name":"New"}`}},
	"invite": {func(d *desk) {
		d.name(d.post(d.admin, "/account/invitations", "email", unknown, "role", "auditor", "reason", "the audit"), "invitation_id", "offer")
	}, []string{`member.invited offer by bob because the audit - {"email":"nobody@example.com","role":"auditor"}`}},
	"withdraw": {func(d *desk) {
		offer := d.invited(unknown)
		d.ask(d.owner, "DELETE", "/account/invitations/"+offer+"?reason=left", "", "")
		d.ask(d.owner, "DELETE", "/account/invitations/"+offer, "", fault.InvitationNotFound)
	}, []string{`invitation.withdrawn offer by ann because left {"role":"auditor"} -`}},
	"accept": {func(d *desk) {
		d.invited(unknown)
		token := d.token(unknown, account.ActionInvitation)
		d.name(d.post("", "/invitations/accept", "token", token, "password", good), "developer_id", "eve")
		d.ask("", "POST", "/invitations/accept", body("token", token, "password", good), fault.LinkInvalid)
	}, []string{`member.joined eve by eve - {"role":"auditor","invitation":"offer"}`}},
	"change a role": {func(d *desk) {
		for range 2 { // the second changes nothing
			d.ask(d.owner, "PATCH", "/account/members/"+string(d.bob.ID), body("role", "auditor", "reason", "less"), "")
		}
	}, []string{`member.role_changed bob by ann because less {"role":"admin"} {"role":"auditor"}`}},
	"remove": {func(d *desk) {
		d.ask(d.owner, "DELETE", "/account/members/"+string(d.bob.ID)+"?reason=left", "", "")
		d.ask(d.owner, "DELETE", "/account/members/"+string(d.bob.ID), "", fault.MemberNotFound)
	}, []string{`member.removed bob by ann because left {"role":"admin"} -`}},
	"leave": {func(d *desk) { d.ask(d.admin, "DELETE", "/account/members/"+string(d.bob.ID), "", "") },
		[]string{`member.removed bob by bob {"role":"admin"} -`}},
	"switch": {func(d *desk) {
		d.post(d.owner, "/account/switch", "account_id", string(d.acme.ID)) // it stands there
		d.post(d.owner, "/account/switch", "account_id", string(d.second.ID))
		d.post(d.owner, "/account/switch", "account_id", string(d.acme.ID))
	}, []string{`session.switched ann by ann - {"session":"ann's"}`}},
	"refusals": {func(d *desk) {
		d.ask(d.admin, "PATCH", "/account/members/"+string(d.ann.ID), body("role", "auditor"), fault.RoleTooHigh)
		d.ask(d.owner, "DELETE", "/account/members/"+string(d.ann.ID), "", fault.LastOwner)
		d.ask(d.owner, "POST", "/account/switch", body("account_id", string(id.Source{}.Account())), fault.AccountNotFound)
		d.ask(d.owner, "POST", "/account/mfa/confirm", body("code", "123456"), fault.SecondFactorOff)
		d.ask(d.owner, "POST", "/account/mfa/recovery-codes", "", fault.SecondFactorOff)
	}, nil},
}

// withFactor turns ann's second factor on, without a record.
func (d *desk) withFactor() *factor {
	f := d.turnOn(d.owner)
	d.forget()
	return f
}

// forget begins the logs anew.
func (d *desk) forget() { d.store.Logs = recordtest.NewLogs() }

// invited has an invitation sent, without a record, and calls it "offer".
func (d *desk) invited(email string) string {
	found := d.post(d.owner, "/account/invitations", "email", email, "role", "auditor")
	d.name(found, "invitation_id", "offer")
	d.forget()
	return found["invitation_id"].(string)
}

func TestWhatIsRecorded(t *testing.T) {
	for name, test := range recorded {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			test.do(d)
			if got := d.told(record.OfAccount(d.acme.ID)); !slices.Equal(got, test.want) {
				t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			d.harmless(d.acme.ID)
		})
	}
}

// harmless checks that no record has anything secret, nor an address that is not what it is about.
func (d *desk) harmless(of id.Account) {
	for _, each := range d.store.Logs.All(record.OfAccount(of)) {
		text, err := json.Marshal(each)
		d.ok("Marshal", err)
		for _, secret := range []string{good, better, wrong, "argon2", "@"} {
			if strings.Contains(string(text), secret) && !(secret == "@" && each.Action == record.MemberInvited) {
				d.t.Errorf("%q stands in %s", secret, text)
			}
		}
	}
}

// A new account's log begins with it and its first member.
func TestNewAccountsAreRecorded(t *testing.T) {
	d := newDesk(t)
	d.post("", "/signup", "email", unknown, "password", good, "account", "Fresh")
	made := d.post("", "/signup/confirm", "token", d.token(unknown, account.ActionConfirm), "password", good)
	d.name(made, "developer_id", "eve")
	log := record.Log(made["account_id"].(string))
	want := []string{`account.created fresh by eve - {"name":"Fresh"}`, `member.joined eve by eve - {"role":"owner"}`}
	d.name(made, "account_id", "fresh")
	if got := d.told(log); !slices.Equal(got, want) {
		t.Errorf("a sign-up left %v", got)
	}
	var third map[string]any
	for range 2 { // the second changes nothing
		answer := d.call("POST", "/accounts", body("name", "Third"), "Authorization: Bearer "+d.owner, "Idempotency-Key: k")
		d.ok("decode", json.Unmarshal(answer.Body.Bytes(), &third))
	}
	d.name(third, "account_id", "third")
	want = []string{`account.created third by ann - {"name":"Third"}`, `member.joined ann by ann - {"role":"owner"}`,
		`session.switched ann by ann - {"session":"ann's"}`}
	if got := d.told(record.Log(third["account_id"].(string))); !slices.Equal(got, want) {
		t.Errorf("another account left %v", got)
	}
}

// Whoever is a member nowhere has a log of their own, which the account of before does not see.
func TestRecordsWithoutAnAccount(t *testing.T) {
	d := newDesk(t)
	d.ok("Leave", d.store.Leave(t.Context(), account.Member{Account: d.acme.ID, Developer: d.bob.ID, Role: authz.Admin}))
	d.post(d.admin, "/account/password", "password", good, "new_password", better)
	if got := d.told(record.OfAccount(d.acme.ID)); len(got) > 0 {
		t.Errorf("the account knows %v", got)
	}
	if got := d.told(record.Log(d.bob.ID)); !slices.Equal(got, []string{`password.changed bob by bob - -`}) {
		t.Errorf("bob's own log has %v", got)
	}
}

// A failed login at an address without a login names nobody.
func TestFailedLoginsOfUnknownAddresses(t *testing.T) {
	d := newDesk(t)
	d.ask("", "POST", "/login", body("email", unknown, "password", wrong), fault.InvalidCredentials)
	want := []string{`login.failed nobody by nobody - {"code":"invalid_credentials","user_agent":"test/1"}`}
	if got := d.told("unknown"); !slices.Equal(got, want) {
		t.Errorf("recorded %v", got)
	}
}

// Where a failure cannot be recorded, the answer is the same.
func TestFailuresThatCannotBeRecorded(t *testing.T) {
	d := newDesk(t)
	d.around = func(method string, _ bool, do func() error) error {
		if method == "Append" {
			return errors.New("no such table")
		}
		return do()
	}
	for _, email := range []string{ann, unknown} {
		d.ask("", "POST", "/login", body("email", email, "password", wrong), fault.InvalidCredentials)
	}
}

// One link that many follow at once leaves one record.
func TestOneRecordOfALink(t *testing.T) {
	d := newDesk(t)
	d.invited(unknown)
	token := d.token(unknown, account.ActionInvitation)
	storetest.AtOnce(storetest.Racers, func(int) error {
		_, err := d.Accept(t.Context(), token, good, d.visit)
		return err
	})
	if got := d.store.Logs.All(record.OfAccount(d.acme.ID)); len(got) != 1 || got[0].Action != record.MemberJoined {
		t.Errorf("recorded %v", got)
	}
}
