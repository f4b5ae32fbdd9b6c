// Package mailbox stands in for Amazon SES on a laptop: it takes mails by SES's API v2 and shows them in place of sending
// them.
//
//	box, err := mailbox.Open(".local/data/mail.jsonl")
//	defer box.Close()
//	http.HandleFunc("POST /v2/email/outbound-emails", box.ServeSES)
//	http.Handle("/_local/", box.Pages())
package mailbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kept is how many mails a box keeps: the newest.
const Kept = 1000

// Mail is one mail as it was sent.
type Mail struct {
	ID      string    `json:"id"`
	To      string    `json:"to"` // the one recipient's bare address
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	SentAt  time.Time `json:"sent_at"`
}

// Box keeps mails, in memory and in a file. Its methods may be called at the same time.
type Box struct {
	path  string
	fails atomic.Int64 // requests that are still to fail on purpose

	mu    sync.Mutex
	mails []Mail   // oldest first
	file  *os.File // nil without a path; mails are appended, one a line
	lines int      // in the file
}

// Open returns a box with the mails that an earlier one has kept in the file. Without a path it keeps them in memory only.
func Open(path string) (*Box, error) {
	b := &Box{path: path}
	if path == "" {
		return b, nil
	}
	mails, err := read(path)
	if err != nil {
		return nil, err
	}
	b.mails = newest(mails)
	if err := b.rewrite(); err != nil {
		return nil, err
	}
	return b, nil
}

// Close lets go of the file. Later mails are refused.
func (b *Box) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		_ = b.file.Close() // every mail was written when it came
	}
}

// FailNext makes the next n requests fail as SES's do beyond the sending rate.
func (b *Box) FailNext(n int) { b.fails.Add(int64(n)) }

// failing tells whether a request is to fail.
func (b *Box) failing() bool {
	if b.fails.Add(-1) >= 0 {
		return true
	}
	b.fails.Add(1)
	return false
}

// Mails returns the mails to an address, or all where it is empty, oldest first. Upper and lower case are the same.
func (b *Box) Mails(to string) []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := make([]Mail, 0, len(b.mails))
	for _, mail := range b.mails {
		if to == "" || strings.EqualFold(mail.To, to) {
			found = append(found, mail)
		}
	}
	return found
}

// Clear forgets every mail.
func (b *Box) Clear() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = nil
	return b.rewrite()
}

// add keeps a mail, and has it in the file when it returns.
func (b *Box) add(mail Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.write(mail); err != nil {
		return fmt.Errorf("keep a mail: %w", err)
	}
	b.mails = newest(append(b.mails, mail))
	if b.lines > 2*Kept {
		return b.rewrite()
	}
	return nil
}

func newest(mails []Mail) []Mail {
	if extra := len(mails) - Kept; extra > 0 {
		return slices.Delete(mails, 0, extra)
	}
	return mails
}
