package apikey_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// cuts records when sockets were cut, and answers with the errors in turn.
type cuts struct {
	began time.Time
	app   id.App
	key   id.Key
	// before is the time that was asked for.
	before time.Time
	after  []time.Duration
	errs   []error
}

func (c *cuts) CutOpened(_ context.Context, app id.App, key id.Key, before time.Time) error {
	c.app, c.key, c.before = app, key, before
	c.after = append(c.after, time.Since(c.began))
	return c.errs[len(c.after)-1]
}

func TestCutter(t *testing.T) {
	failed := errors.New("no answer")
	for name, test := range map[string]struct {
		errs []error
		want error
	}{
		"both succeed":           {[]error{nil, nil}, nil},
		"the last makes up":      {[]error{failed, nil}, nil},
		"the last is repeated":   {[]error{nil, failed}, failed},
		"nothing could be found": {[]error{failed, failed}, failed},
	} {
		synctest.Test(t, func(t *testing.T) {
			app := id.Source{}.App()
			key := id.Source{}.Key(app)
			text, err := json.Marshal(apikey.NewRevocation(app, key, storetest.Noon()))
			storetest.OK(t, "encode", err)
			var job apikey.Revocation
			storetest.OK(t, "decode", json.Unmarshal(text, &job))
			sockets := &cuts{began: time.Now(), errs: test.errs}
			if err := (&apikey.Cutter{Sockets: sockets}).Cut(t.Context(), job); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
			if want := []time.Duration{2 * time.Second, 5 * time.Second}; !reflect.DeepEqual(sockets.after, want) {
				t.Errorf("%s: cut after %v, want %v", name, sockets.after, want)
			}
			if sockets.app != app || sockets.key != key || !sockets.before.Equal(storetest.Noon()) {
				t.Errorf("cut %v %v, want %v %v", sockets.app, sockets.key, app, key)
			}
		})
	}
}

func TestCutterEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sockets := &cuts{began: time.Now()}
		err := (&apikey.Cutter{Sockets: sockets}).Cut(ctx, apikey.Revocation{})
		if !errors.Is(err, context.DeadlineExceeded) || len(sockets.after) != 0 {
			t.Errorf("Cut: %v, cut after %v", err, sockets.after)
		}
	})
}
