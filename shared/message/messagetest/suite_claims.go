package messagetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// RunClaims checks that a store keeps the contract of message.Claims.
func RunClaims(t *testing.T, claims message.Claims) {
	t.Run("Put keeps the first", func(t *testing.T) { runFirstClaim(t, claims) })
	t.Run("Put is atomic", func(t *testing.T) { runClaimRace(t, claims) })
	t.Run("a record lives ClientIDLife", func(t *testing.T) { runClaimLife(t, claims) })
	t.Run("Move is atomic, and Get sees it", func(t *testing.T) { runClaimMoves(t, claims) })
	t.Run("records are apart", func(t *testing.T) { runClaimsApart(t, claims) })
}

func newClaim(from int64) message.Claim {
	return message.Claim{From: from, KeyNumber: uint32(from + 7), Fingerprint: []byte{byte(from), 0, 255}}
}

// putClaim puts a claim where the entry would stand, and checks what stands there then.
func putClaim(t *testing.T, claims message.Claims, e message.Entry, asked message.Claim, now time.Time, want message.Claim, wantPut bool) {
	t.Helper()
	standing, put, err := claims.Put(t.Context(), e.App, e.Conversation, e.Sender, e.ClientID, asked, now)
	storetest.OK(t, "Put", err)
	if put != wantPut || !reflect.DeepEqual(standing, want) {
		t.Fatalf("Put = %+v, %v; want %+v, %v", standing, put, want, wantPut)
	}
}

func runFirstClaim(t *testing.T, claims message.Claims) {
	e, first := NewEntry(), newClaim(0)
	putClaim(t, claims, e, first, storetest.Noon(), first, true)
	putClaim(t, claims, e, first, storetest.Noon(), first, false)
	putClaim(t, claims, e, newClaim(9), storetest.Noon().Add(time.Hour), first, false)
}

func runClaimRace(t *testing.T, claims message.Claims) {
	e, lost := NewEntry(), errors.New("not put")
	standing := make([]message.Claim, storetest.Racers)
	winner := storetest.OneWins(t, len(standing), lost, func(i int) error {
		found, put, err := claims.Put(t.Context(), e.App, e.Conversation, e.Sender, e.ClientID, newClaim(int64(i)), storetest.Noon())
		standing[i] = found
		if err == nil && !put {
			return lost
		}
		return err
	})
	for i, found := range standing {
		if !reflect.DeepEqual(found, newClaim(int64(winner))) {
			t.Fatalf("racer %d found %+v, want the claim of %d", i, found, winner)
		}
	}
}

func runClaimLife(t *testing.T, claims message.Claims) {
	e, first, second, third := NewEntry(), newClaim(1), newClaim(2), newClaim(3)
	put := storetest.Noon()
	putClaim(t, claims, e, first, put, first, true)
	almost, after := put.Add(message.ClientIDLife-time.Second), put.Add(message.ClientIDLife+2*time.Second)
	putClaim(t, claims, e, second, almost, first, false) // finding it does not prolong it
	putClaim(t, claims, e, second, after, second, true)
	putClaim(t, claims, e, third, after.Add(message.ClientIDLife-time.Second), second, false)
}

func runClaimsApart(t *testing.T, claims message.Claims) {
	e, first := NewEntry(), newClaim(1)
	putClaim(t, claims, e, first, storetest.Noon(), first, true)
	others := []message.Entry{e, e, e, e, e}
	others[0].App = id.Source{}.App()
	others[1].Conversation = id.Pair(e.App, e.Sender, id.Source{}.User())
	others[2].Sender = e.Recipient
	others[3].ClientID = "client-2"
	others[4].ClientID = fmt.Sprintf("%s#%s", e.Sender, e.ClientID) // separators inside a client ID
	for i, other := range others {
		own := newClaim(int64(10 + i))
		putClaim(t, claims, other, own, storetest.Noon(), own, true)
	}
	putClaim(t, claims, e, newClaim(2), storetest.Noon(), first, false)
}

func runClaimMoves(t *testing.T, claims message.Claims) {
	e, first, later := NewEntry(), newClaim(3), newClaim(9)
	first.Ordinal, later.Ordinal = 2, 5
	wantClaim(t, claims, e, storetest.Noon(), message.Claim{}, false)
	putClaim(t, claims, e, first, storetest.Noon(), first, true)
	moved := first
	moved.From, moved.Ordinal = later.From, later.Ordinal
	for _, attempt := range []message.Claim{later, newClaim(11)} { // the second comes too late
		standing, err := claims.Move(t.Context(), e.App, e.Conversation, e.Sender, e.ClientID, first.From, attempt)
		storetest.OK(t, "Move", err)
		if !reflect.DeepEqual(standing, moved) {
			t.Fatalf("Move = %+v, want %+v", standing, moved)
		}
	}
	wantClaim(t, claims, e, storetest.Noon(), moved, true)
	wantClaim(t, claims, e, storetest.Noon().Add(message.ClientIDLife+2*time.Second), message.Claim{}, false)
}

// wantClaim checks what both reads find.
func wantClaim(t *testing.T, claims message.Claims, e message.Entry, now time.Time, want message.Claim, wanted bool) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		standing, found, err := claims.Get(t.Context(), e.App, e.Conversation, e.Sender, e.ClientID, strong, now)
		if err != nil || found != wanted || found && !reflect.DeepEqual(standing, want) {
			t.Fatalf("Get (strong %v) = %+v, %v, %v; want %+v, %v", strong, standing, found, err, want, wanted)
		}
	}
}
