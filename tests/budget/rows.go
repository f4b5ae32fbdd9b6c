package budget

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

// The prices of what comes in, $ per million (figures.md).
const (
	overHTTP   = 1.00
	overSocket = 1.00
	connects   = 0.00 // connection minutes are charged, handshakes are not
)

// credential is what every request pays for: key and user, strongly, in one BatchGet.
const credential = 2.0

// fanoutReads are the reads of a fan-out, besides the subscriptions: its state and the log's end, strongly, and the entry.
const fanoutReads = 1 + 1 + 0.5

// Request is the i-th request of a row.
type Request func(i int) error

// Row is a kind of request with its budget.
type Row struct {
	// What names it.
	What string
	// WriteUnits and ReadUnits are the most that a request may cost on average.
	WriteUnits, ReadUnits float64
	// Posts and Invocations are exact.
	Posts, Invocations float64
	// Dollars is the most per million; 0 where the design names none. In is the price of the request itself.
	Dollars, In float64
	// Functions are those whose units count; none means all. Posts and invocations follow them.
	Functions []string
	// Prepare makes what n requests need and returns the request.
	Prepare func(ctx context.Context, p *Platform, n int) (Request, error)
}

// Exceeded says, a line each, what of an average over n requests is not within the row's budget.
func (r Row) Exceeded(cost Cost, n int) (lines []string) {
	report := func(exceeded bool, format string, args ...any) {
		if exceeded {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	// Below the smallest unit that one request of the n could add.
	epsilon := 0.5/float64(n) - 0.001
	report(cost.WriteUnits > r.WriteUnits+epsilon || cost.ReadUnits > r.ReadUnits+epsilon,
		"%.2f write and %.2f read units, the budget is %.2f and %.2f", cost.WriteUnits, cost.ReadUnits, r.WriteUnits, r.ReadUnits)
	report(cost.Posts != r.Posts || cost.Invocations != r.Invocations,
		"%.2f posts and %.2f invocations, want %.0f and %.0f", cost.Posts, cost.Invocations, r.Posts, r.Invocations)
	report(cost.Deletes != 0 || cost.LogLines != 0 || cost.Scans != nil,
		"%.2f sockets closed, %.2f log lines, scans %v; want none", cost.Deletes, cost.LogLines, cost.Scans)
	report(cost.KeyLoads != 0, "%.2f loads of data keys: with KMS each could be a call of it", cost.KeyLoads)
	if price := cost.Price(r.In); r.Dollars > 0 {
		report(price > r.Dollars, "$%.2f per million, the budget is $%.2f", price, r.Dollars)
	}
	return lines
}

// Rows is the budget table of the design, as far as it is built. Units of the design's rows beside the sends have the
// credential added.
var Rows = []Row{
	{What: "send by user ID, one device online", WriteUnits: 2.2, ReadUnits: 4, Posts: 1, Invocations: 1, Dollars: 4.20, In: overHTTP, Prepare: sends(1, nil)},
	{What: "send by user ID, nobody online", WriteUnits: 2.2, ReadUnits: 4, Invocations: 1, In: overHTTP, Prepare: sends(0, nil)},
	{What: "send by user ID, three devices online", WriteUnits: 2.2, ReadUnits: 4, Posts: 3, Invocations: 1, In: overHTTP, Prepare: sends(3, nil)},
	{What: "the same at its largest: five devices, a full ring, 600 bytes", WriteUnits: 2.2, ReadUnits: 4, Posts: 5, Invocations: 1, In: overHTTP, Prepare: largest},
	{What: "send by a user whom a role of the app's own allows it, beside 31 grants", WriteUnits: 2.2, ReadUnits: 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: sendsByRole},
	{What: "send by username", WriteUnits: 2.2, ReadUnits: 5, Posts: 1, Invocations: 1, Dollars: 4.35, In: overHTTP, Prepare: sendsByName},
	{What: "send with client ID", WriteUnits: 3.2, ReadUnits: 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: sends(1, own)},
	{What: "its retry", WriteUnits: 3.2, ReadUnits: 5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: retries(nil)},
	{What: "send with client ID and known", WriteUnits: 2.2, ReadUnits: 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: sends(1, ownAndKnown)},
	{What: "its retry with known", WriteUnits: 2.2, ReadUnits: 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: retries(map[string]any{"known": 1})},
	{What: "first message of a pair", WriteUnits: 4.2, ReadUnits: 4, Invocations: 1, In: overHTTP, Prepare: firsts},
	{What: "send, sender has another device", WriteUnits: 3.2, ReadUnits: 4, Posts: 2, Invocations: 1, In: overHTTP, Prepare: sendsBeside},
	{What: "send over the socket", WriteUnits: 2.2, ReadUnits: 4, Posts: 2, Invocations: 1, In: overSocket, Prepare: socketSends},
	{What: "send to a group of 3, all online", WriteUnits: 4.2, ReadUnits: 4 + 3*0.5, Posts: 3, Invocations: 1, In: overHTTP, Prepare: groupSends(3, 3)},
	{What: "send to a group of 75, 30 online", WriteUnits: 4.2, ReadUnits: 4 + 75*0.5, Posts: 30, Invocations: 1, Dollars: 1.3 * 30, In: overHTTP, Prepare: groupSends(75, 30)},
	{What: "send to a group of 100, 30 online, and its fan-out", WriteUnits: 5, ReadUnits: 4 + fanoutReads + 1, Posts: 30, Invocations: 3, Dollars: 1.3 * 30, In: overHTTP,
		Prepare: largeSends(100, 30)},
	{What: "the same without its fan-out", WriteUnits: 4.2, ReadUnits: 4, Invocations: 1, In: overHTTP, Prepare: largeSends(100, 30), Functions: []string{"MessagesFunction"}},
	{What: "sync of a user in 20 groups", ReadUnits: credential + 0.5 + 20*0.5 + 0.5, Posts: 1, Invocations: 1, In: overSocket, Prepare: groupSyncs(20)},
	{What: "send to a user who has blocked ten others", WriteUnits: 2.2, ReadUnits: 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: sendsPastBlocks(10)},
	{What: "block a user", WriteUnits: 6, ReadUnits: credential + 1.5, Invocations: 1, In: overHTTP, Prepare: blocks},
	{What: "change of a user's shown name", WriteUnits: 5, ReadUnits: credential + 2, Invocations: 1, In: overHTTP, Prepare: renames},
	{What: "acknowledge", WriteUnits: 1, ReadUnits: credential + 1.5, Invocations: 1, In: overHTTP, Prepare: marks("ack", 0)},
	{What: "mark read", WriteUnits: 1, ReadUnits: credential + 1.5, Invocations: 1, In: overHTTP, Prepare: marks("read", 0)},
	// Seven on AWS: its transaction puts and updates in one table, all of whose units the meter gives to the one, and so a unit to the other.
	{What: "delete a message for oneself, one device online", WriteUnits: 8, ReadUnits: credential + 5, Posts: 1, Invocations: 1, In: overHTTP,
		Prepare: removals(func(i int) (string, map[string]any) { return "/delete", map[string]any{"seqs": []int{i + 2}} })},
	{What: "clear a conversation up to a message, one device online", WriteUnits: 5, ReadUnits: credential + 3.5, Posts: 1, Invocations: 1, In: overHTTP,
		Prepare: removals(func(i int) (string, map[string]any) { return "/clear", map[string]any{"seq": i + 2} })},
	{What: "ten messages of a conversation", ReadUnits: credential + 1.5, Invocations: 1, In: overHTTP, Prepare: histories()},
	{What: "the same of whom has deleted two of them", ReadUnits: credential + 2, Invocations: 1, In: overHTTP, Prepare: histories(3, 7)},
	{What: "acknowledge, a device of the other user online", WriteUnits: 1, ReadUnits: credential + 1.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: marks("ack", 1)},
	{What: "mark read, a device of the other user online", WriteUnits: 1, ReadUnits: credential + 1.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: marks("read", 1)},
	{What: "receipts of a message to a user", ReadUnits: credential + 1 + 2*0.5, Invocations: 1, In: overHTTP, Prepare: receipts},
	{What: "receipts of a message in a group of 75", ReadUnits: credential + 1 + 1 + 1.5 + 75*0.5, Invocations: 1, In: overHTTP, Prepare: groupReceipts(75)},
	{What: "trace of a message, one device online", ReadUnits: credential + 1 + 5*0.5, Invocations: 1, In: overHTTP, Prepare: traces},
	{What: "sync, nothing changed", ReadUnits: credential + 0.5, Posts: 1, Invocations: 1, In: overSocket, Prepare: syncs(0)},
	{What: "sync, one pair changed", ReadUnits: credential + 1, Posts: 1, Invocations: 1, In: overSocket, Prepare: syncs(1)},
	{What: "sync, three pairs changed", ReadUnits: credential + 2, Posts: 1, Invocations: 1, In: overSocket, Prepare: syncs(3)},
	{What: "ping", ReadUnits: credential + 0.5, Posts: 1, Invocations: 1, In: overSocket, Prepare: pings},
	{What: "poll, one message unread", ReadUnits: credential + 1, Invocations: 1, In: overHTTP, Prepare: polls},
	{What: "connect, without its resume", WriteUnits: 4, ReadUnits: credential + 3, Invocations: 2, In: connects, Prepare: connections,
		Functions: []string{"AuthorizerFunction", "ConnectionsFunction"}},
	{What: "connect's resume, nothing missed", WriteUnits: 1, ReadUnits: credential + 3, Posts: 1, Invocations: 1, In: connects, Prepare: connections,
		Functions: []string{"ResumeFunction"}},
	{What: "disconnect", WriteUnits: 2, ReadUnits: 3, Invocations: 1, In: connects, Prepare: disconnections},
	{What: "presence of one user", ReadUnits: credential + 0.5, Invocations: 1, In: overHTTP, Prepare: onePresence},
	{What: "presence of 1,000 users", ReadUnits: credential + 500, Invocations: 1, In: overHTTP, Prepare: presenceOf(1000)},
	{What: "hide, or show again", WriteUnits: 1, ReadUnits: credential, Invocations: 1, In: overHTTP, Prepare: hides},
	{What: "watch a user whom nobody watches", WriteUnits: 2, ReadUnits: credential + 0.5, Posts: 1, Invocations: 1, In: overSocket, Prepare: watches(false)},
	{What: "watch a user whom others watch", WriteUnits: 1, ReadUnits: credential + 0.5, Posts: 1, Invocations: 1, In: overSocket, Prepare: watches(true)},
	{What: "connect of a user whom others watch, without resume and pushes", WriteUnits: 4, ReadUnits: credential + 3, Invocations: 2, In: connects, Prepare: arrivals(3),
		Functions: []string{"AuthorizerFunction", "ConnectionsFunction"}},
	{What: "its announcement to 3 who watch", WriteUnits: 1, ReadUnits: 2 + 3*0.5, Posts: 3, Invocations: 1, Prepare: arrivals(3), Functions: []string{"WatchersFunction"}},
	{What: "declare a picture", WriteUnits: 2, ReadUnits: credential, Invocations: 1, In: overHTTP, Prepare: declarations},
	{What: "its check", WriteUnits: 2, Invocations: 1, Prepare: uploads, Functions: []string{"MediaCheckFunction"}},
	{What: "send a picture for the first time, one device online", WriteUnits: 3.2, ReadUnits: 4 + 0.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: pictureSends},
	{What: "edit a message, one device online", WriteUnits: 5, ReadUnits: credential + 4, Posts: 1, Invocations: 1, In: overHTTP, Prepare: operation(http.MethodPatch, "", text)},
	{What: "recall a message, one device online", WriteUnits: 5, ReadUnits: credential + 3.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: operation(http.MethodPost, "/recall", nil)},
	{What: "react to a message, one device online", WriteUnits: 7, ReadUnits: credential + 4.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: operation(http.MethodPost, "/reactions", thumb)},
	{What: "pin a message, one device online", WriteUnits: 5, ReadUnits: credential + 4.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: operation(http.MethodPut, "/pin", nil)},
	{What: "react in a group of 3, all online", WriteUnits: 7, ReadUnits: credential + 4.5 + 3*0.5, Posts: 3, Invocations: 1, In: overHTTP, Prepare: groupReactions(3)},
	{What: "read one message", ReadUnits: credential + 1.5, Invocations: 1, In: overHTTP, Prepare: singleReads},
	{What: "send a reply, one device online", WriteUnits: 2.2, ReadUnits: 4 + 0.5, Posts: 1, Invocations: 1, In: overHTTP, Prepare: sends(1, replies)},
	{What: "send to a large group with 10 mentions, without its fan-out", WriteUnits: 4.2, ReadUnits: 4 + 10*0.5, Invocations: 1, In: overHTTP, Prepare: mentioningSends(100, 10), Functions: []string{"MessagesFunction"}},
	{What: "link to a picture", ReadUnits: credential + 1, Invocations: 1, In: overHTTP, Prepare: downloads},
}

// own gives every message a client ID, ownAndKnown the last sequence too: Pair has sent one, and they go one by one.
func own(i int) map[string]any { return map[string]any{"client_id": fmt.Sprint("c", i)} }

func ownAndKnown(i int) map[string]any {
	return map[string]any{"client_id": fmt.Sprint("c", i), "known": i + 1}
}

// online opens n sockets of the user.
func online(ctx context.Context, p *Platform, user User, n int) error {
	for range n {
		if _, err := p.Connect(ctx, user); err != nil {
			return err
		}
	}
	return nil
}

func sends(devices int, more func(i int) map[string]any) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		ann, bob, _, err := p.Pair(ctx)
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			var members map[string]any
			if more != nil {
				members = more(i)
			}
			_, err := p.Send(ctx, ann.ID, bob.ID, members)
			return err
		}, online(ctx, p, bob, devices)
	}
}

