package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/queue"
)

func orderedSender(t *testing.T, s *server) queue.OrderedSender {
	t.Helper()
	return sender(t, s).(queue.OrderedSender)
}

// in makes messages whose group is the letter and whose body and ID are the whole.
func in(names ...string) (all []queue.Ordered) {
	for _, name := range names {
		all = append(all, queue.Ordered{Body: name, Group: name[:1], ID: name})
	}
	return all
}

func TestSendOrderedPutsNoTwoMessagesOfAGroupIntoARequest(t *testing.T) {
	eleven := strings.Split("a1 b1 c1 d1 e1 f1 g1 h1 i1 j1 k1", " ")
	for want, names := range map[string][]string{
		"[]": nil, "[2 2 1]": {"a1", "a2", "b1", "a3", "b2"}, "[10 1]": eleven, "[10 1 1]": append(slices.Clone(eleven), "c2"),
	} {
		s := &server{}
		if err := orderedSender(t, s).SendOrdered(t.Context(), in(names...)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(s.sizes); got != want {
			t.Errorf("requests of %s, want %s", got, want)
		}
		slices.Sort(names)
		var groups []string
		for _, name := range names {
			groups = append(groups, name[:1]+" "+name)
		}
		if slices.Sort(s.groups); !slices.Equal(s.groups, groups) {
			t.Errorf("groups and IDs = %v", s.groups)
		}
	}
}

// What SQS refuses is sent again before anything that follows in its group.
func TestSendOrderedKeepsTheOrderOverRefusals(t *testing.T) {
	messages := in("a1", "b1", "a2", "b2", "c1", "a3")
	for name, c := range map[string]struct {
		refuse func(int) map[string]bool
		bodies string
		fails  bool
	}{
		"once":       {func(n int) map[string]bool { return []map[string]bool{{"0": false}, nil, {"3": false}, nil, nil}[n] }, `["b1" "c1" "a1" "a2" "b2" "a3"]`, false},
		"always":     {func(int) map[string]bool { return map[string]bool{"2": false} }, `["a1" "b1" "c1" "b2"]`, true},
		"by a fault": {func(int) map[string]bool { return map[string]bool{"1": true} }, `["a1" "c1"]`, true},
	} {
		s := &server{refuse: c.refuse}
		err := orderedSender(t, s).SendOrdered(t.Context(), messages)
		if got := fmt.Sprint(s.bodies); got != c.bodies || (err != nil) != c.fails {
			t.Errorf("%s: sent %s, %v; want %s", name, got, err, c.bodies)
		}
	}
}

func TestWhatCannotBeSentInOrder(t *testing.T) {
	s := &server{}
	q := orderedSender(t, s)
	for name, c := range map[string]struct {
		bad  queue.Ordered
		want error
	}{
		"no group":   {queue.Ordered{Body: 1, ID: "x"}, queue.ErrBadName},
		"no ID":      {queue.Ordered{Body: 1, Group: "x"}, queue.ErrBadName},
		"long group": {queue.Ordered{Body: 1, Group: strings.Repeat("x", 129), ID: "x"}, queue.ErrBadName},
		"space":      {queue.Ordered{Body: 1, Group: "x", ID: "a b"}, queue.ErrBadName},
		"line's end": {queue.Ordered{Body: 1, Group: "x\n", ID: "x"}, queue.ErrBadName},
		"not ASCII":  {queue.Ordered{Body: 1, Group: "世", ID: "x"}, queue.ErrBadName},
		"large":      {queue.Ordered{Body: strings.Repeat("x", queue.MaxBody-1), Group: "x", ID: "x"}, queue.ErrTooLarge},
	} {
		if err := q.SendOrdered(t.Context(), append(in("a1"), c.bad)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.bodies) != 0 {
		t.Errorf("sent %v", s.bodies)
	}
}
