package apikey_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const day = 24 * time.Hour

// run does the tasks as they come due, until there are none, and returns how long after noon notices of the kind were
// mailed. before, where not nil, is called before the clock moves to a task.
func (f *fixture) run(t *testing.T, kind string, before func(due time.Time)) (mailed []time.Duration) {
	t.Helper()
	mailer := &apikeytest.Mailer{}
	warnings := &apikey.Warnings{Store: f.store, Tasks: f.tasks, Mailer: mailer, Clock: f.clock}
	for pending := f.tasks.Take(); len(pending) > 0; pending = append(pending[1:], f.tasks.Take()...) {
		slices.SortStableFunc(pending, func(a, b apikeytest.Task) int { return a.Due.Compare(b.Due) })
		task := pending[0]
		if before != nil {
			before(task.Due)
		}
		f.clock.Advance(max(0, task.Due.Sub(f.clock.Now())))
		do := map[string]func(context.Context, id.App, id.Key) error{
			apikey.TaskExpiring: warnings.Expiring, apikey.TaskRotated: warnings.Rotated}[task.Kind]
		for range 2 { // a task may be done twice; it plans the same next one
			mailer.Take()
			storetest.OK(t, task.Kind, do(t.Context(), task.App, id.Key(task.Subject)))
		}
		for _, notice := range mailer.Take() {
			if notice.Kind == kind {
				mailed = append(mailed, f.clock.Now().Sub(storetest.Noon()))
			}
		}
	}
	return mailed
}

func wantMailed(t *testing.T, doing string, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: mailed %v after noon, want %v", doing, got, want)
	}
}

func TestExpiring(t *testing.T) {
	for name, test := range map[string]struct {
		life   time.Duration
		before func(f *fixture, key apikey.Key) error
		want   []time.Duration
	}{
		"a month":       {30 * day, nil, []time.Duration{23 * day, 29 * day}},
		"a week":        {7 * day, nil, []time.Duration{6 * day}},
		"a day":         {day, nil, nil},
		"a day or more": {day + time.Millisecond, nil, []time.Duration{time.Minute}},
		"revoked": {30 * day, func(f *fixture, key apikey.Key) error {
			_, err := f.Revoke(t.Context(), key.App, key.ID, record.Origin{})
			return err
		}, nil},
		"of a deleted app": {30 * day, func(f *fixture, key apikey.Key) error {
			return f.store.Suspend(t.Context(), key.App, key.ID, true)
		}, nil},
	} {
		f := setUp()
		key, _ := f.create(t, apikey.Request{ExpiresAt: storetest.Noon().Add(test.life)})
		if test.before != nil {
			storetest.OK(t, name, test.before(f, key))
		}
		wantMailed(t, name, f.run(t, apikey.NoticeExpiring, nil), test.want...)
	}
}

// The old key's end is no news, and the new key's is.
func TestExpiringAfterRotation(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, apikey.Request{ExpiresAt: storetest.Noon().Add(30 * day)})
	f.clock.Advance(10 * day)
	f.rotate(t, first.ID, apikey.Rotation{Overlap: 30 * day})
	wantMailed(t, "of 40 days", f.run(t, apikey.NoticeExpiring, nil), 33*day, 39*day)
}

// A warning that comes too late, or for a key that never was, is none.
func TestExpiringTooLate(t *testing.T) {
	f := setUp()
	f.create(t, apikey.Request{ExpiresAt: storetest.Noon().Add(8 * day)})
	f.clock.Advance(8 * day)
	f.tasks.Add(t.Context(), apikey.TaskExpiring, storetest.Noon(), f.maker.App, string(id.Source{}.Key(f.maker.App)))
	f.tasks.Add(t.Context(), apikey.TaskRotated, storetest.Noon(), f.maker.App, string(id.Source{}.Key(f.maker.App)))
	wantMailed(t, "expired", f.run(t, apikey.NoticeExpiring, nil))
}

// A task that was left by another request does not warn of an end that is far.
func TestExpiringFarAway(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, apikey.Request{ExpiresAt: storetest.Noon().Add(30 * day)})
	f.tasks.Add(t.Context(), apikey.TaskExpiring, storetest.Noon().Add(day), f.maker.App, string(key.ID))
	wantMailed(t, "of 30 days", f.run(t, apikey.NoticeExpiring, nil), 23*day, 29*day)
}

