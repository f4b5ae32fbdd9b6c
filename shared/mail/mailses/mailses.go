// Package mailses delivers mails through Amazon SES.
package mailses

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
)

// Sender implements mail.Sender.
type Sender struct {
	client *sesv2.Client
	from   string
}

var _ mail.Sender = (*Sender)(nil)

// FromEnvironment returns a sender that writes as MAIL_FROM, an address or a name with one.
func FromEnvironment() *Sender {
	client := sesv2.NewFromConfig(awsenv.Config(), func(o *sesv2.Options) { o.BaseEndpoint = awsenv.Endpoint("SESV2") })
	return New(client, os.Getenv("MAIL_FROM"))
}

// New returns a sender that writes as from.
func New(client *sesv2.Client, from string) *Sender { return &Sender{client: client, from: from} }

// Send implements mail.Sender. Throttling and trouble of SES come back as fault.Unavailable. A message that SES refuses
// for its address is logged and counts as sent, since it would be refused again.
func (s *Sender) Send(ctx context.Context, message mail.Message) error {
	_, err := s.client.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &s.from,
		Destination:      &types.Destination{ToAddresses: []string{message.To}},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: content(message.Subject),
			Body:    &types.Body{Text: content(message.Text), Html: content(message.HTML)},
			// RFC 3834: so that no absence note answers, and no loop begins.
			Headers: []types.MessageHeader{{Name: aws.String("Auto-Submitted"), Value: aws.String("auto-generated")}},
		}},
	})
	if code, ok := refused(err); ok {
		slog.ErrorContext(ctx, "mail refused", "kind", string(message.Kind), "domain", domain(message.To), "code", code)
		return nil
	}
	return classify(err)
}

func content(text string) *types.Content {
	return &types.Content{Data: &text, Charset: aws.String("UTF-8")}
}

// refused tells whether SES refuses the message itself, and as what. That is also how it refuses an address that it does
// not know while the AWS account is in SES's sandbox.
func refused(err error) (code string, ok bool) {
	if rejected, ok := errors.AsType[*types.MessageRejected](err); ok {
		return rejected.ErrorCode(), true
	}
	if bad, ok := errors.AsType[*types.BadRequestException](err); ok {
		return bad.ErrorCode(), true
	}
	return "", false
}

// answered is an error that SES sent, as the SDK's errors show it.
type answered interface {
	error
	ErrorCode() string
}

// classify makes throttling and trouble a retryable refusal instead of a defect. Of an error that SES sent only the code
// is kept: its text may repeat the address.
func classify(err error) error {
	if err == nil {
		return nil
	}
	told := fmt.Errorf("ses send email: %w", err)
	if answer, ok := errors.AsType[answered](err); ok {
		told = errors.New("ses send email: " + answer.ErrorCode())
	}
	_, paused := errors.AsType[*types.SendingPausedException](err)
	if paused || awsenv.Transient(err) {
		return fault.Wrap(told, fault.Unavailable)
	}
	return told
}

// domain returns the part of the address that names no person.
func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
