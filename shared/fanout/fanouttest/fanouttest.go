// Package fanouttest has what tests of the fan-out share: a store and a queue in memory, and the suite that every store passes.
package fanouttest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/id"
)

// Store implements fanout.Subscriptions and fanout.States in memory.
type Store struct {
	mutex         sync.Mutex
	subscriptions map[place]fanout.Subscription
	states        map[groupPlace]fanout.State
}

type groupPlace struct {
	app   id.App
	group id.Group
}

type place struct {
	groupPlace
	sort string
}

var (
	_ fanout.Subscriptions = (*Store)(nil)
	_ fanout.States        = (*Store)(nil)
)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{subscriptions: map[place]fanout.Subscription{}, states: map[groupPlace]fanout.State{}}
}

func placeOf(s fanout.Subscription) place {
	return place{groupPlace{s.App, s.Group}, s.User.Random() + "#" + s.Connection}
}

// Put implements fanout.Subscriptions.
func (s *Store) Put(_ context.Context, made fanout.Subscription) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.subscriptions[placeOf(made)] = made
	return nil
}

// Remove implements fanout.Subscriptions.
func (s *Store) Remove(_ context.Context, ended fanout.Subscription) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.subscriptions[placeOf(ended)] == ended {
		delete(s.subscriptions, placeOf(ended))
	}
	return nil
}

// End implements fanout.Subscriptions.
func (s *Store) End(_ context.Context, app id.App, group id.Group, user id.User, sequence int64, until time.Time) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for at, each := range s.subscriptions {
		if at.groupPlace == (groupPlace{app, group}) && each.User == user && each.Since <= sequence {
			delete(s.subscriptions, at)
		}
	}
	end := fanout.Subscription{App: app, Group: group, User: user, Since: sequence, Until: until}
	if s.subscriptions[placeOf(end)].Since < sequence {
		s.subscriptions[placeOf(end)] = end
	}
	return nil
}

// Page implements fanout.Subscriptions.
func (s *Store) Page(_ context.Context, app id.App, group id.Group, part fanout.Part, after string, limit int) ([]fanout.Subscription, string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	from, until := part.Bounds()
	var places []place
	for at := range s.subscriptions {
		if at.groupPlace == (groupPlace{app, group}) && at.sort > max(from, after) && (until == "" || at.sort < until) {
			places = append(places, at)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.sort, b.sort) })
	next := ""
	if len(places) > limit {
		places = places[:limit]
		next = places[limit-1].sort
	}
	page := make([]fanout.Subscription, len(places))
	for i, at := range places {
		page[i] = s.subscriptions[at]
	}
	return page, next, nil
}

// Get implements fanout.States.
func (s *Store) Get(_ context.Context, app id.App, group id.Group) (fanout.State, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.states[groupPlace{app, group}], nil
}

// Advance implements fanout.States.
func (s *Store) Advance(_ context.Context, app id.App, group id.Group, handed int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := groupPlace{app, group}
	standing := s.states[at]
	standing.Handed = max(standing.Handed, handed)
	s.states[at] = standing
	return nil
}

// Divide implements fanout.States.
func (s *Store) Divide(_ context.Context, app id.App, group id.Group, was, parts int) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := groupPlace{app, group}
	if standing := s.states[at]; standing.Parts == was {
		standing.Parts = parts
		s.states[at] = standing
	}
	return nil
}

// Queue implements fanout.Queue in memory, with SQS's promises: one lane's jobs come one after the other, and of two with one
// identity one is dropped.
type Queue struct {
	mutex sync.Mutex
	seen  map[fanout.Job]bool
	jobs  []fanout.Job
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{seen: map[fanout.Job]bool{}} }

// SendInOrder implements fanout.Queue.
func (q *Queue) SendInOrder(_ context.Context, jobs []fanout.Job) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, job := range jobs {
		if !q.seen[job] {
			q.seen[job] = true
			q.jobs = append(q.jobs, job)
		}
	}
	return nil
}

// Take returns the jobs that wait and empties the queue.
func (q *Queue) Take() []fanout.Job {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	taken := q.jobs
	q.jobs = nil
	return taken
}