func TestRotated(t *testing.T) {
	const overlap = 3*day + 30*time.Minute
	for name, test := range map[string]struct {
		uses []time.Duration // after noon; the rotation is at noon
		want []time.Duration
	}{
		"never used":            {nil, nil},
		"used before only":      {[]time.Duration{-time.Minute}, nil},
		"used once":             {[]time.Duration{time.Minute}, []time.Duration{time.Hour}},
		"used later":            {[]time.Duration{2 * time.Hour}, []time.Duration{day + time.Hour}},
		"used all the time":     {[]time.Duration{time.Minute, day, 2 * day, 3 * day}, []time.Duration{time.Hour, day + time.Hour, 2*day + time.Hour, overlap}},
		"used in the last hour": {[]time.Duration{overlap - time.Minute}, []time.Duration{overlap}},
		"used around a check":   {[]time.Duration{30 * time.Minute, 90 * time.Minute}, []time.Duration{time.Hour, day + time.Hour}},
	} {
		f := setUp()
		first, _ := f.create(t, apikey.Request{})
		f.use(t, first.ID, -30*time.Minute) // so that a use in the first half hour is none to be written down, but for the rotation
		f.rotate(t, first.ID, apikey.Rotation{Overlap: overlap})
		mailed := f.run(t, apikey.NoticeUsedAfterRotation, func(due time.Time) {
			for len(test.uses) > 0 && storetest.Noon().Add(test.uses[0]).Before(due) {
				f.use(t, first.ID, test.uses[0])
				test.uses = test.uses[1:]
			}
		})
		wantMailed(t, name, mailed, test.want...)
		if end := storetest.Noon().Add(overlap); !f.clock.Now().Equal(end) {
			t.Errorf("%s: the last check was at %v, want %v", name, f.clock.Now(), end)
		}
	}
}

// use notes a use of the key, as package authn does.
func (f *fixture) use(t *testing.T, keyID id.Key, afterNoon time.Duration) {
	t.Helper()
	now := storetest.Noon().Add(afterNoon)
	key, err := f.store.Get(t.Context(), f.maker.App, keyID)
	storetest.OK(t, "Get", err)
	if key.UseDue(now) {
		storetest.OK(t, "Used", f.store.Used(t.Context(), key.App, keyID, now, key.UseBefore(now), "203.0.113.7"))
	}
}

// Nobody is warned of a replaced key that was revoked since, or whose app was deleted; nor is it looked at again.
func TestRotatedAndEnded(t *testing.T) {
	for name, end := range map[string]func(f *fixture, key id.Key) error{
		"revoked": func(f *fixture, key id.Key) error {
			_, err := f.Revoke(t.Context(), f.maker.App, key, record.Origin{})
			return err
		},
		"of a deleted app": func(f *fixture, key id.Key) error { return f.store.Suspend(t.Context(), f.maker.App, key, true) },
	} {
		f := setUp()
		first, _ := f.create(t, apikey.Request{})
		f.rotate(t, first.ID, apikey.Rotation{Overlap: 30 * day})
		f.use(t, first.ID, time.Minute)
		storetest.OK(t, name, end(f, first.ID))
		wantMailed(t, name, f.run(t, apikey.NoticeUsedAfterRotation, nil))
		if now := f.clock.Now(); !now.Equal(storetest.Noon().Add(time.Hour)) {
			t.Errorf("%s: the last check was at %v, want the first", name, now)
		}
	}
}

// Creation fails where its warning cannot be kept: no key ends unannounced.
func TestNoKeyWithoutItsWarning(t *testing.T) {
	f := setUp()
	first, _ := f.create(t, apikey.Request{})
	f.tasks.Fail(errors.New("no answer"))
	_, text, err := f.Create(t.Context(), f.maker, apikey.Request{ExpiresAt: storetest.Noon().Add(30 * day)})
	if err == nil || text != "" {
		t.Errorf("Create: %q, %v", text, err)
	}
	_, text, err = f.Rotate(t.Context(), f.maker, first.ID, apikey.Rotation{Overlap: time.Hour})
	if err == nil || text != "" {
		t.Errorf("Rotate: %q, %v", text, err)
	}
	if keys, _ := f.store.List(t.Context(), f.maker.App, "", 10); len(keys) != 1 {
		t.Errorf("%d keys, want the first", len(keys))
	}
	if _, _, err := f.Rotate(t.Context(), f.maker, first.ID, apikey.Rotation{}); err != nil && !fault.Is(err, fault.KeyRotated) {
		t.Errorf("Rotate without overlap leaves nothing for later: %v", err)
	}
}
