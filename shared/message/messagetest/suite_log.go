package messagetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// RunLog checks that a store keeps the contract of message.Log.
func RunLog(t *testing.T, log message.Log) {
	t.Run("Append and Read keep every field", func(t *testing.T) { runKeeps(t, log) })
	t.Run("Append takes a sequence once", func(t *testing.T) { runTaken(t, log) })
	t.Run("Append leaves gaps to its caller", func(t *testing.T) { runGap(t, log) })
	t.Run("Read and ReadBack page", func(t *testing.T) { runPages(t, log) })
	t.Run("a full page of full messages fits", func(t *testing.T) { runFullPage(t, log) })
	t.Run("logs are apart", func(t *testing.T) { runLogsApart(t, log) })
}

// NewEntry returns an entry between two new users of a new app, with every field set.
func NewEntry() message.Entry {
	ids := id.Source{}
	app, sender, recipient := ids.App(), ids.User(), ids.User()
	return message.Entry{App: app, Conversation: id.Pair(app, sender, recipient), Sequence: 1, Sender: sender,
		Recipient: recipient, Type: message.TypeText, Sealed: []byte{1, 0, 255, 'x'}, ClientID: "client-1 é",
		SentAt: storetest.Noon(), ToLower: 3, ToUpper: 4, Hidden: true, Rich: true}
}

// At returns the entry at another sequence of its log.
func At(entry message.Entry, sequence int64) message.Entry {
	entry.Sequence = sequence
	entry.SentAt = entry.SentAt.Add(time.Duration(sequence) * time.Second)
	return entry
}

func appendAll(t *testing.T, log message.Log, entries ...message.Entry) {
	t.Helper()
	for _, entry := range entries {
		storetest.OK(t, fmt.Sprint("Append ", entry.Sequence), log.Append(t.Context(), entry))
	}
}

func read(t *testing.T, log message.Log, of message.Entry, from int64, limit int) []message.Entry {
	t.Helper()
	entries, err := log.Read(t.Context(), of.App, of.Conversation, from, limit, true)
	storetest.OK(t, "Read", err)
	return entries
}

func readBack(t *testing.T, log message.Log, of message.Entry, to int64, limit int) []message.Entry {
	t.Helper()
	entries, err := log.ReadBack(t.Context(), of.App, of.Conversation, to, limit, true)
	storetest.OK(t, "ReadBack", err)
	return entries
}

func sequences(entries []message.Entry) []int64 {
	numbers := []int64{}
	for _, entry := range entries {
		numbers = append(numbers, entry.Sequence)
	}
	return numbers
}

func wantEntries(t *testing.T, doing string, got []message.Entry, want ...message.Entry) {
	t.Helper()
	if len(got) == len(want) && (len(got) == 0 || reflect.DeepEqual(got, want)) {
		return
	}
	t.Fatalf("%s = %+v\nwant %+v", doing, got, want)
}

func runKeeps(t *testing.T, log message.Log) {
	full := NewEntry()
	wantEntries(t, "Read of an empty log", read(t, log, full, 1, 10))
	wantEntries(t, "ReadBack of an empty log", readBack(t, log, full, 0, 10))
	bare := At(full, 2)
	bare.ClientID, bare.ToLower, bare.ToUpper, bare.Rich = "", 0, 0, false
	appendAll(t, log, full, bare)
	wantEntries(t, "Read", read(t, log, full, 1, 10), full, bare)
	wantEntries(t, "ReadBack", readBack(t, log, full, 0, 10), bare, full)
}

func runTaken(t *testing.T, log message.Log) {
	base := NewEntry()
	entries := make([]message.Entry, storetest.Racers)
	for i := range entries {
		entries[i] = base
		entries[i].Sealed, entries[i].ClientID = []byte{byte(i)}, fmt.Sprint("client-", i)
	}
	winner := storetest.OneWins(t, len(entries), message.ErrTaken, func(i int) error {
		return log.Append(t.Context(), entries[i])
	})
	storetest.OK(t, "Append of the same ciphertext again", log.Append(t.Context(), entries[winner]))
	wantEntries(t, "Read", read(t, log, base, 1, 10), entries[winner])
}

func runGap(t *testing.T, log message.Log) {
	base := NewEntry()
	third := At(base, 3)
	appendAll(t, log, third)
	wantEntries(t, "Read", read(t, log, base, 1, 10), third)
	appendAll(t, log, base)
	wantEntries(t, "Read", read(t, log, base, 1, 10), base, third)
}

func runPages(t *testing.T, log message.Log) {
	base := NewEntry()
	var up []int64
	for sequence := int64(1); sequence <= 12; sequence++ { // beyond 9: numbers have to sort as numbers
		appendAll(t, log, At(base, sequence))
		up = append(up, sequence)
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	for limit := 1; limit <= 13; limit++ {
		for at := int64(1); at <= 13; at++ {
			wantNumbers(t, "Read", read(t, log, base, at, limit), head(up[min(at-1, 12):], limit))
			wantNumbers(t, "ReadBack", readBack(t, log, base, at, limit), head(down[max(0, 12-at):], limit))
		}
		wantNumbers(t, "Read from 0", read(t, log, base, 0, limit), head(up, limit))
		wantNumbers(t, "ReadBack from the end", readBack(t, log, base, 0, limit), head(down, limit))
	}
}

func head(numbers []int64, limit int) []int64 { return numbers[:min(limit, len(numbers))] }

func wantNumbers(t *testing.T, doing string, got []message.Entry, want []int64) {
	t.Helper()
	if !slices.Equal(sequences(got), want) {
		t.Fatalf("%s = %v, want %v", doing, sequences(got), want)
	}
}

// runFullPage checks that the largest page arrives whole: DynamoDB cuts a page at 1 MB.
func runFullPage(t *testing.T, log message.Log) {
	base := NewEntry()
	base.Sealed, base.ClientID = make([]byte, message.MaxTextBytes+33), string(make([]byte, message.MaxClientIDBytes))
	const most = message.PageSize + 2
	for _, err := range storetest.AtOnce(most, func(i int) error { return log.Append(t.Context(), At(base, int64(i+1))) }) {
		storetest.OK(t, "Append", err)
	}
	if got := read(t, log, base, 1, most); len(got) != most {
		t.Errorf("Read returned %d entries, want %d", len(got), most)
	}
	if got := readBack(t, log, base, 0, most); len(got) != most {
		t.Errorf("ReadBack returned %d entries, want %d", len(got), most)
	}
}

func runLogsApart(t *testing.T, log message.Log) {
	mine := NewEntry()
	otherApp, otherConversation := mine, mine
	otherApp.App = id.Source{}.App()
	otherConversation.Conversation = id.Pair(mine.App, mine.Sender, id.Source{}.User())
	appendAll(t, log, mine)
	for _, other := range []message.Entry{otherApp, otherConversation} {
		wantEntries(t, "Read of another log", read(t, log, other, 1, 10))
		wantEntries(t, "ReadBack of another log", readBack(t, log, other, 0, 10))
		appendAll(t, log, other)
		wantEntries(t, "Read", read(t, log, other, 1, 10), other)
	}
	wantEntries(t, "Read", read(t, log, mine, 1, 10), mine)
}
