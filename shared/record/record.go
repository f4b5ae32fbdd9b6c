// Package record keeps what was done: every grant and revocation, every change of a role, a key, an app or a team, every
// login, and every read of an app's data by a developer.
//
// A record is written in the same transaction as the change that it tells of, so there is neither without the other. The
// records of an app, and those of an account, are a log in Chains chains: each record carries the hash of the one before
// it in its chain, and the head of the chain counts them. Whoever edits, removes or reorders one is found by Verify. There
// are several chains so that writers at the same moment are seldom in each other's way.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// Chains is how many chains a log has. It is fixed for good.
const Chains = 16

// Log names a log: that of an app, or that of an account.
type Log string

// OfApp returns the log of the app.
func OfApp(app id.App) Log { return Log(app.String()) }

// OfAccount returns the log of the account.
func OfAccount(account id.Account) Log { return Log(account) }

// Record is what was done. Its JSON is what is hashed, kept and exported: the order of the fields is part of it.
type Record struct {
	// Log, Chain and Seq say where it stands: Seq counts the records of the chain from 1.
	Log   Log   `json:"log"`
	Chain int   `json:"chain"`
	Seq   int64 `json:"seq"`
	// At is when it was done, to the millisecond, in UTC.
	At time.Time `json:"at"`
	// Action is what was done.
	Action Action `json:"action"`
	// Actor is who did it: a key, a developer, a user; "" for TokenIM itself. Source is the address that it came from.
	Actor  string `json:"actor,omitempty"`
	Source string `json:"source,omitempty"`
	// Subject is what or whom it was done to: a key, a user, a role, a developer, an app …
	Subject string `json:"subject,omitempty"`
	// Permissions are those that it is about.
	Permissions []string `json:"permissions,omitempty"`
	// Reason is why, in the words of who did it.
	Reason string `json:"reason,omitempty"`
	// Before and After are what the subject was and became, as far as it was changed; nothing secret.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Previous is the hash of the record before it in the chain, in hex; "" for the first.
	Previous string `json:"previous,omitempty"`
}

// Origin says who does something, from where and why.
type Origin struct {
	Actor  string
	Source netip.Addr
	Reason string
}

// By returns the origin of what the caller does, for the reason.
func By(caller authz.Caller, reason string) Origin {
	return Origin{Actor: caller.By(), Source: caller.Source, Reason: reason}
}

// New returns the record of an action on the subject. before and after are what it was and became, nil for nothing; they
// have to encode as JSON and hold nothing secret.
func New(log Log, at time.Time, origin Origin, action Action, subject string, before, after any) Record {
	record := Record{Log: log, At: at.UTC().Truncate(time.Millisecond), Action: action, Actor: origin.Actor, Subject: subject,
		Reason: origin.Reason, Before: encode(before), After: encode(after)}
	if origin.Source.IsValid() {
		record.Source = origin.Source.String()
	}
	return record
}

// About returns the record with the permissions that it is about.
func (r Record) About(permissions ...string) Record {
	r.Permissions = permissions
	return r
}

func encode(value any) json.RawMessage {
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic("record: " + err.Error()) // a defect of the type; rapid tests of the callers would find it
	}
	return text
}

// ID names the record within its log: "rec_<chain>_<seq>".
func (r Record) ID() string { return fmt.Sprintf("rec_%x_%d", r.Chain, r.Seq) }

// ParseID takes an ID apart; ok is false for any other text.
func ParseID(text string) (chain int, seq int64, ok bool) {
	parts := strings.Split(text, "_")
	if len(parts) != 3 || parts[0] != "rec" || len(parts[1]) != 1 {
		return 0, 0, false
	}
	parsed, err := strconv.ParseInt(parts[1], 16, 8)
	seq, seqErr := strconv.ParseInt(parts[2], 10, 64)
	record := Record{Chain: int(parsed), Seq: seq}
	return int(parsed), seq, err == nil && seqErr == nil && seq > 0 && record.ID() == text
}

// Hash is what the next record of the chain carries.
type Hash [sha256.Size]byte

// String returns the hash in hex, "" for the zero hash: nothing comes before the first record.
func (h Hash) String() string {
	if h == (Hash{}) {
		return ""
	}
	return hex.EncodeToString(h[:])
}

// Head is the end of a chain: how many records it has and the hash of the last. The zero value is an empty chain.
type Head struct {
	Seq  int64
	Hash Hash
}

// Append returns the record as the next of the chain behind the head, the text of it that is kept, and the new head.
func (h Head) Append(record Record, chain int) (placed Record, text string, next Head) {
	record.Chain, record.Seq, record.Previous = chain, h.Seq+1, h.Hash.String()
	encoded := encode(record)
	return record, string(encoded), Head{Seq: record.Seq, Hash: sha256.Sum256(encoded)}
}

// Entry is a record as it is kept.
type Entry struct {
	// Record is what Text says.
	Record
	// Text is the JSON that was hashed.
	Text string
	// Place is the number that it is kept under, and Listed tells whether the indexes lead to it by what it says; both are
	// what Chain found.
	Place  int64
	Listed bool
}

// Decode reads a kept text.
func Decode(text string) (Entry, error) {
	var record Record
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return Entry{}, fmt.Errorf("decode a record: %w", err)
	}
	return Entry{Record: record, Text: text}, nil
}