// sendsByRole has a sender with as many grants as there may be, in an app with as many roles; one of them is what lets it send.
func sendsByRole(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	for i := range access.MaxRoles {
		role := map[string]any{"name": fmt.Sprint("talkers ", i), "permissions": []string{"messages:send", "users:list"}}
		if answer, err := p.App.Do(ctx, client.Request{Path: "/roles", Body: role}); err != nil || answer.Status != http.StatusCreated && answer.Text("code") != "role_name_taken" {
			return nil, fmt.Errorf("make a role: %s, %w", answer, err)
		}
	}
	for i := range access.MaxGrants {
		if _, err := p.Post(ctx, "/grants", map[string]any{"subject": ann.ID, "role": fmt.Sprint("talkers ", i)}); err != nil {
			return nil, err
		}
	}
	token, err := p.Token(ctx, ann)
	if err != nil {
		return nil, err
	}
	return func(int) error {
		_, err := p.do(ctx, token, client.Request{Path: "/send", Body: map[string]any{"to": bob.ID, "message": "A message as people write them: short."}})
		return err
	}, online(ctx, p, bob, 1)
}

func sendsByName(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	return func(int) error {
		_, err := p.Send(ctx, ann.Name, bob.Name, nil)
		return err
	}, online(ctx, p, bob, 1)
}

