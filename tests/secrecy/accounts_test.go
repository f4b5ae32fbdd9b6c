package secrecy

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/pquerna/otp/totp"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/run"
)

// walk is somebody's way through everything that a developer has secrets for.
type walk struct {
	t    *testing.T
	base string
	mail string
	// secrets are all that were sent or received; refusals every problem document that came back.
	secrets  []string
	refusals []string
}

// call sends a request and returns the members of the answer; a status of 500 and more fails. Refusals are kept.
func (w *walk) call(method, path, credential string, header map[string]string, body any) map[string]any {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	if raw, is := body.(string); is {
		text = []byte(raw)
	}
	if string(text) == "null" { // no body
		text = nil
	}
	request, err := http.NewRequest(method, w.base+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 500 {
		w.t.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, said, err)
	}
	if answer.StatusCode >= 400 {
		w.refusals = append(w.refusals, string(said))
	}
	var members map[string]any
	_ = json.Unmarshal(said, &members) // an answer without members has none
	return members
}

// post sends a body as somebody, perhaps nobody.
func (w *walk) post(path, credential string, body map[string]any) map[string]any {
	w.t.Helper()
	return w.call(http.MethodPost, path, credential, nil, body)
}

// secret returns a member of an answer that nobody else may see, and remembers it.
func (w *walk) secret(answer map[string]any, member string) string {
	w.t.Helper()
	text, _ := answer[member].(string)
	if text == "" {
		w.t.Fatalf("no %s in %v", member, answer)
	}
	w.keep(text)
	return text
}

func (w *walk) keep(secrets ...string) { w.secrets = append(w.secrets, secrets...) }

var link = regexp.MustCompile(`action=([a-z]+)&token=([0-9A-Za-z]+)`)

// token waits for a mail with the action's link and returns its token.
func (w *walk) token(to, action string) string {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		answer, err := http.Get(w.mail + "?to=" + url.QueryEscape(to))
		if err != nil {
			w.t.Fatal(err)
		}
		var box struct {
			Mails []struct{ Text string }
		}
		err = json.NewDecoder(answer.Body).Decode(&box)
		_ = answer.Body.Close() // it was read
		if err != nil {
			w.t.Fatal(err)
		}
		for _, mail := range box.Mails {
			if found := link.FindStringSubmatch(mail.Text); found != nil && found[1] == action {
				w.keep(found[2])
				return found[2]
			}
		}
	}
	w.t.Fatalf("no mail to %s", action)
	return ""
}

const (
	address, movedTo, invited = "ann.secretive@example.com", "ann.moved@example.com", "bob.invited@example.com"
	firstPassword             = "seven violet walruses dancing"
	secondPassword            = "eleven amber otters whistling"
)

