package account_test

import (
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/password"
)

// pending is an address with a sign-up that waits for its confirmation.
const pending = "pending@example.com"

// The three kinds of addresses, which nobody outside can tell apart.
var addresses = []string{ann, pending, unknown}

// settled is a world in which the addresses are what they are, and the queue is held, as in production.
func settled(t testing.TB) *world {
	w := newWorld(t)
	w.signUp(ann)
	w.queue.held = true
	w.clock.Advance(25 * time.Hour) // the mails so far no longer count
	hash, err := password.Hash(t.Context(), better)
	w.ok("Hash", err)
	w.ok("PutPending", w.store.PutPending(t.Context(), account.Pending{Email: pending, Password: hash, Nonce: "nonce",
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(24 * time.Hour)}))
	return w
}

// counting counts the calls of stores and queue by method.
func (w *world) counting() (calls map[string]int) {
	calls = map[string]int{}
	var mutex sync.Mutex
	w.around = func(method string, _ bool, do func() error) error {
		mutex.Lock()
		calls[method]++
		mutex.Unlock()
		return do()
	}
	return calls
}

// seen is everything that an outsider sees of an answer, and what it cost.
type seen struct {
	status int
	header map[string][]string
	body   string
	hashes int
	calls  map[string]int
}

func (w *world) look(path, sent string) seen {
	var got *httptest.ResponseRecorder
	calls := w.counting()
	hashes := hashed(func() { got = w.call("POST", path, sent) })
	w.around = nil
	return seen{got.Code, got.Header(), got.Body.String(), hashes, calls}
}

func (s seen) same(other seen) bool {
	return s.status == other.status && s.body == other.body && s.hashes == other.hashes && maps.Equal(s.calls, other.calls) &&
		maps.EqualFunc(s.header, other.header, slices.Equal[[]string])
}

// operations are what can be asked with an address by anybody.
var operations = map[string]func(email string) (path, sent string){
	"sign up":    func(email string) (string, string) { return "/signup", body("email", email, "password", wrong) },
	"resend":     func(email string) (string, string) { return "/signup/resend", body("email", email) },
	"forgot":     func(email string) (string, string) { return "/password/forgot", body("email", email) },
	"ask unlock": func(email string) (string, string) { return "/login/unlock", body("email", email) },
	"wrong password": func(email string) (string, string) {
		return "/login", body("email", email, "password", "some other wrong words")
	},
	"long password": func(email string) (string, string) {
		return "/login", body("email", email, "password", strings.Repeat("x7", 200))
	},
	"with a code": func(email string) (string, string) {
		return "/login", body("email", email, "password", "some other wrong words", "code", "123456")
	},
	"with a recovery code": func(email string) (string, string) {
		return "/login", body("email", email, "password", "some other wrong words", "recovery_code", "7vmx-e2hq-40wk-9bzt")
	},
	"with a wrong unlock": func(email string) (string, string) {
		return "/login", body("email", email, "password", "some other wrong words", "unlock", "none")
	},
	"a bad new password": func(email string) (string, string) { return "/signup", body("email", email, "password", "short") },
}

// Every operation answers the same bytes for every address, does the same, and goes on so when there were too many of it.
func TestAddressesLookAlike(t *testing.T) {
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			w := settled(t)
			for round := range 8 {
				var first seen
				for i, email := range addresses {
					got := w.look(operation(email))
					if i == 0 {
						first = got
					}
					if !got.same(first) {
						t.Fatalf("round %d, %s:\n%+v\nwant as for a known address:\n%+v", round, email, got, first)
					}
				}
				if round >= 6 {
					w.clock.Advance(time.Minute)
				}
			}
		})
	}
}

// A sign-up at the known address leads to nothing that an unknown one would not: the password of the sign-up answers
// that it is not activated, which it is not.
func TestSignUpWithAnothersAddress(t *testing.T) {
	w := settled(t)
	for _, path := range []string{"sign up", "forgot", "resend"} {
		for _, email := range addresses {
			w.look(operations[path](email))
		}
	}
	var first seen
	for i, email := range addresses {
		got := w.look("/login", body("email", email, "password", wrong))
		if i == 0 {
			first = got
		}
		if !got.same(first) {
			t.Errorf("%s:\n%+v\nwant as for a known address:\n%+v", email, got, first)
		}
	}
	_, err := w.try(ann, account.Proof{Password: wrong})
	w.refused("the sign-up's password", err, fault.AccountNotActivated)
	w.login(ann, good)
}

// Only whoever knows the password of a sign-up learns that it waits.
func TestNotActivated(t *testing.T) {
	w := settled(t)
	_, err := w.try(pending, account.Proof{Password: better})
	w.refused("the right password", err, fault.AccountNotActivated)
	_, err = w.try(pending, account.Proof{Password: good})
	w.refused("another password", err, fault.InvalidCredentials)
	for range 10 { // no new guesses at the login come from it
		_, err = w.try(pending, account.Proof{Password: better})
	}
	w.refused("too many", err, fault.TooManyAttempts)
}

// longAnn has a login, and as many characters as unknown: what is measured is not the length.
const longAnn = "annett@example.com"

// sample measures the operation for both addresses in turn, and returns the probability that a measurement of a known one
// is longer than one of an unknown (0.5: no difference), either way round.
func (w *world) sample(times int, operation func(email string) (string, string)) float64 {
	known, other := make([]time.Duration, times), make([]time.Duration, times)
	for i := range times {
		w.clock.Advance(25 * time.Hour) // nobody has to wait
		w.queue.jobs = nil
		order := []string{longAnn, unknown}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, email := range order {
			path, sent := operation(email)
			started := time.Now()
			w.call("POST", path, sent)
			if took := time.Since(started); email == longAnn {
				known[i] = took
			} else {
				other[i] = took
			}
		}
	}
	return auc(known, other)
}

// auc is the area under the curve of the best threshold on one side, by Mann and Whitney.
func auc(a, b []time.Duration) float64 {
	wins := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				wins++
			case x == y:
				wins += 0.5
			}
		}
	}
	area := wins / float64(len(a)*len(b))
	return max(area, 1-area)
}

// The times are measured and reported where TIMING is set; that the work is the same is checked above, always.
func TestTiming(t *testing.T) {
	if os.Getenv("TIMING") == "" {
		t.Skip("TIMING is not set")
	}
	for name, times := range map[string]int{"wrong password": 400, "sign up": 400, "forgot": 4000, "resend": 4000, "ask unlock": 4000} {
		w := settled(t)
		w.queue.held = false
		w.signUp(longAnn)
		w.queue.held = true
		w.sample(20, operations[name])
		t.Logf("%s: AUC %.3f of %d pairs", name, w.sample(times, operations[name]), times)
	}
}