func retries(more map[string]any) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		ann, bob, _, err := p.Pair(ctx)
		if err != nil {
			return nil, err
		}
		body := map[string]any{"client_id": "once"}
		for name, value := range more {
			body[name] = value
		}
		return func(int) error {
			_, err := p.Send(ctx, ann.ID, bob.ID, body)
			return err
		}, online(ctx, p, bob, 1)
	}
}

// firsts sends from each user to the next, so that the ring of no user overflows: that has a test of its own.
func firsts(ctx context.Context, p *Platform, n int) (Request, error) {
	users, err := p.registerAll(ctx, n+1)
	return func(i int) error {
		_, err := p.Send(ctx, users[i].ID, users[i+1].ID, nil)
		return err
	}, err
}

func (p *Platform) registerAll(ctx context.Context, n int) ([]User, error) {
	users := make([]User, n)
	return users, each(ctx, n, func(ctx context.Context, i int) (err error) {
		users[i], err = p.Register(ctx)
		return err
	})
}

// atOnce is how many of what is prepared is done at once.
const atOnce = 8

// each does something n times, some at once.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i := range n {
		work.Go(func() error { return do(ctx, i) })
	}
	return work.Wait()
}

func sendsBeside(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	if err := online(ctx, p, ann, 1); err != nil {
		return nil, err
	}
	return func(int) error {
		_, err := p.Send(ctx, ann.ID, bob.ID, nil)
		return err
	}, online(ctx, p, bob, 1)
}

