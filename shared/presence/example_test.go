package presence_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
)

// A phone opens a socket; another user asks who is online, and again when that is over.
func Example() {
	store, now := connectiontest.NewStore(), clocktest.New(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	sockets := &connection.Service{Store: store, Poster: connectiontest.NewPoster("c1"), Clock: now}
	service := &presence.Service{Store: store, Announcer: sockets, Clock: now}
	ctx, app, ann, bob := context.Background(), id.Source{}.App(), id.Source{}.User(), id.Source{}.User()
	store.Register(app, ann)

	phone := connection.Socket{App: app, User: ann, Connection: "c1", Device: "phone", ExpiresAt: now.Now().Add(time.Hour)}
	if err := sockets.Open(ctx, phone); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		items, err := service.Query(ctx, app, bob, []string{string(ann)})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(items[0].Status, "last seen", items[0].LastSeen.Format(time.TimeOnly))
		now.Advance(connection.Lease) // and nothing is heard of the phone
	}
	// Output:
	// online last seen 12:00:00
	// offline last seen 12:00:00
}
