package messagetest_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// A stale log keeps its contract for strong reads, and shows gaps to weak ones.
func TestStaleLog(t *testing.T) {
	stale := storetest.Staleness{Seed: 7, Lag: storetest.AnyAge}
	messagetest.RunLog(t, messagetest.NewStaleLog(stale))

	log, base := messagetest.NewStaleLog(stale), messagetest.NewEntry()
	for sequence := int64(1); sequence <= 10; sequence++ {
		storetest.OK(t, "Append", log.Append(t.Context(), messagetest.At(base, sequence)))
	}
	gap := false
	for range 50 {
		entries, err := log.Read(t.Context(), base.App, base.Conversation, 1, 10, false)
		storetest.OK(t, "Read", err)
		for i, entry := range entries {
			gap = gap || entry.Sequence != int64(i+1)
		}
	}
	if !gap {
		t.Error("no weak page had an entry missing in the middle")
	}
	log.Settle()
	if entries, err := log.ReadBack(t.Context(), base.App, base.Conversation, 0, 20, false); err != nil || len(entries) != 10 {
		t.Errorf("after Settle: %d entries, %v", len(entries), err)
	}
}

// A stale store of rows never invents marks.
func TestStaleMembers(t *testing.T) {
	members, row := messagetest.NewStaleMembers(storetest.Staleness{Seed: 7, Lag: storetest.AnyAge}), messagetest.NewMember()
	storetest.OK(t, "Ensure", members.Ensure(t.Context(), row))
	_, _, err := members.Acknowledge(t.Context(), row.App, row.User, row.Conversation, 5)
	storetest.OK(t, "Acknowledge", err)
	seen := map[int64]int{}
	for range 100 {
		found, err := members.Get(t.Context(), row.App, row.User, row.Conversation, false)
		if err != nil {
			storetest.Refused(t, "Get", err, message.ErrNotMember)
			found.Acknowledged = -1
		}
		seen[found.Acknowledged]++
	}
	if len(seen) != 3 || seen[-1]*seen[0]*seen[5] == 0 {
		t.Errorf("weak reads saw the marks %v, want none, 0 and 5", seen)
	}
}

// One fuse counts the writes of all stores together, and a dead process reaches none of them.
func TestOneFuseForAllStores(t *testing.T) {
	fuse := &storetest.Fuse{At: 3, Dies: true}
	log, claims := messagetest.FuseLog(fuse, messagetest.NewLog()), messagetest.FuseClaims(fuse, messagetest.NewClaims())
	members := messagetest.FuseMembers(fuse, messagetest.NewMembers())
	inner := connectiontest.NewStore()
	connections := connectiontest.FuseStore(fuse, inner)
	ctx, e, row := t.Context(), messagetest.NewEntry(), messagetest.NewMember()
	inner.Register(e.App, e.Recipient)

	_, _, err := claims.Put(ctx, e.App, e.Conversation, e.Sender, e.ClientID, message.Claim{}, storetest.Noon())
	storetest.OK(t, "write 1", err)
	storetest.OK(t, "write 2", log.Append(ctx, e))
	_, err = connections.Note(ctx, e.App, e.Recipient, e.Conversation, 1)
	storetest.Refused(t, "write 3", err, storetest.ErrFuse)
	storetest.Refused(t, "write 4", members.Ensure(ctx, row), storetest.ErrFuse)
	_, err = log.Read(ctx, e.App, e.Conversation, 1, 1, true)
	storetest.Refused(t, "a read", err, storetest.ErrFuse)
	if record, err := inner.Record(ctx, e.App, e.Recipient, true); err != nil || record.Version != 0 {
		t.Errorf("the failed write took effect: %+v, %v", record, err)
	}
}
