package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Problem says what is wrong with a chain. Problems are part of the public API.
type Problem string

// The problems.
const (
	// Edited is a record that is not the one whose hash the next carries, or that the indexes do not lead to.
	Edited Problem = "edited"
	// Missing is a record that was removed.
	Missing Problem = "missing"
	// Reordered is a record that belongs elsewhere: to another place, another chain or another log.
	Reordered Problem = "reordered"
	// HeadMismatch is an end of the chain that is not the end that was written down.
	HeadMismatch Problem = "head_mismatch"
	// Unreadable is a text that is no record.
	Unreadable Problem = "unreadable"
)

// Result is what Verify found of a chain.
type Result struct {
	Chain int
	// Checked is how many records were looked at.
	Checked int
	// Head is the last that is as it was written; a walk that stopped early goes on from there.
	Head Head
	// Done tells whether the walk came to the end of the chain, or to a problem.
	Done bool
	// Problem is what is wrong, "" for nothing, and BrokenAt the ID of the first record that it is about.
	Problem  Problem
	BrokenAt string
}

// verifyPage is how many records are read at once.
const verifyPage = 500

// Verify walks the chain from a head that was found good, or from its beginning for the zero Head, to its end, and looks
// at most records. known are heads that the chain is known to have had: they find what the chain alone cannot tell, that
// its records were written anew together with its head.
func Verify(ctx context.Context, store Store, log Log, chain int, from Head, most int, known ...Head) (Result, error) {
	w := &walk{store: store, log: log, known: known, result: Result{Chain: chain, Head: from}}
	var head Head // of the last look: what it counts was there before the look
	for w.result.Checked < most {
		limit := min(verifyPage, most-w.result.Checked)
		entries, err := store.Chain(ctx, log, chain, w.result.Head.Seq, limit)
		if err != nil {
			return w.result, err
		}
		if !w.all(entries) || len(entries) == 0 && w.short(head) {
			return w.result, nil
		}
		if len(entries) == limit {
			continue
		}
		if head, err = store.Head(ctx, log, chain); err != nil && !errors.Is(err, ErrUnreadable) {
			return w.result, err
		}
		if w.ends(head, err == nil) {
			return w.result, nil
		}
	}
	return w.result, nil
}

// walk is a verification under way.
type walk struct {
	store  Store
	log    Log
	known  []Head
	result Result
}

// broken ends the walk at the record with the number.
func (w *walk) broken(seq int64, problem Problem) bool {
	w.result.Done, w.result.Problem = true, problem
	w.result.BrokenAt = Record{Chain: w.result.Chain, Seq: seq}.ID()
	return false
}

// all takes the entries as the next of the chain, and tells whether they are.
func (w *walk) all(entries []Entry) bool {
	for _, each := range entries {
		if !w.next(each) {
			return false
		}
		w.result.Checked++
	}
	return true
}

func (w *walk) next(e Entry) bool {
	last := w.result.Head
	seq := last.Seq + 1
	switch {
	case e.Place > seq:
		return w.broken(seq, Missing)
	case e.Seq == 0:
		return w.broken(seq, Unreadable)
	case e.Place != seq, e.Log != w.log, e.Chain != w.result.Chain, e.Seq != seq:
		return w.broken(seq, Reordered)
	case e.Previous != last.Hash.String() && w.result.Checked > 0:
		return w.broken(last.Seq, Edited) // it was the next that fitted to what was there before
	case e.Previous != last.Hash.String(), !e.Listed:
		return w.broken(seq, Edited)
	}
	w.result.Head = Head{Seq: seq, Hash: sha256.Sum256([]byte(e.Text))}
	for _, head := range w.known {
		if head.Seq == seq && head != w.result.Head {
			return w.broken(seq, Edited)
		}
	}
	return true
}

// short tells whether the chain has no more records, and yet the head counted some.
func (w *walk) short(head Head) bool {
	return head.Seq > w.result.Head.Seq && !w.broken(w.result.Head.Seq+1, Missing)
}

// ends judges the head at the end of the records, and tells whether the walk is over. A record and its head are written
// together, so a head that was read after the records counts them all, and maybe further ones that were added since.
func (w *walk) ends(head Head, readable bool) bool {
	last := w.result.Head
	switch {
	case readable && head.Seq > last.Seq:
		return false
	case !readable, head != last:
		w.broken(last.Seq, HeadMismatch)
		return true
	}
	for _, each := range w.known {
		if each.Seq > last.Seq {
			w.broken(last.Seq+1, Missing)
			return true
		}
	}
	w.result.Done = true
	return true
}

// VerifyLog verifies the chains of a log, looking at most records: from the position on, "" to begin. next is the position
// to go on at, "" at the end.
func VerifyLog(ctx context.Context, store Store, log Log, position string, most int) (results []Result, next string, err error) {
	chain, from, err := parsePosition(position)
	for ; err == nil && chain < Chains; chain, from = chain+1, (Head{}) {
		if most <= 0 {
			return results, positionOf(chain, from), nil
		}
		var result Result
		if result, err = Verify(ctx, store, log, chain, from, most); err != nil {
			break
		}
		most -= result.Checked
		results = append(results, result)
		if !result.Done {
			return results, positionOf(chain, result.Head), nil
		}
	}
	return results, "", err
}

// positionOf says where a verification goes on: "<chain>:<head>".
func positionOf(chain int, from Head) string { return fmt.Sprintf("%d:%s", chain, from) }

func parsePosition(text string) (chain int, from Head, err error) {
	if text == "" {
		return 0, Head{}, nil
	}
	number, rest, _ := strings.Cut(text, ":")
	if chain, err = strconv.Atoi(number); err == nil {
		from, err = ParseHead(rest)
	}
	return chain, from, err
}

// String writes the head as "<seq>:<hash>".
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads what String wrote.
func ParseHead(text string) (Head, error) {
	number, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 0 {
		return Head{}, fmt.Errorf("%w: %q", ErrUnreadable, text)
	}
	head := Head{Seq: seq}
	if head.Hash, err = ParseHash(hash); err != nil || (seq == 0) != (head.Hash == Hash{}) {
		return Head{}, fmt.Errorf("%w: %q", ErrUnreadable, text)
	}
	return head, nil
}

// ParseHash reads a hash in hex, the zero hash from "".
func ParseHash(text string) (hash Hash, err error) {
	if text == "" {
		return hash, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(hash) {
		return Hash{}, fmt.Errorf("%w: hash %q", ErrUnreadable, text)
	}
	return Hash(raw), nil
}
