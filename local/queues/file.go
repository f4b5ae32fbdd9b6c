package queues

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// rewriteAbove is the size in bytes below which the file is left to grow.
const rewriteAbove = 8 << 20

// entry is one line of the file: what happened to a message of a queue. One of the members below Queue is set.
type entry struct {
	Queue    string    `json:"queue"`
	Put      *message  `json:"put,omitempty"`
	Received *receipt  `json:"received,omitempty"`
	Gone     string    `json:"gone,omitempty"` // the message's ID
	Known    *identity `json:"known,omitempty"`
}

type receipt struct {
	ID       string    `json:"id"`
	Receives int       `json:"receives"`
	First    time.Time `json:"first"`
}

// journal is the file. Without a path it keeps nothing.
type journal struct {
	path    string
	file    *os.File
	written int // bytes
	kept    int // bytes after the last rewrite
}

// openJournal reads the file at path, where there is one. It cannot be written before rewrite.
func openJournal(path string) (*journal, []entry, error) {
	j := &journal{path: path}
	if path == "" {
		return j, nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the queues: %w", err)
	}
	entries, err := parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read the queues in %s: %w", path, err)
	}
	return j, entries, nil
}

// parse reads entries. A last line without its end was being written when the program was killed: nobody was told that its
// message is sent.
func parse(text []byte) (entries []entry, err error) {
	for line := range bytes.Lines(text) {
		if line[len(line)-1] != '\n' {
			break
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// append writes one entry.
func (j *journal) append(e entry) error {
	if j.path == "" {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := j.file.Write(append(line, '\n'))
	j.written += n
	return err
}

// large tells whether most of the file is of the past.
func (j *journal) large() bool { return j.written > 2*j.kept+rewriteAbove }

// rewrite replaces the file. Messages have what functions tell each other, so it is for its owner's eyes.
func (j *journal) rewrite(entries []entry) error {
	if j.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(j.path), ".queues-") // 0600
	if err != nil {
		return err
	}
	next := &journal{path: j.path, file: file}
	for _, e := range entries {
		if err == nil {
			err = next.append(e)
		}
	}
	if err == nil {
		err = os.Rename(file.Name(), j.path)
	}
	if err != nil {
		next.close()
		_ = os.Remove(file.Name()) // the old file stays
		return err
	}
	j.close()
	j.file, j.written, j.kept = file, next.written, next.written
	return nil
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close() // every entry was written when it came
	}
}
