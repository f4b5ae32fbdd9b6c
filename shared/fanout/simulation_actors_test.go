package fanout_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/session"
)

// belong has the guest join, and perhaps go and come back: whoever is removed comes back too.
func (s *simulation) belong(g *guest, random *rand.Rand) {
	who, ctx := g.name+" belongs", context.Background()
	for range 1 + random.IntN(5) {
		s.idle(who, random.IntN(30))
		s.insist(who, random, 12, func(p process) error {
			_, err := p.groups.Join(ctx, s.guest(g.user), s.group)
			return err
		})
		if random.IntN(3) > 0 {
			continue
		}
		s.idle(who, random.IntN(10))
		s.insist(who, random, 8, func(p process) error {
			_, err := p.groups.Leave(ctx, s.guest(g.user), s.group)
			return err
		})
		s.answered(g)
	}
}

// remove has somebody remove guests, who perhaps come back at once.
func (s *simulation) remove(guests []*guest, random *rand.Rand) {
	for range random.IntN(6) {
		s.idle("remover", random.IntN(40))
		g := guests[random.IntN(len(guests))]
		s.insist("remover", random, 8, func(p process) error {
			_, err := p.groups.Remove(context.Background(), s.application(), s.group, g.user)
			if fault.Is(err, fault.GroupMemberNotFound) {
				return nil
			}
			return err
		})
		s.answered(g)
	}
}

func (s *simulation) answered(g *guest) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.out[g.user] = append(s.out[g.user], s.steps)
}

// forbidden tells whether the guest, who went by the entry, was to get nothing any more when the other was put.
func (s *simulation) forbidden(g *guest, went, sequence int64) bool {
	return slices.ContainsFunc(s.out[g.user], func(answered int64) bool {
		return s.log.steps[went] <= answered && answered < s.log.steps[sequence]
	})
}

// listen has the guest's device connect, and perhaps lose its socket and connect again.
func (s *simulation) listen(g *guest, random *rand.Rand) {
	who, ctx := g.name+" listens", context.Background()
	for rounds := 1 + random.IntN(3); ; rounds-- {
		s.idle(who, random.IntN(60))
		socket := connection.Socket{App: s.app, User: g.user, Connection: fmt.Sprint(g.name, ".", len(g.sockets)), Device: "phone",
			ExpiresAt: clock.System{}.Now().Add(time.Hour)}
		g.sockets = append(g.sockets, socket)
		s.insist(who, random, 3, func(p process) error { return p.connections.Open(ctx, socket) })
		s.idle(who, random.IntN(10))
		s.poster.Open(socket.Connection)
		s.insist(who, random, 6, func(p process) error {
			return p.resumer.Resume(ctx, session.NewResumeRequest(socket, message.NoVersion))
		})
		g.open = true
		if rounds == 1 {
			return
		}
		s.idle(who, random.IntN(60))
		s.insist(who, random, 2, func(p process) error { return s.acknowledge(p, g) })
		s.poster.Drop(socket.Connection)
		g.open = false
		s.insist(who, random, 2, func(p process) error { return p.connections.Close(ctx, socket) })
	}
}

// acknowledge says what the guest has without a gap.
func (s *simulation) acknowledge(p process, g *guest) error {
	row, got := s.groups.Row(s.app, g.user, s.group), s.got(g)
	if !row.In() || row.User == "" {
		return nil
	}
	held := max(row.Acknowledged, row.Seat.Since-1)
	for got[held+1] {
		held++
	}
	if held < row.Seat.Since {
		return nil
	}
	_, err := p.messages.Acknowledge(context.Background(), s.app, g.user, id.Conversation(s.group), held)
	if fault.Is(err, fault.ConversationNotFound) {
		return nil
	}
	return err
}

// got returns what the guest's device has been posted.
func (s *simulation) got(g *guest) map[int64]bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	sequences := map[int64]bool{}
	for _, each := range s.posts {
		if slices.ContainsFunc(g.sockets, func(socket connection.Socket) bool { return socket.Connection == each.connection }) {
			sequences[each.sequence] = true
		}
	}
	return sequences
}

// speak has the owner send some messages.
func (s *simulation) speak(who string, random *rand.Rand) {
	for number := range 2 + random.IntN(4) {
		s.idle(who, random.IntN(80))
		draft := message.Draft{App: s.app, From: s.owner, To: string(s.group), Type: message.TypeText, Text: fmt.Sprint(who, ".", number), ClientID: fmt.Sprint(who, ".", number)}
		s.insist(who, random, 6, func(p process) error {
			_, err := p.messages.Send(context.Background(), draft)
			return err
		})
	}
}

// stream tells distributors of what was put, some of it twice.
func (s *simulation) stream(random *rand.Rand) {
	for position := 0; ; {
		batch := s.log.from(position, 1+random.IntN(5))
		if len(batch) == 0 {
			if s.quiet() {
				return
			}
			time.Sleep(time.Millisecond)
			continue
		}
		for range 1 + random.IntN(5)/4 {
			s.insist("stream", random, 4, func(p process) error { return p.distributor.Distribute(context.Background(), batch) })
		}
		position += len(batch)
	}
}

// work has pushers do the jobs, those of each lane one after the other.
func (s *simulation) work(random *rand.Rand) {
	lanes, ends := map[string][]fanout.Job{}, map[string]chan int{}
	for idle := 0; idle < 10; {
		for _, job := range s.queue.Take() {
			lanes[job.Lane()] = append(lanes[job.Lane()], job)
		}
		for name, jobs := range lanes {
			if end, works := ends[name]; works {
				select {
				case done := <-end:
					lanes[name] = jobs[done:]
					delete(ends, name)
				default:
				}
			} else if len(jobs) > 0 {
				end, some, own := make(chan int, 1), slices.Clone(jobs[:min(len(jobs), 1+random.IntN(4))]), rand.New(rand.NewPCG(random.Uint64(), 7))
				ends[name] = end
				s.all.Go(func() {
					s.insist("lane "+name, own, 6, func(p process) error { return p.pusher.Push(context.Background(), some) })
					end <- len(some)
				})
			}
		}
		if time.Sleep(time.Millisecond); s.quiet() && len(ends) == 0 {
			idle++
		} else {
			idle = 0
		}
	}
}
