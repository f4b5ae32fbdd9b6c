package mailbox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strings"
	"time"
)

// Path is where SES takes mails, by POST.
const Path = "/v2/email/outbound-emails"

// maxRequest bounds a request in bytes; SES takes mails up to 40 MB, ours are some KB.
const maxRequest = 1 << 20

// request is SES's SendEmail, as far as the box knows it. What it does not know is refused where it would change what
// arrives, and passed over where it would not (tags, configuration sets, headers).
//
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
type request struct {
	FromEmailAddress string
	Destination      struct{ ToAddresses, CcAddresses, BccAddresses []string }
	Content          struct {
		Simple        *simple
		Raw, Template json.RawMessage
	}
}

type simple struct {
	Subject     content
	Body        struct{ Text, Html content }
	Attachments []json.RawMessage
}

type content struct{ Data, Charset string }

// ServeSES is SES's SendEmail for mails of the kind Simple to one recipient.
func (b *Box) ServeSES(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != Path {
		fail(w, http.StatusNotFound, "NotFoundException", "the stand-in for SES knows only SendEmail")
		return
	}
	if b.failing() {
		fail(w, http.StatusTooManyRequests, "TooManyRequestsException", "failed on purpose")
		return
	}
	sent, err := parse(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequestException", err.Error())
		return
	}
	if err := b.add(sent); err != nil {
		fail(w, http.StatusInternalServerError, "InternalFailure", err.Error())
		return
	}
	writeJSON(w, map[string]string{"MessageId": sent.ID})
}

func parse(body io.Reader) (Mail, error) {
	var sent request
	if err := json.NewDecoder(body).Decode(&sent); err != nil {
		return Mail{}, fmt.Errorf("the request is not JSON: %w", err)
	}
	to, err := sent.recipient()
	if err != nil {
		return Mail{}, err
	}
	if _, err := mail.ParseAddress(sent.FromEmailAddress); err != nil {
		return Mail{}, fmt.Errorf("FromEmailAddress %q: %w", sent.FromEmailAddress, err)
	}
	simple := sent.Content.Simple
	if simple == nil || sent.Content.Raw != nil || sent.Content.Template != nil || len(simple.Attachments) > 0 {
		return Mail{}, errors.New("the stand-in for SES knows only Simple content without attachments")
	}
	if err := simple.check(); err != nil {
		return Mail{}, err
	}
	return Mail{ID: newID(), To: to, From: sent.FromEmailAddress, Subject: simple.Subject.Data,
		Text: simple.Body.Text.Data, HTML: simple.Body.Html.Data, SentAt: time.Now().UTC()}, nil
}

// recipient returns the one recipient's bare address.
func (r request) recipient() (string, error) {
	to := r.Destination
	if len(to.ToAddresses) != 1 || len(to.CcAddresses)+len(to.BccAddresses) > 0 {
		return "", errors.New("the stand-in for SES sends to exactly one address")
	}
	address, err := mail.ParseAddress(to.ToAddresses[0])
	if err != nil {
		return "", fmt.Errorf("recipient %q: %w", to.ToAddresses[0], err)
	}
	return address.Address, nil
}

func (s simple) check() error {
	if s.Subject.Data == "" || strings.ContainsAny(s.Subject.Data, "\r\n") {
		return errors.New("the subject has to be one line")
	}
	if s.Body.Text.Data == "" && s.Body.Html.Data == "" {
		return errors.New("the body is empty")
	}
	for _, part := range []content{s.Subject, s.Body.Text, s.Body.Html} {
		if err := part.check(); err != nil {
			return err
		}
	}
	return nil
}

// check holds a part to what SES says of it: 7-bit ASCII, unless a character set is named.
func (c content) check() error {
	if c.Charset == "" && strings.ContainsFunc(c.Data, func(r rune) bool { return r > 0x7f }) {
		return errors.New("text beyond ASCII without a Charset")
	}
	if c.Charset != "" && !strings.EqualFold(c.Charset, "UTF-8") {
		return fmt.Errorf("charset %q: the stand-in for SES knows only UTF-8", c.Charset)
	}
	return nil
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client is gone if this fails
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client is gone if this fails
}