func socketSends(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	socket, err := p.Connect(ctx, ann)
	if err != nil {
		return nil, err
	}
	return func(int) error {
		return asked(socket.Ask(ctx, map[string]any{"action": "send", "to": bob.ID, "message": "A message as people write them: short."}))
	}, online(ctx, p, bob, 1)
}

// asked is the error of a frame's answer.
func asked(answer client.Frame, err error) error {
	if err == nil && answer.Error != nil {
		err = fmt.Errorf("%s", answer.Raw)
	}
	return err
}

// talk makes a pair, and has the first of it send so many messages more.
func (p *Platform) talk(ctx context.Context, n int) (ann, bob User, conversation string, err error) {
	if ann, bob, conversation, err = p.Pair(ctx); err != nil {
		return ann, bob, "", err
	}
	for range n {
		if _, err := p.Send(ctx, ann.ID, bob.ID, nil); err != nil {
			return ann, bob, "", err
		}
	}
	return ann, bob, conversation, nil
}

// marks has the other user move a mark on, by one message with each request, where so many devices of the first are told.
func marks(which string, devices int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, n int) (Request, error) {
		ann, bob, conversation, err := p.talk(ctx, n)
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			_, err := p.Post(ctx, "/users/"+bob.ID+"/conversations/"+conversation+"/"+which, map[string]any{"seq": i + 1})
			return err
		}, online(ctx, p, ann, devices)
	}
}

