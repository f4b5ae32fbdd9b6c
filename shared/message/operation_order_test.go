package message_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Edits, a recall, reactions and pins at once in a group, by processes that die: whoever applies the log in its order has what the
// tables have.
func TestReplayOfAGroup(t *testing.T) {
	for seed := range 40 {
		w := newWorld(t, storetest.Staleness{Seed: uint64(seed), Lag: 8})
		group := w.found(t, w.ann, w.bob)
		for _, text := range []string{"one", "two"} {
			_, err := w.healthy().Send(t.Context(), w.draft(w.bob, group, text))
			storetest.OK(t, "Send", err)
		}
		w.settle()
		clock := clocktest.New(time.Now())
		act := func(user id.User, sequence int64) message.Act { return w.inGroup(user, group, sequence) }
		var all sync.WaitGroup
		run := func(luck int, do func(context.Context, *message.Service) error) {
			all.Go(func() {
				w.persist(t, clock, luck, func(ctx context.Context, s *message.Service) error {
					s.Operations = late{s.Operations}
					s.Pause = func(context.Context, int) error { // a number that is late is not empty for long
						clock.Advance(10 * time.Millisecond)
						runtime.Gosched()
						return nil
					}
					if err := do(ctx, s); !fault.Is(err, fault.MessageRecalled) {
						return err
					}
					return nil
				})
			})
		}
		for _, sequence := range []int64{2, 3} {
			for i := range 3 {
				run(seed+i, func(ctx context.Context, s *message.Service) error {
					_, err := s.Edit(ctx, act(w.bob, sequence), edit(fmt.Sprint("edit ", i)))
					return err
				})
				run(seed+i, func(ctx context.Context, s *message.Service) error {
					_, err := s.React(ctx, act(w.ann, sequence), fmt.Sprintf(":r%d:", i%2))
					return err
				})
				run(seed+i+1, func(ctx context.Context, s *message.Service) error {
					_, err := s.Unreact(ctx, act(w.ann, sequence), ":r0:")
					return err
				})
				run(seed+i+2, func(ctx context.Context, s *message.Service) error {
					if i%2 == 0 {
						_, err := s.Pin(ctx, act(w.ann, sequence))
						return err
					}
					_, err := s.Unpin(ctx, act(w.ann, sequence))
					return err
				})
			}
		}
		run(seed, func(ctx context.Context, s *message.Service) error {
			_, err := s.Recall(ctx, act(w.bob, 3))
			return err
		})
		all.Wait()
		w.settle()
		w.checkGroupReplay(t, seed, group)
	}
}

// late lets others in between the taking of a number and what is put there.
type late struct{ message.Operations }

func (l late) Alter(ctx context.Context, change message.Alteration) error {
	for range rand.N(200) {
		runtime.Gosched()
	}
	return l.Operations.Alter(ctx, change)
}

// checkGroupReplay applies the operations of the group's log to its second and third message.
func (w *world) checkGroupReplay(t *testing.T, seed int, group id.Group) {
	t.Helper()
	type state struct {
		text     string
		recalled bool
		mine     map[string]bool
	}
	states, pins := map[int64]*state{2: {mine: map[string]bool{}}, 3: {mine: map[string]bool{}}}, []int64{}
	texts := map[int64]int{}
	page, _, err := w.healthy().History(t.Context(), w.app, "", id.Conversation(group), message.Ascending, "", 100)
	storetest.OK(t, "History", err)
	for i, each := range page {
		if each.Seq != int64(i)+1 {
			t.Fatalf("seed %d: entry %d has sequence %d", seed, i+1, each.Seq)
		}
		of := each.Operation
		if of == nil {
			continue
		}
		at := states[of.Seq]
		if at.recalled && of.Kind == message.Edited {
			t.Errorf("seed %d: edited after its recall", seed)
		}
		switch of.Kind {
		case message.Edited:
			if of.Message != nil {
				texts[of.Seq]++
				at.text = *of.Message
			} else {
				at.text = "superseded"
			}
		case message.Recalled:
			at.recalled, at.text = true, ""
		case message.Reacted:
			if at.mine[of.Reaction] {
				t.Errorf("seed %d: %d reacted twice", seed, each.Seq)
			}
			at.mine[of.Reaction] = true
		case message.Unreacted:
			if !at.mine[of.Reaction] {
				t.Errorf("seed %d: %d takes back what is not there", seed, each.Seq)
			}
			delete(at.mine, of.Reaction)
		case message.Pinned:
			pins = append(pins, of.Seq)
		case message.Unpinned:
			pins = slices.DeleteFunc(pins, func(each int64) bool { return each == of.Seq })
		}
	}
	for sequence, want := range states {
		row := page[sequence-1]
		if row.Message != want.text || (row.RecalledAt != nil) != want.recalled || texts[sequence] > 1 || want.recalled && texts[sequence] > 0 {
			t.Errorf("seed %d: message %d says %q, recalled %v; the log %+v, %d texts", seed, sequence, row.Message, row.RecalledAt, want, texts[sequence])
		}
		reactions := map[string]bool{}
		for _, each := range row.Reactions {
			reactions[each.Reaction] = true
		}
		if !want.recalled && !maps.Equal(reactions, want.mine) {
			t.Errorf("seed %d: message %d has %v, the log %v", seed, sequence, reactions, want.mine)
		}
	}
	if !states[3].recalled {
		t.Errorf("seed %d: not recalled", seed)
	}
	row, err := w.operations.Pins(t.Context(), w.app, id.Conversation(group))
	if err != nil || !slices.Equal(row.Pinned, pins) {
		t.Errorf("seed %d: pinned %v, the log says %v, %v", seed, row.Pinned, pins, err)
	}
}
