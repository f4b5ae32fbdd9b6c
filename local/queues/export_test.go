package queues

import "log/slog"

// PutAll sends messages at once and without the protocol, for tests in a bubble, where nothing waits for a network.
func (s *Service) PutAll(name string, bodies ...string) error {
	var messages []*message
	for _, body := range bodies {
		messages = append(messages, &message{Body: body})
	}
	return s.send(s.named(name), messages...)
}

// Take receives a message and deletes it.
func (s *Service) Take(name string) error {
	q := s.named(name)
	got := s.receive(q, 1, maxRequest, q.Visibility)
	return s.delete(q, got[0].handle())
}

// PutInGroups sends messages to a FIFO queue, each in the group that its body names after the first letter.
func (s *Service) PutInGroups(name string, bodies ...string) error {
	var messages []*message
	for _, body := range bodies {
		messages = append(messages, &message{Body: body, order: order{Group: body[1:], Dedup: body}})
	}
	return s.send(s.named(name), messages...)
}

// Tell makes the service log there.
func (s *Service) Tell(log *slog.Logger) { s.options.Log = log }

// Held is a message that was received.
type Held struct{ Body, handle string }

// Receive receives up to limit messages.
func (s *Service) Receive(name string, limit int) (all []Held) {
	q := s.named(name)
	for _, m := range s.receive(q, limit, maxRequest, q.Visibility) {
		all = append(all, Held{m.Body, m.handle()})
	}
	return all
}

// Delete deletes a message that was received.
func (s *Service) Delete(name string, h Held) error { return s.delete(s.named(name), h.handle) }
