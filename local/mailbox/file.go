package mailbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// read returns the mails of a file, oldest first. A last line without its end was being written when the program was
// killed: nobody was told that its mail is sent.
func read(path string) ([]Mail, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the mails: %w", err)
	}
	var mails []Mail
	for line := range bytes.Lines(text) {
		if line[len(line)-1] != '\n' {
			break
		}
		var mail Mail
		if err := json.Unmarshal(line, &mail); err != nil {
			return nil, fmt.Errorf("read the mails in %s: %w", path, err)
		}
		mails = append(mails, mail)
	}
	return mails, nil
}

// write appends a mail to the file. b.mu is held.
func (b *Box) write(mail Mail) error {
	if b.file == nil {
		return nil
	}
	line, err := json.Marshal(mail)
	if err != nil {
		return err
	}
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		return err
	}
	b.lines++
	return nil
}

// rewrite replaces the file by one with the kept mails only. Mails have links that log in, so it is for its owner's eyes.
// b.mu is held, or b is not yet shared.
func (b *Box) rewrite() error {
	if b.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("keep the mails: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(b.path), ".mail-") // 0600
	if err != nil {
		return fmt.Errorf("keep the mails: %w", err)
	}
	if b.file != nil {
		_ = b.file.Close() // it is replaced
	}
	b.file, b.lines = file, 0
	for _, mail := range b.mails {
		if err := b.write(mail); err != nil {
			return fmt.Errorf("keep the mails: %w", err)
		}
	}
	if err := os.Rename(file.Name(), b.path); err != nil {
		return fmt.Errorf("keep the mails: %w", err)
	}
	return nil
}
