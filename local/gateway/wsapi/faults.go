package wsapi

import (
	"slices"
	"sync"
	"time"
)

// Faults are what API Gateway does badly now and then, made to happen on purpose. Numbers say how many of the next
// events are hit; they add to what is still outstanding.
type Faults struct {
	LoseDisconnects int         `json:"lose_disconnects"` // $disconnect events that never come
	HalfOpen        []string    `json:"half_open"`        // open connections, or "*", whose client is gone unnoticed: posts answer 200 and go nowhere
	HalfOpenNext    int         `json:"half_open_next"`   // the same for connections that open later
	GonePosts       int         `json:"gone_posts"`       // posts answered with 410
	ThrottlePosts   int         `json:"throttle_posts"`   // posts answered with 429
	DelayFrames     DelayFrames `json:"delay_frames"`     // frames that run late, so that later ones overtake them
}

// DelayFrames delays the next Count frames from clients.
type DelayFrames struct {
	Count        int `json:"count"`
	Milliseconds int `json:"milliseconds"`
}

type faultState struct {
	mu sync.Mutex
	f  Faults
}

// Inject arms faults.
func (a *API) Inject(f Faults) {
	a.faults.mu.Lock()
	armed := &a.faults.f
	armed.LoseDisconnects += f.LoseDisconnects
	armed.HalfOpenNext += f.HalfOpenNext
	armed.GonePosts += f.GonePosts
	armed.ThrottlePosts += f.ThrottlePosts
	if f.DelayFrames.Count > 0 {
		armed.DelayFrames = f.DelayFrames
	}
	a.faults.mu.Unlock()
	for _, c := range a.all() {
		if slices.Contains(f.HalfOpen, c.id) || slices.Contains(f.HalfOpen, "*") {
			c.halfOpen.Store(true)
		}
	}
}

// use takes one off a counter and reports whether there was one.
func (s *faultState) use(counter *int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *counter == 0 {
		return false
	}
	*counter--
	return true
}

func (s *faultState) losesDisconnect() bool { return s.use(&s.f.LoseDisconnects) }
func (s *faultState) opensHalf() bool       { return s.use(&s.f.HalfOpenNext) }
func (s *faultState) gone() bool            { return s.use(&s.f.GonePosts) }
func (s *faultState) throttles() bool       { return s.use(&s.f.ThrottlePosts) }

// delay is how long the next frame waits.
func (s *faultState) delay() time.Duration {
	if !s.use(&s.f.DelayFrames.Count) {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.f.DelayFrames.Milliseconds) * time.Millisecond
}
