package mailses_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/mail/mailses"
)

const (
	from    = "TokenIM <no-reply@im.example>"
	address = "ann@mail.example"
)

var message = mail.Message{To: address, Subject: "主题", Text: "text with a t0ken", HTML: "<p>HTML</p>",
	Kind: mail.ResetPassword, Language: fault.Chinese}

// ses is a server that keeps the last request and gives a fixed answer.
type ses struct {
	path   string
	body   map[string]any
	asked  int
	status int
	code   string
}

func (s *ses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	s.path = r.Method + " " + r.URL.Path
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &s.body)
	if s.code != "" {
		w.Header().Set("X-Amzn-Errortype", s.code)
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, `{"MessageId":"1","message":"Address ann@mail.example is not verified."}`)
}

// serve starts the server and returns its address.
func (s *ses) serve(t *testing.T) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

// sender returns a sender on the server that asks once.
func (s *ses) sender(t *testing.T) *mailses.Sender {
	url := s.serve(t)
	return mailses.New(sesv2.New(sesv2.Options{Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}), from)
}

// captureLog returns what is logged during the test.
func captureLog(t *testing.T) *strings.Builder {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func TestSend(t *testing.T) {
	server := &ses{status: http.StatusOK}
	t.Setenv("AWS_ENDPOINT_URL_SESV2", server.serve(t))
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("MAIL_FROM", from)
	if err := mailses.FromEnvironment().Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if server.path != "POST /v2/email/outbound-emails" {
		t.Errorf("asked %s", server.path)
	}
	got, _ := json.Marshal(server.body)
	const want = `{"Content":{"Simple":{"Body":{"Html":{"Charset":"UTF-8","Data":"<p>HTML</p>"},` +
		`"Text":{"Charset":"UTF-8","Data":"text with a t0ken"}},` +
		`"Headers":[{"Name":"Auto-Submitted","Value":"auto-generated"}],"Subject":{"Charset":"UTF-8","Data":"主题"}}},` +
		`"Destination":{"ToAddresses":["ann@mail.example"]},"FromEmailAddress":"TokenIM <no-reply@im.example>"}`
	if plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(got)); plain != want {
		t.Errorf("sent %s\nwant %s", plain, want)
	}
}

func TestTroubleIsReturnedToBeRepeated(t *testing.T) {
	for name, server := range map[string]*ses{
		"throttled": {status: http.StatusTooManyRequests, code: "TooManyRequestsException"},
		"limit":     {status: http.StatusBadRequest, code: "LimitExceededException"},
		"paused":    {status: http.StatusBadRequest, code: "SendingPausedException"},
		"internal":  {status: http.StatusInternalServerError, code: "InternalServiceErrorException"},
		"no code":   {status: http.StatusServiceUnavailable},
	} {
		err := server.sender(t).Send(t.Context(), message)
		if !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: %v; want %s without the address", name, err, fault.Unavailable)
		}
		if server.asked != 1 {
			t.Errorf("%s: asked %d times", name, server.asked)
		}
	}
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	sender := mailses.New(sesv2.New(sesv2.Options{Region: "us-east-1", BaseEndpoint: aws.String(gone.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}), from)
	if err := sender.Send(t.Context(), message); !fault.Is(err, fault.Unavailable) {
		t.Errorf("an unreachable SES: %v, want %s", err, fault.Unavailable)
	}
}

func TestARefusedAddressIsLoggedAndDropped(t *testing.T) {
	for _, code := range []string{"MessageRejected", "BadRequestException"} {
		log, server := captureLog(t), &ses{status: http.StatusBadRequest, code: code}
		if err := server.sender(t).Send(t.Context(), message); err != nil {
			t.Errorf("%s: %v, want nil", code, err)
		}
		for _, want := range []string{code, `"domain":"mail.example"`, `"kind":"reset_password"`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: the log lacks %s: %s", code, want, log)
			}
		}
		for _, secret := range []string{"ann", "t0ken", "HTML"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%s: %q is in the log: %s", code, secret, log)
			}
		}
	}
}

func TestAMistakeInTheSetUpIsADefect(t *testing.T) {
	for _, code := range []string{"AccessDeniedException", "MailFromDomainNotVerifiedException", "AccountSuspendedException",
		"NotFoundException"} {
		server := &ses{status: http.StatusBadRequest, code: code}
		err := server.sender(t).Send(t.Context(), message)
		if err == nil || fault.Is(err, fault.Unavailable) || err.Error() != "ses send email: "+code {
			t.Errorf("%s: %v; want an error of the code alone", code, err)
		}
	}
}
