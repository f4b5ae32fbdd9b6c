package mailbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"github.com/tokenim/tokenim/local/mailbox"
)

// service is a box behind HTTP, as the runner serves it.
type service struct {
	box *mailbox.Box
	url string
	ses *sesv2.Client
}

func serve(t *testing.T, path string) service {
	t.Helper()
	box, err := mailbox.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	mux := http.NewServeMux()
	mux.Handle("/_local/", box.Pages())
	mux.HandleFunc("/", box.ServeSES)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return service{box, server.URL, sesv2.New(sesv2.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""), RetryMaxAttempts: 1})}
}

func text(data string) *types.Content {
	return &types.Content{Data: &data, Charset: aws.String("UTF-8")}
}

// letter is a request that the box takes.
func letter(to, subject string) *sesv2.SendEmailInput {
	return &sesv2.SendEmailInput{
		FromEmailAddress: aws.String("TokenIM <noreply@example.com>"),
		Destination:      &types.Destination{ToAddresses: []string{to}},
		Content: &types.EmailContent{Simple: &types.Message{Subject: text(subject), Body: &types.Body{
			Text: text("Open http://127.0.0.1:8080/link#action=confirm&token=a_b. 再见"), Html: text(`<p onclick="x()">Hi & bye</p><script>alert(1)</script>`)}}},
	}
}

func (s service) send(t *testing.T, to, subject string) {
	t.Helper()
	out, err := s.ses.SendEmail(t.Context(), letter(to, subject))
	if err != nil || aws.ToString(out.MessageId) == "" {
		t.Fatalf("SendEmail = %+v, %v", out, err)
	}
}

// get returns an answer's body.
func (s service) get(t *testing.T, path string) (string, http.Header) {
	t.Helper()
	response, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v", path, response.StatusCode, err)
	}
	return string(body), response.Header
}

func (s service) list(t *testing.T, to string) []mailbox.Mail {
	t.Helper()
	body, _ := s.get(t, mailbox.JSONPath+"?to="+to)
	var answer struct{ Mails []mailbox.Mail }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || !strings.HasPrefix(body, `{"mails":[`) {
		t.Fatalf("mail.json = %s, %v", body, err)
	}
	return answer.Mails
}

func TestWhatTheSDKSendsIsListed(t *testing.T) {
	s := serve(t, "")
	if got := s.list(t, ""); len(got) != 0 {
		t.Errorf("a new box has %v", got)
	}
	s.send(t, "ann@example.com", "Über 1")
	s.send(t, "bob@example.com", "2")
	s.send(t, "Ann <Ann@example.com>", "3")
	all := s.list(t, "")
	if len(all) != 3 || all[0].Subject != "Über 1" || all[2].Subject != "3" || all[0].From != "TokenIM <noreply@example.com>" ||
		!strings.Contains(all[0].Text, "再见") || !strings.Contains(all[0].HTML, "<script>") || all[0].ID == all[1].ID || all[0].SentAt.IsZero() {
		t.Errorf("all = %+v", all)
	}
	if got := s.list(t, "ann@example.com"); len(got) != 2 || got[1].To != "Ann@example.com" {
		t.Errorf("to ann = %+v", got)
	}
}