func syncs(changed int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		user, err := p.Register(ctx)
		if err != nil {
			return nil, err
		}
		friends, err := p.registerAll(ctx, changed)
		if err != nil {
			return nil, err
		}
		for _, friend := range friends {
			if _, err := p.Send(ctx, friend.ID, user.ID, nil); err != nil {
				return nil, err
			}
		}
		return overSocketOf(ctx, p, user, map[string]any{"action": "sync", "v": 0})
	}
}

func pings(ctx context.Context, p *Platform, _ int) (Request, error) {
	user, err := p.Register(ctx)
	if err != nil {
		return nil, err
	}
	return overSocketOf(ctx, p, user, map[string]any{"action": "ping"})
}

// overSocketOf is the request that sends the frame over a socket of the user.
func overSocketOf(ctx context.Context, p *Platform, user User, frame map[string]any) (Request, error) {
	socket, err := p.Connect(ctx, user)
	return func(int) error { return asked(socket.Ask(ctx, frame)) }, err
}

func polls(ctx context.Context, p *Platform, _ int) (Request, error) {
	_, bob, _, err := p.Pair(ctx)
	return func(int) error {
		_, err := p.do(ctx, p.App, client.Request{Path: "/users/" + bob.ID + "/messages?unread=true"})
		return err
	}, err
}

// connections opens sockets that stay open: each of a user of its own, so that no device is displaced.
func connections(ctx context.Context, p *Platform, n int) (Request, error) {
	users, err := p.registerAll(ctx, n)
	if err != nil {
		return nil, err
	}
	return connectionsOf(ctx, p, users)
}

func connectionsOf(ctx context.Context, p *Platform, users []User) (Request, error) {
	tokens := make([]client.Installation, len(users))
	for i, user := range users {
		var err error
		if tokens[i], err = p.Token(ctx, user); err != nil {
			return nil, err
		}
	}
	return func(i int) error {
		_, err := dial(ctx, tokens[i])
		return err
	}, nil
}

func disconnections(ctx context.Context, p *Platform, n int) (Request, error) {
	sockets := make([]*client.Socket, n)
	for i := range sockets {
		user, err := p.Register(ctx)
		if err != nil {
			return nil, err
		}
		if sockets[i], err = p.Connect(ctx, user); err != nil {
			return nil, err
		}
	}
	return func(i int) error {
		sockets[i].Close()
		return nil
	}, nil
}
