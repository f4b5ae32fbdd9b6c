package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tokenim/tokenim/shared/record"
)

// heads are the ends that chains are known to have had, by chain: "<log>#<chain in hex>".
type heads map[string]record.Head

func keyOf(log record.Log, chain int) string { return fmt.Sprintf("%s#%x", log, chain) }

// set takes the head of a chain that has records.
func (h heads) set(log record.Log, chain int, head record.Head) {
	if head != (record.Head{}) {
		h[keyOf(log, chain)] = head
	}
}

// readHeads reads a file of heads. One that does not exist, or has no name, has none.
func readHeads(path string) (heads, error) {
	known := heads{}
	if path == "" {
		return known, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	var lines map[string]string
	if err := json.Unmarshal(text, &lines); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for key, line := range lines {
		if known[key], err = record.ParseHead(line); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, key, err)
		}
	}
	return known, nil
}

// writeHeads writes a file of heads in place of the one that is there, whole or not at all.
func writeHeads(path string, known heads) error {
	if path == "" {
		return nil
	}
	lines := map[string]string{}
	for key, head := range known {
		lines[key] = head.String()
	}
	text, err := json.MarshalIndent(lines, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // it is gone once it has been renamed
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