func TestWhatSESWouldRefuseIsRefused(t *testing.T) {
	s := serve(t, "")
	for name, change := range map[string]func(*sesv2.SendEmailInput){
		"no sender":        func(in *sesv2.SendEmailInput) { in.FromEmailAddress = nil },
		"no recipient":     func(in *sesv2.SendEmailInput) { in.Destination.ToAddresses = nil },
		"a bad recipient":  func(in *sesv2.SendEmailInput) { in.Destination.ToAddresses[0] = "nobody" },
		"a line's end":     func(in *sesv2.SendEmailInput) { in.Destination.ToAddresses[0] = "a@example.com\r\nBcc: b@example.com" },
		"a copy":           func(in *sesv2.SendEmailInput) { in.Destination.BccAddresses = []string{"b@example.com"} },
		"no content":       func(in *sesv2.SendEmailInput) { in.Content.Simple = nil },
		"no subject":       func(in *sesv2.SendEmailInput) { in.Content.Simple.Subject = text("") },
		"two-line subject": func(in *sesv2.SendEmailInput) { in.Content.Simple.Subject = text("a\nBcc: b@example.com") },
		"no body":          func(in *sesv2.SendEmailInput) { in.Content.Simple.Body = &types.Body{Text: text("")} },
		"no charset":       func(in *sesv2.SendEmailInput) { in.Content.Simple.Subject = &types.Content{Data: aws.String("é")} },
		"other charset":    func(in *sesv2.SendEmailInput) { in.Content.Simple.Subject.Charset = aws.String("ISO-8859-1") },
		"attachment": func(in *sesv2.SendEmailInput) {
			in.Content.Simple.Attachments = []types.Attachment{{FileName: aws.String("a"), RawContent: []byte("a")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := letter("ann@example.com", "s")
			change(in)
			_, err := s.ses.SendEmail(t.Context(), in)
			if bad := (*types.BadRequestException)(nil); !errors.As(err, &bad) {
				t.Errorf("error = %v, want a BadRequestException", err)
			}
		})
	}
	if got := s.list(t, ""); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

func TestTheNextRequestsFailOnPurpose(t *testing.T) {
	s := serve(t, "")
	s.box.FailNext(2)
	for range 2 {
		_, err := s.ses.SendEmail(t.Context(), letter("ann@example.com", "s"))
		if many := (*types.TooManyRequestsException)(nil); !errors.As(err, &many) {
			t.Errorf("error = %v, want a TooManyRequestsException", err)
		}
	}
	s.send(t, "ann@example.com", "s")
}

func TestOtherCallsOfSESAreRefused(t *testing.T) {
	s := serve(t, "")
	if _, err := s.ses.GetAccount(t.Context(), &sesv2.GetAccountInput{}); err == nil || !strings.Contains(err.Error(), "knows only SendEmail") {
		t.Errorf("error = %v", err)
	}
}

func TestThePageShowsMailsAndRunsNothing(t *testing.T) {
	s := serve(t, "")
	if body, _ := s.get(t, mailbox.PagePath); !strings.Contains(body, "No mail yet.") {
		t.Errorf("an empty page: %s", body)
	}
	s.send(t, "ann@example.com", "first")
	s.send(t, "ann@example.com", "<script>alert(1)</script>")
	body, header := s.get(t, mailbox.PagePath)
	for _, want := range []string{
		`<a href="http://127.0.0.1:8080/link#action=confirm&amp;token=a_b" target="_blank" rel="noreferrer">http://127.0.0.1:8080/link#action=confirm&amp;token=a_b</a>. 再见`,
		`sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="<base target=_blank>&lt;p onclick=&#34;x()&#34;&gt;Hi &amp; bye&lt;/p&gt;`,
		"&lt;script&gt;alert(1)&lt;/script&gt;</h2>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "allow-scripts") || strings.Index(body, ">first<") < strings.Index(body, "alert") {
		t.Errorf("the page has a script, or is not newest first:\n%s", body)
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script") {
		t.Errorf("policy %q", policy)
	}
}

func TestLinksOfOtherSchemesAreText(t *testing.T) {
	s := serve(t, "")
	in := letter("ann@example.com", "s")
	in.Content.Simple.Body.Text = text("javascript:alert(1) (see https://a.example/x).")
	if _, err := s.ses.SendEmail(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	body, _ := s.get(t, mailbox.PagePath)
	if strings.Contains(body, `href="javascript`) || !strings.Contains(body, `(see <a href="https://a.example/x"`) {
		t.Error(body)
	}
}

func TestMailsSurviveAndAreForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "mail.jsonl")
	s := serve(t, path)
	s.send(t, "ann@example.com", "kept")
	s.box.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	torn, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torn.WriteString(`{"id":"half`); err != nil {
		t.Fatal(err)
	}
	_ = torn.Close()
	s = serve(t, path)
	s.send(t, "ann@example.com", "after")
	if got := serve(t, path).list(t, ""); len(got) != 2 || got[0].Subject != "kept" || got[1].Subject != "after" {
		t.Errorf("after a restart: %+v", got)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url+mailbox.PagePath, nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE: %v %v", response, err)
	}
	_ = response.Body.Close()
	s.send(t, "ann@example.com", "new")
	if got := serve(t, path).list(t, ""); len(got) != 1 || got[0].Subject != "new" {
		t.Errorf("after DELETE: %+v", got)
	}
}

func TestOpenSaysWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.jsonl")
	if err := os.WriteFile(path, []byte("no mail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mailbox.Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v", err)
	}
}

func TestTheNewestAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.jsonl")
	s := serve(t, path)
	const senders, each = 8, 3 * mailbox.Kept / 8
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for i := range each {
				s.post(t, fmt.Sprintf("s%d", i))
			}
		})
	}
	all.Wait()
	s.post(t, "last")
	got := s.list(t, "")
	if len(got) != mailbox.Kept || got[len(got)-1].Subject != "last" {
		t.Errorf("%d mails", len(got))
	}
	if again := serve(t, path).list(t, ""); len(again) != mailbox.Kept || again[0] != got[0] || again[len(again)-1] != got[len(got)-1] {
		t.Errorf("%d mails after a restart", len(again))
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 2*mailbox.Kept*1000 {
		t.Errorf("the file grows without end: %v, %v", info.Size(), err)
	}
}

// post sends a mail without the SDK, which takes a hundred times as long.
func (s service) post(t *testing.T, subject string) {
	t.Helper()
	body := `{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":["b@example.com"]},` +
		`"Content":{"Simple":{"Subject":{"Data":"` + subject + `"},"Body":{"Text":{"Data":"t"}}}}}`
	recorder := httptest.NewRecorder()
	s.box.ServeSES(recorder, httptest.NewRequest(http.MethodPost, mailbox.Path, strings.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}
