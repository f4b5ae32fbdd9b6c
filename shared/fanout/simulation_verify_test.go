package fanout_test

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// account tells of a run that failed.
func (s *simulation) account(guests []*guest, entries []message.Entry) {
	if !s.t.Failed() {
		return
	}
	for _, each := range entries {
		s.t.Logf("%d: %s, reach %d, base %d, put at step %d", each.Sequence, each.Type, each.Reach, each.Base, s.log.steps[each.Sequence])
	}
	for _, each := range guests {
		s.t.Logf("%s was in at %v, open %v", each.name, s.stays(each, entries), each.open)
	}
	for _, each := range s.posts {
		s.t.Logf("step %d: %s got %d, fanned %v", each.step, each.connection, each.sequence, each.fanned)
	}
}

// stay is a time that a guest was a member, from the first entry to the last that it sees; to is 0 while it lasts.
type stay struct{ from, to int64 }

// verify looks at what everybody has when everything has come to rest.
func (s *simulation) verify(guests []*guest) {
	entries, err := s.log.Read(context.Background(), s.app, id.Conversation(s.group), 1, 1000, true)
	storetest.OK(s.t, "Read", err)
	defer s.account(guests, entries)
	for i, each := range entries {
		if each.Sequence != int64(i)+1 {
			if rest := entries[i:]; slices.ContainsFunc(rest, func(e message.Entry) bool { return e.Type != message.TypeVoid }) {
				s.t.Fatalf("entry %d has the number %d", i+1, each.Sequence)
			}
			entries = entries[:i] // the last who took numbers have died
			break
		}
	}
	for _, each := range guests {
		stays := s.stays(each, entries)
		s.nothingForbidden(each, stays)
		s.nothingSkipped(each, stays)
		if len(stays) > 0 && stays[len(stays)-1].to == 0 && each.open {
			s.nothingMissing(each, stays[len(stays)-1].from, entries)
		}
	}
}

// stays returns when the guest was a member.
func (s *simulation) stays(g *guest, entries []message.Entry) (stays []stay) {
	for _, entry := range entries {
		if entry.Type != message.TypeEvent {
			continue
		}
		text, err := s.keyring.Open(context.Background(), s.app, seal.Place{Conversation: entry.Conversation, Sequence: entry.Sequence, Sender: entry.Sender}, entry.Sealed)
		storetest.OK(s.t, "open", err)
		var change message.GroupChange
		storetest.OK(s.t, "decode", json.Unmarshal(text, &change))
		switch {
		case !slices.Contains(change.Users, g.user):
		case change.Kind == message.UsersJoined:
			stays = append(stays, stay{from: entry.Sequence})
		default:
			stays[len(stays)-1].to = entry.Sequence
		}
	}
	return stays
}

// nothingForbidden checks that the guest was posted nothing from before it joined, and nothing that was put after its removal
// was answered.
func (s *simulation) nothingForbidden(g *guest, stays []stay) {
	for sequence := range s.got(g) {
		allowed := false
		for _, each := range stays {
			allowed = allowed || sequence >= each.from && (each.to == 0 || sequence <= each.to || !s.forbidden(g, each.to, sequence))
		}
		if !allowed {
			s.t.Errorf("%s, who was in at %v, was posted %d", g.name, stays, sequence)
		}
	}
}

// nothingSkipped checks that the fan-out has posted to each socket without a gap; what it did twice it may post twice.
func (s *simulation) nothingSkipped(g *guest, stays []stay) {
	for _, socket := range g.sockets {
		last := int64(0)
		for _, each := range s.posts {
			if each.connection != socket.Connection || !each.fanned {
				continue
			}
			joined := slices.ContainsFunc(stays, func(s stay) bool { return each.sequence == s.from || each.sequence == s.from+1 })
			if last != 0 && each.sequence > last+1 && !joined {
				s.t.Errorf("%s, who was in at %v, got %d after %d", socket.Connection, stays, each.sequence, last)
			}
			last = max(last, each.sequence)
		}
	}
}

// nothingMissing checks that the guest has what was written since it joined; not what changes of the group it was told of by
// somebody who died while the group was small.
func (s *simulation) nothingMissing(g *guest, from int64, entries []message.Entry) {
	got := s.got(g)
	for _, entry := range entries {
		if entry.Sequence >= from && !got[entry.Sequence] && (entry.Type == message.TypeText || entry.Reach == message.Fanned) {
			s.t.Errorf("%s, who is in since %d, lacks %d of %d: a %s with reach %d", g.name, from, entry.Sequence, len(entries), entry.Type, entry.Reach)
		}
	}
}
