package lambda

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// settle is how long an invocation waits for an environment that has just answered to ask for more work, before it
// pays for a cold start. Asking takes about 0.1 ms.
const settle = 10 * time.Millisecond

// untaken is how often an invocation moves on when an environment dies before it has taken it.
const untaken = 3

// function is the pool of one function's environments.
type function struct {
	Function
	host *Host

	mu         sync.Mutex
	closed     bool
	generation int
	all        map[*environment]bool
	idle       []*environment // the last is used first, as Lambda prefers warm ones
	answered   int            // environments that have answered and not yet asked for more
	waiters    []chan *environment
}

func (f *function) invoke(ctx context.Context, payload []byte) (Result, error) {
	in := newInvocation(f, payload)
	for range untaken {
		env, err := f.acquire(ctx)
		if err != nil {
			return Result{}, err
		}
		env.work <- in
		select {
		case result := <-in.result:
			return result, nil
		case <-ctx.Done():
			return Result{}, fmt.Errorf("wait for function %s: %w", f.Name, ctx.Err())
		case <-env.gone:
		}
		if len(in.result) > 0 {
			return <-in.result, nil
		}
		if result, failed := env.initFailure(in); failed {
			return result, nil
		}
	}
	return failure(in.id, "Runtime.Unavailable", "the function's processes ended before they took the request"), nil
}

// acquire returns an environment that waits for work: an idle one, a new one, or, at the maximum, the next to be free.
func (f *function) acquire(ctx context.Context) (*environment, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, ErrClosed
	}
	if n := len(f.idle); n > 0 {
		env := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.mu.Unlock()
		return env, nil
	}
	if len(f.all) < f.host.options.Max && f.answered <= len(f.waiters) {
		defer f.mu.Unlock()
		return f.start()
	}
	wait := make(chan *environment, 1)
	f.waiters = append(f.waiters, wait)
	f.mu.Unlock()
	return f.wait(ctx, wait)
}

// wait returns the environment that free hands over. Below the maximum it gives up after a moment and starts one.
func (f *function) wait(ctx context.Context, handed chan *environment) (*environment, error) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case env := <-handed:
			return env, nil
		case <-f.host.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			f.forget(handed)
			return nil, fmt.Errorf("wait for an environment of %s: %w", f.Name, ctx.Err())
		case <-timer.C:
			if env, err := f.startInstead(handed); env != nil || err != nil {
				return env, err
			}
			timer.Reset(settle)
		}
	}
}

// startInstead takes a waiter out of the queue and starts an environment for it, if the maximum allows one.
func (f *function) startInstead(handed chan *environment) (*environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(handed) > 0 || len(f.all) >= f.host.options.Max {
		return nil, nil
	}
	f.drop(handed)
	return f.start()
}

// forget takes a waiter out of the queue, and passes on what it was handed meanwhile.
func (f *function) forget(handed chan *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(handed)
	select {
	case env := <-handed:
		f.handOver(env)
	default:
	}
}

func (f *function) drop(handed chan *environment) {
	if i := slices.Index(f.waiters, handed); i >= 0 {
		f.waiters = slices.Delete(f.waiters, i, i+1)
	}
}

// start runs a new environment, which the caller owns. f.mu is held.
func (f *function) start() (*environment, error) {
	if f.closed {
		return nil, ErrClosed
	}
	env, err := startEnvironment(f)
	if err != nil {
		return nil, err
	}
	f.all[env] = true
	f.host.options.Count("cold_starts", f.Name)
	return env, nil
}

// free makes an environment that asks for work available. It reports false when the environment is out of date.
func (f *function) free(env *environment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled(env)
	if f.closed || env.generation != f.generation {
		return false
	}
	f.handOver(env)
	return true
}

// handOver gives env to the longest waiter, or makes it idle. f.mu is held.
func (f *function) handOver(env *environment) {
	if len(f.waiters) > 0 {
		f.waiters[0] <- env
		f.waiters = f.waiters[1:]
		return
	}
	f.idle = append(f.idle, env)
}

// hasAnswered notes that env will soon be free.
func (f *function) hasAnswered(env *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[env] && !env.answered {
		env.answered = true
		f.answered++
	}
}

// settled ends what hasAnswered began. f.mu is held.
func (f *function) settled(env *environment) {
	if env.answered {
		env.answered = false
		f.answered--
	}
}

// remove forgets an environment that has ended.
func (f *function) remove(env *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled(env)
	delete(f.all, env)
	if i := slices.Index(f.idle, env); i >= 0 {
		f.idle = slices.Delete(f.idle, i, i+1)
	}
}

// renew ends idle environments now and busy ones after their invocation.
func (f *function) renew() {
	f.mu.Lock()
	f.generation++
	idle := f.idle
	f.idle = nil
	f.mu.Unlock()
	for _, env := range idle {
		env.kill()
	}
}

func (f *function) close() {
	f.mu.Lock()
	f.closed = true
	all := make([]*environment, 0, len(f.all))
	for env := range f.all {
		all = append(all, env)
	}
	f.mu.Unlock()
	for _, env := range all {
		env.kill()
	}
	for _, env := range all {
		<-env.gone
	}
}
