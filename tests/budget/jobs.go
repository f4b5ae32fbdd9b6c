package budget

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// jobLimit bounds the wait for a job of a hundred users, which takes a second or two.
const jobLimit = 30 * time.Second

// Broadcast sends a text of the user's to all users of the app and returns how many it was sent to. What its first job leaves to
// others comes half a minute later, and finds nothing to do.
func (p *Platform) Broadcast(ctx context.Context, from User) (sent int64, err error) {
	begun, err := p.Post(ctx, "/broadcasts", map[string]any{"from": from.ID, "message": "We are back at ten."})
	if err != nil {
		return 0, err
	}
	done, err := p.awaitJob(ctx, "/broadcasts/"+begun.Text("broadcast_id"))
	return done.Number("sent"), err
}

// Import imports users of the names and returns how many were registered.
func (p *Platform) Import(ctx context.Context, names []string) (registered int64, err error) {
	rows := make([]map[string]any, len(names))
	for i, name := range names {
		rows[i] = map[string]any{"username": name}
	}
	begun, err := p.Post(ctx, "/users/import", map[string]any{"users": rows})
	if err != nil {
		return 0, err
	}
	done, err := p.awaitJob(ctx, "/users/import/"+begun.Text("import_id")+"/rows?limit=1")
	return done.Number("registered"), err
}

// awaitJob asks for the job until it is done, and returns its last answer.
func (p *Platform) awaitJob(ctx context.Context, path string) (client.Answer, error) {
	for deadline := time.Now().Add(jobLimit); ; {
		answer, err := p.do(ctx, p.App, client.Request{Path: path})
		switch {
		case err != nil:
			return client.Answer{}, err
		case answer.Text("status") == "done":
			return answer, p.settle(ctx)
		case time.Now().After(deadline):
			return client.Answer{}, fmt.Errorf("%s is not done: %s", path, answer)
		}
		select {
		case <-ctx.Done():
			return client.Answer{}, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
