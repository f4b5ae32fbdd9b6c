package login_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// made returns a session and its text.
func made() (login.Session, string) {
	ids, now := id.Source{}, storetest.Noon()
	secret := ids.Text(login.SecretLength)
	session := login.Session{ID: ids.Text(login.IDLength), Developer: ids.Developer(), Account: ids.Account(),
		Hash: sha256.Sum256([]byte(secret)), Epoch: 3, CreatedAt: now, SeenAt: now, ConfirmedAt: now, ExpiresAt: now.Add(login.Life)}
	return session, login.Format(session.Developer, session.ID, secret)
}

func TestFormatAndParse(t *testing.T) {
	session, text := made()
	parsed, err := login.Parse(text)
	if err != nil || parsed != (login.Text{Developer: session.Developer, ID: session.ID, Hash: session.Hash}) {
		t.Fatalf("Parse(%s) = %+v, %v", text, parsed, err)
	}
	if !strings.HasPrefix(text, login.Prefix) {
		t.Errorf("the edge does not know %s for a session", text)
	}
}

func TestParseRefuses(t *testing.T) {
	_, text := made()
	for _, other := range []string{"", "ts_", "ts___", text + "x", text[:len(text)-1], text[3:], "ts_" + text, " " + text, text + "\n",
		strings.Replace(text, "_", "-", 2), strings.ToUpper(text[:3]) + text[3:], text[:5] + "é" + text[7:], text[:5] + "\x00" + text[6:],
		strings.Repeat("_", 100_000)} {
		if _, err := login.Parse(other); !fault.Is(err, fault.SessionInvalid) {
			t.Errorf("Parse(%.90q): %v", other, err)
		}
	}
}

func TestCheck(t *testing.T) {
	session, text := made()
	right, err := login.Parse(text)
	storetest.OK(t, "Parse", err)
	wrong := right
	wrong.Hash[31] ^= 1
	const idle = 12 * time.Hour
	for name, test := range map[string]struct {
		text  login.Text
		epoch int64
		after time.Duration
		want  fault.Code
	}{
		"at once":          {right, 3, 0, ""},
		"another secret":   {wrong, 3, 0, fault.SessionInvalid},
		"a later epoch":    {right, 4, 0, fault.SessionInvalid},
		"an older epoch":   {right, 2, 0, fault.SessionInvalid},
		"just not idle":    {right, 3, idle, ""},
		"idle":             {right, 3, idle + time.Millisecond, fault.SessionExpired},
		"over, and wrong":  {wrong, 3, login.Life, fault.SessionInvalid},
		"over, and other":  {right, 9, login.Life, fault.SessionInvalid},
		"long after it":    {right, 3, 100 * login.Life, fault.SessionExpired},
		"a clock set back": {right, 3, -time.Hour, ""},
	} {
		if err := session.Check(test.text, test.epoch, storetest.Noon().Add(test.after)); err == nil != (test.want == "") || err != nil && !fault.Is(err, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	session.SeenAt = session.ExpiresAt.Add(-time.Minute) // however much it is used
	storetest.OK(t, "just before its end", session.Check(right, 3, session.ExpiresAt.Add(-time.Millisecond)))
	if err := session.Check(right, 3, session.ExpiresAt); !fault.Is(err, fault.SessionExpired) {
		t.Errorf("at its end: %v", err)
	}
}

// NIST SP 800-63B-4 bounds both limits at AAL2: a day idle, a month in all.
func TestLimits(t *testing.T) {
	if login.Life > 30*24*time.Hour {
		t.Errorf("a session lasts %s", login.Life)
	}
	session, _ := made()
	if session.Stale(storetest.Noon().Add(4*time.Minute)) || !session.Stale(storetest.Noon().Add(5*time.Minute)) {
		t.Error("use is not written down every five minutes")
	}
}

func TestCaller(t *testing.T) {
	session, _ := made()
	for _, role := range authz.AccountRoles {
		caller := session.Caller(role)
		if caller.Developer != session.Developer || caller.Session != session.ID || caller.Account != session.Account ||
			caller.Role != role || !caller.App.IsZero() || caller.EndUser || caller.Rights.Base != authz.RoleSet(role) || caller.Rights.Kind != authz.Developers {
			t.Errorf("%s: %+v", role, caller)
		}
	}
	for _, none := range []authz.Role{"", "emperor"} {
		for _, entry := range authz.Catalogue {
			err := session.Caller(none).Require(entry.Permission)
			if (err == nil) != (none == "" && entry.Permission == authz.LoginManage) {
				t.Errorf("role %q and %s: %v", none, entry.Permission, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	_, text := made()
	f.Add(text)
	f.Add("ts_a_b_c")
	f.Add("ts_dev_x_y")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := login.Parse(text)
		if err != nil {
			if !fault.Is(err, fault.SessionInvalid) {
				t.Fatal(err)
			}
			return
		}
		secret := text[strings.LastIndex(text, "_")+1:]
		if again := login.Format(parsed.Developer, parsed.ID, secret); again != text || !id.IsDeveloper(string(parsed.Developer)) {
			t.Fatalf("%q reads as %+v, which is written %q", text, parsed, again)
		}
	})
}
