package broadcast

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/plainjson"
	"github.com/tokenim/tokenim/shared/seal"
)

// undecided is how long a job waits that is sent before what it is about is stored: longer than a request lasts. It is longer than a
// page lasts too, mostly.
const undecided = 30 * time.Second

// tooManyRetry is what a caller is told to wait where too many broadcasts are unfinished.
const tooManyRetry = time.Minute

// Job asks for the work on a broadcast.
type Job struct {
	App       string       `json:"app"`
	Broadcast id.Broadcast `json:"broadcast"`
}

func (b Broadcast) job() Job { return Job{App: b.App.String(), Broadcast: b.ID} }

// Service begins, shows and cancels broadcasts.
type Service struct {
	Store    Store
	Messages Messages
	Sealer   Sealer
	Later    Later
	Clock    clock.Clock
	IDs      id.Source
}

// Begin begins a broadcast of the content by the user: what POST /send refuses of the content is refused here too, and
// fault.BroadcastsTooMany where too many are unfinished. With an idempotency key ("" for none) a repeated request finds the
// broadcast of the first, also where its content would be refused by now, and does what that may have left undone; with another
// sender or content, or once the broadcast is over, it is fault.IdempotencyConflict.
//
// A job is sent before the broadcast is stored too, and comes to nothing without it: so a request that dies in between leaves no
// broadcast that nobody works on.
func (s *Service) Begin(ctx context.Context, app id.App, from id.User, content Content, idempotencyKey string) (Broadcast, error) {
	begun := Broadcast{ID: s.IDs.Broadcast(), App: app, From: from, CreatedAt: s.Clock.Now(), Progress: Progress{State: Running}}
	if idempotencyKey != "" {
		begun.ID = id.DeriveBroadcast(app, idempotencyKey)
	}
	if content.Type == "" {
		content.Type = message.TypeText
	}
	begun.Type = content.Type
	if refusal := s.check(ctx, begun, content); refusal != nil {
		return s.earlier(ctx, begun, content, idempotencyKey, refusal)
	}
	if err := s.Later.Send(ctx, begun.job(), undecided); err != nil {
		return Broadcast{}, err
	}
	standing, err := s.store(ctx, begun, content)
	if err != nil || standing.Finished() {
		return standing, err
	}
	return standing, s.Later.Send(ctx, standing.job(), 0)
}

// check refuses what is no message. A message to oneself is refused too, but after its content was looked at.
func (s *Service) check(ctx context.Context, begun Broadcast, content Content) error {
	_, err := s.Messages.Send(ctx, content.draft(begun, begun.From))
	if fault.Is(err, fault.RecipientIsSender) {
		return nil
	}
	if err == nil {
		err = errors.New("broadcast: somebody could write to itself")
	}
	return err
}

// earlier returns the broadcast of the same request, whose content was good when it came first, or the refusal.
func (s *Service) earlier(ctx context.Context, begun Broadcast, content Content, idempotencyKey string, refusal error) (Broadcast, error) {
	text, err := plainjson.Encode(content)
	if idempotencyKey == "" || err != nil {
		return Broadcast{}, refusal
	}
	standing, err := s.Store.Get(ctx, begun.App, begun.ID)
	if errors.Is(err, ErrNotFound) {
		return Broadcast{}, refusal
	}
	if err != nil {
		return Broadcast{}, err
	}
	same, err := s.same(ctx, standing, begun.said(text))
	if err == nil && !same {
		err = refusal
	}
	if err != nil {
		return Broadcast{}, err
	}
	return standing, nil
}

// said is what a repeated request is told by.
func (b Broadcast) said(content []byte) []byte { return append([]byte(b.From+"\n"), content...) }

// same tells whether the broadcast was begun by a request that said the same, and is not over.
func (s *Service) same(ctx context.Context, standing Broadcast, said []byte) (bool, error) {
	same, err := s.Sealer.VerifyMAC(ctx, standing.App, seal.Fingerprint, standing.KeyNumber, said, standing.Fingerprint)
	return same && !standing.Over(s.Clock.Now()), err
}

// store stores the broadcast with its content sealed, or finds the one of the same request.
func (s *Service) store(ctx context.Context, begun Broadcast, content Content) (Broadcast, error) {
	text := plainjson.Must(content)
	sealed, err := s.Sealer.Seal(ctx, begun.App, begun.place(contentPlace), text)
	if err != nil {
		return Broadcast{}, err
	}
	said := begun.said(text)
	if begun.KeyNumber, begun.Fingerprint, err = s.Sealer.MAC(ctx, begun.App, seal.Fingerprint, said); err != nil {
		return Broadcast{}, err
	}
	standing, err := s.Store.Begin(ctx, begun, sealed)
	if errors.Is(err, ErrTooMany) {
		refusal := fault.New(fault.BroadcastsTooMany, MaxUnfinished)
		refusal.RetryAfter = tooManyRetry
		return Broadcast{}, refusal
	}
	if err != nil {
		return Broadcast{}, err
	}
	same, err := s.same(ctx, standing, said)
	if err == nil && !same {
		err = fault.New(fault.IdempotencyConflict)
	}
	return standing, err
}

// Find returns the broadcast, or fault.BroadcastNotFound.
func (s *Service) Find(ctx context.Context, app id.App, broadcast id.Broadcast) (Broadcast, error) {
	if !id.IsBroadcast(string(broadcast)) {
		return Broadcast{}, fault.New(fault.BroadcastNotFound)
	}
	found, err := s.Store.Get(ctx, app, broadcast)
	if errors.Is(err, ErrNotFound) || err == nil && found.Over(s.Clock.Now()) {
		return Broadcast{}, fault.New(fault.BroadcastNotFound)
	}
	return found, err
}

// List returns up to limit broadcasts that are not over, the latest first; position and next as in Store.List.
func (s *Service) List(ctx context.Context, app id.App, after string, limit int) (page []Broadcast, next string, err error) {
	found, next, err := s.Store.List(ctx, app, after, limit)
	for _, each := range found {
		if each.Over(s.Clock.Now()) {
			return page, "", err // those behind it are older
		}
		page = append(page, each)
	}
	return page, next, err
}

// Cancel asks for the end of the broadcast, or returns fault.BroadcastNotFound. The worker stops before the next users. Where it
// is finished already, that changes nothing. Its own job comes later: a worker who is at the broadcast is to end it, and to count
// whom it has sent to.
func (s *Service) Cancel(ctx context.Context, app id.App, broadcast id.Broadcast) (Broadcast, error) {
	found, err := s.Find(ctx, app, broadcast)
	if err != nil || found.Finished() {
		return found, err
	}
	found, err = s.Store.Cancel(ctx, app, broadcast, s.Clock.Now())
	if errors.Is(err, ErrNotFound) { // removed just now
		return Broadcast{}, fault.New(fault.BroadcastNotFound)
	}
	if err != nil || found.Finished() {
		return found, err
	}
	return found, s.Later.Send(ctx, found.job(), undecided)
}
