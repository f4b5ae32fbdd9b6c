package connection_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestDeviceName(t *testing.T) {
	if name := connection.DeviceName("phone", "c1"); name != "phone" || connection.Anonymous(name) {
		t.Errorf("a named device: %q", name)
	}
	if name := connection.DeviceName("", "c1"); name == connection.DeviceName("", "c2") || !connection.Anonymous(name) {
		t.Errorf("a device without a name: %q", name)
	}
}

func TestLive(t *testing.T) {
	now := storetest.Noon()
	later := now.Unix() + 1
	for name, test := range map[string]struct {
		device connection.Device
		want   bool
	}{
		"live":          {connection.Device{Connection: "c", Lease: later, Expires: later}, true},
		"no socket":     {connection.Device{Lease: later, Expires: later}, false},
		"lease over":    {connection.Device{Connection: "c", Lease: now.Unix(), Expires: later}, false},
		"token expired": {connection.Device{Connection: "c", Lease: later, Expires: now.Unix()}, false},
	} {
		if got := test.device.Live(now); got != test.want {
			t.Errorf("%s: Live = %v", name, got)
		}
	}
}

func TestHasOther(t *testing.T) {
	now := storetest.Noon()
	live, over := now.Unix()+1, now.Unix()
	for name, test := range map[string]struct {
		devices    map[string]connection.Device
		connection string
		want       bool
	}{
		"no device":                         {nil, "", false},
		"itself":                            {map[string]connection.Device{"phone": {Connection: "c1", Lease: live}}, "c1", false},
		"one device, sent from no socket":   {map[string]connection.Device{"phone": {Connection: "c1", Lease: live}}, "", true},
		"a named one, offline":              {map[string]connection.Device{"phone": {Lease: over}}, "c1", true},
		"a named one, offline, no socket":   {map[string]connection.Device{"phone": {Lease: over}}, "", true},
		"another":                           {map[string]connection.Device{"phone": {Connection: "c1", Lease: live}, "tablet": {Connection: "c2", Lease: over}}, "c1", true},
		"an anonymous one":                  {map[string]connection.Device{"~c2": {Connection: "c2", Lease: live}}, "c1", true},
		"an anonymous one, lease over":      {map[string]connection.Device{"~c2": {Connection: "c2", Lease: over}}, "c1", false},
		"itself, anonymous":                 {map[string]connection.Device{"~c1": {Connection: "c1", Lease: live}}, "c1", false},
		"only forgotten ones and no socket": {map[string]connection.Device{"~c1": {Connection: "c1", Lease: over}}, "", false},
	} {
		if got := (connection.Record{Devices: test.devices}).HasOther(test.connection, now); got != test.want {
			t.Errorf("%s: HasOther = %v", name, got)
		}
	}
}

func TestSilent(t *testing.T) {
	if got := (connection.Record{}).Silent(); got != "" {
		t.Errorf("Silent of no devices = %q", got)
	}
	devices := map[string]connection.Device{"d": {Lease: 5}, "b": {Lease: 3}, "a": {Lease: 4}, "c": {Lease: 3}}
	for range 20 { // in whatever order the map is walked
		if got := (connection.Record{Devices: devices}).Silent(); got != "b" {
			t.Fatalf("Silent = %q, want b", got)
		}
	}
}

func ring(changes int) connection.Record {
	record := connection.Record{Ring: map[id.Conversation]connection.Change{}}
	for i := range changes {
		record.Version++
		record.Ring[connectiontest.Conversation(i)] = connection.Change{Version: record.Version}
	}
	return record
}

func TestOverflow(t *testing.T) {
	for changes := range connection.RingSize {
		if oldest, floor := ring(changes).Overflow(); oldest != nil || floor != 0 {
			t.Errorf("Overflow of %d = %v, %d", changes, oldest, floor)
		}
	}
	for _, changes := range []int{connection.RingSize, connection.RingSize + 5} { // longer where a Trim has failed
		oldest, floor := ring(changes).Overflow()
		if len(oldest) != changes-connection.RingSize/2 || floor != int64(len(oldest)) {
			t.Errorf("Overflow of %d = %d, floor %d", changes, len(oldest), floor)
		}
		for i, conversation := range oldest {
			if conversation != connectiontest.Conversation(i) {
				t.Errorf("Overflow of %d takes %v", changes, oldest)
			}
		}
	}
}

// model is the whole history of a record: which conversation changed under each version.
type model []id.Conversation

func (m model) changedSince(version int64) []id.Conversation {
	var changed []id.Conversation
	for _, conversation := range m[version:] {
		if !slices.Contains(changed, conversation) {
			changed = append(changed, conversation)
		}
	}
	slices.Sort(changed)
	return changed
}

// Whatever changes in whatever order: what ChangedSince answers is right, and it answers for the last half ring at least.
func TestChangedSinceFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store := connectiontest.NewStore()
		service := &connection.Service{Store: store}
		user := connectiontest.NewSocket("", "c1")
		store.Register(user.App, user.User)
		var history model
		for _, number := range rapid.SliceOfN(rapid.IntRange(0, 24), 0, 60).Draw(r, "changes") {
			history = append(history, connectiontest.Conversation(number))
			if _, err := service.Note(t.Context(), user.App, user.User, history[len(history)-1], 1); err != nil {
				r.Fatal(err)
			}
		}
		record, err := store.Record(t.Context(), user.App, user.User, true)
		if err != nil || record.Version != int64(len(history)) || len(record.Ring) >= connection.RingSize {
			r.Fatalf("record %+v, %v after %d changes", record, err, len(history))
		}
		checkChanges(r, record, history)
	})
}

func checkChanges(r *rapid.T, record connection.Record, history model) {
	for version := range record.Version + 1 {
		changed, complete := record.ChangedSince(version)
		want := history.changedSince(version)
		if !complete && len(want) < connection.RingSize/2 {
			r.Fatalf("%d changes since %d, and not complete", len(want), version)
		}
		if complete && !slices.Equal(changed, want) {
			r.Fatalf("ChangedSince(%d) = %v, want %v", version, changed, want)
		}
	}
	for _, version := range []int64{-1, record.Version + 1} {
		if changed, complete := record.ChangedSince(version); complete || changed != nil {
			r.Fatalf("ChangedSince(%d) of version %d = %v, %v", version, record.Version, changed, complete)
		}
	}
}

// Durations of the design.
func TestConstants(t *testing.T) {
	if connection.Lease != 20*time.Minute || connection.YoungFor != 10*time.Second || connection.MaxDevices != 5 || connection.RingSize != 16 {
		t.Error(fmt.Sprint("lease, young, devices or ring differ from the design: ", connection.Lease, connection.YoungFor))
	}
}
