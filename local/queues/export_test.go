package queues

// Put sends messages without the protocol, for tests in a bubble, where nothing waits for a network.
func (s *Service) Put(name string, bodies ...string) error {
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