// TestSecretsOfDevelopers walks through everything that has to do with accounts, and looks for what was secret in every
// table, in what the functions printed, and in every refusal. Addresses may stand in rows, but not in keys, nor in logs.
func TestSecretsOfDevelopers(t *testing.T) {
	printed := &logs{}
	runner, err := run.Start(t.Context(), run.Options{Root: "../..", Data: t.TempDir(), Memory: true, Log: printed,
		Ready: filepath.Join(t.TempDir(), "ready.json"), Binaries: t.TempDir(), Bootstrap: bootstrap.Local, RetryWait: 100 * time.Millisecond,
		Parameters: map[string]string{"LogSampleRate": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	w := &walk{t: t, base: runner.Ready().HTTP, mail: runner.Ready().Mail}
	w.keep(firstPassword, secondPassword)
	w.call(http.MethodPost, "/_local/faults", "", map[string]string{"Content-Type": "application/json"}, map[string]any{"fail_mails": 1, "double_async": 2})
	session := w.signUp()
	session = w.secondFactor(session)
	w.keys(session)
	w.mails(session)
	w.mistakes(session)

	tables := dump(t, runner.DynamoDB())
	hold(t, "the tables", tables, w.secrets)
	if !strings.Contains(tables, movedTo) {
		t.Error("the tables do not have the address; this test sees nothing")
	}
	hold(t, "the logs", printed.String(), append(w.secrets, address, movedTo, invited, "ann.secretive", "bob.invited"))
	if !strings.Contains(printed.String(), "POST /login") {
		t.Error("the functions logged nothing; this test sees nothing")
	}
	refusals := strings.Join(w.refusals, "\n")
	hold(t, "the refusals", refusals, w.secrets)
	if !strings.Contains(refusals, "invalid_credentials") {
		t.Error("nothing was refused; this test sees nothing")
	}
	hold(t, "the keys of the tables", keysOf(t, runner.DynamoDB()), []string{address, movedTo, invited, "ann.secretive", "ann.moved", "bob.invited"})
}

func (w *walk) login(password string, more map[string]any) string {
	w.t.Helper()
	body := map[string]any{"email": address, "password": password}
	for name, value := range more {
		body[name] = value
	}
	session := w.secret(w.post("/login", "", body), "session")
	w.keep(secretOf(session))
	return session
}

func (w *walk) signUp() (session string) {
	w.post("/signup", "", map[string]any{"email": address, "password": firstPassword, "account": "Example"})
	w.post("/signup/confirm", "", map[string]any{"token": w.token(address, "confirm"), "password": firstPassword})
	w.post("/signup", "", map[string]any{"email": address, "password": secondPassword}) // by somebody else, perhaps
	return w.login(firstPassword, nil)
}

// secondFactor turns a second factor on, and sets another password by mail.
func (w *walk) secondFactor(session string) (next string) {
	begun := w.post("/account/mfa", session, nil)
	secret := w.secret(begun, "secret")
	w.secret(begun, "uri")
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err == nil {
		w.keep(string(raw), hex.EncodeToString(raw))
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	codes, _ := w.post("/account/mfa/confirm", session, map[string]any{"code": code})["recovery_codes"].([]any)
	if len(codes) != 10 {
		w.t.Fatalf("recovery codes %v", codes)
	}
	for _, code := range codes {
		w.keep(code.(string), strings.ReplaceAll(code.(string), "-", ""))
	}
	w.post("/password/forgot", "", map[string]any{"email": address})
	w.post("/password/reset", "", map[string]any{"token": w.token(address, "reset"), "password": secondPassword})
	w.post("/login/unlock", "", map[string]any{"email": address})
	return w.login(secondPassword, map[string]any{"recovery_code": codes[0], "unlock": w.token(address, "unlock")})
}

// keys makes an app with keys, one by another, and replaces one.
func (w *walk) keys(session string) {
	app, _ := w.post("/apps", session, map[string]any{"name": "Chat"})["app_id"].(string)
	in := map[string]string{"X-App-Id": app}
	made := w.call(http.MethodPost, "/keys", session, in, map[string]any{"name": "backend", "scopes": []string{"keys:manage", "users:register", "tokens:manage"}})
	first := w.secret(made, "api_key")
	second := w.secret(w.post("/keys", first, map[string]any{"name": "second", "scopes": []string{"users:register"}}), "api_key")
	third := w.secret(w.call(http.MethodPost, "/keys/"+made["key_id"].(string)+"/rotate", session, in, map[string]any{}), "api_key")
	w.keep(secretOf(first), secretOf(second), secretOf(third))
	user := w.post("/register", "", map[string]any{"api_key": third, "username": "ann"})["user_id"].(string)
	w.secret(w.post("/users/"+user+"/tokens", third, map[string]any{}), "token")
	w.call(http.MethodDelete, "/keys/"+made["key_id"].(string), session, in, nil)
	w.post("/register", first, map[string]any{"username": "bob"})
}

// mails invites somebody and moves the login.
func (w *walk) mails(session string) {
	w.post("/account/invitations", session, map[string]any{"email": invited, "role": "admin"})
	w.post("/invitations/accept", "", map[string]any{"token": w.token(invited, "invitation"), "password": firstPassword})
	w.post("/account/email", session, map[string]any{"email": movedTo})
	w.post("/account/email/confirm", "", map[string]any{"token": w.token(movedTo, "email")})
}

// mistakes has secrets stand where they do not belong.
func (w *walk) mistakes(session string) {
	for _, secret := range append([]string{}, w.secrets...) {
		if strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }) {
			continue // the bytes behind a text: nobody types those
		}
		quoted, _ := json.Marshal(secret)                                                                   // a text always encodes
		w.call(http.MethodPost, "/login", "", nil, `{"email":"ann@example.com","password":`+string(quoted)) // cut short
		w.call(http.MethodPost, "/login", "", nil, `{"email":"ann@example.com",`+string(quoted)+`:1}`)
		w.refusals = w.refusals[:len(w.refusals)-1] // whoever sends an unknown field is told which
		w.call(http.MethodPost, "/login", "", nil, `{"email":`+string(quoted)+`,"password":7}`)
		w.call(http.MethodPost, "/signup/confirm", "", nil, `{"token":`+string(quoted)+`,"password":`+string(quoted)+`}`)
		w.call(http.MethodPost, "/account/mfa/confirm", session, nil, `{"code":`+string(quoted)+`}`)
		w.call(http.MethodGet, "/account", secret, nil, nil)
		w.call(http.MethodGet, "/sessions?x="+url.QueryEscape(secret), session, nil, nil)
		w.call(http.MethodDelete, "/sessions/"+url.PathEscape(secret), session, nil, nil)
		w.call(http.MethodGet, "/keys/"+url.PathEscape(secret), session, map[string]string{"X-App-Id": secret}, nil)
		w.call(http.MethodGet, "/"+url.PathEscape(secret), session, nil, nil)
	}
	w.post("/login", "", map[string]any{"email": address, "password": firstPassword})
}

// keysOf returns the keys of every item of every table and of its indexes.
func keysOf(t *testing.T, endpoint string) string {
	db := engine.Client(endpoint)
	tables, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range tables.TableNames {
		described, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				for _, key := range described.Table.AttributeDefinitions { // what is defined is a key of the table or of an index
					if value, found := item[*key.AttributeName]; found {
						write(&all, &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{name: value}})
					}
				}
			}
		}
	}
	return all.String()
}
