package run

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Ready says where a running runner is. ready.json holds it while the runner runs.
type Ready struct {
	HTTP      string `json:"http"`      // base URL of the HTTP API
	WebSocket string `json:"websocket"` // URL of the WebSocket API
	APIKey    string `json:"api_key"`   // from the bootstrap; empty without one
	Mail      string `json:"mail"`      // URL of the mails as JSON, see mailbox.Pages
}

// writeReady writes the file in one step. It holds a key, so it is for the user's eyes only.
func writeReady(path string, ready Ready) error {
	text, err := json.Marshal(ready)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := writePrivate(path, append(text, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writePrivate(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".writing-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// removeReady removes what an earlier runner may have left.
func removeReady(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale file: %w", err)
	}
	return nil
}

// masterKey returns the path of the file with the master key (32 bytes in hex), which it makes when it is not there.
func masterKey(data string) (string, error) {
	path := filepath.Join(data, "master.key")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	if err := writePrivate(path, []byte(hex.EncodeToString(key[:])+"\n")); err != nil {
		return "", fmt.Errorf("make the master key: %w", err)
	}
	return path, nil
}

// lock takes a data folder for this process. The system gives it back however the process ends.
func lock(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("the data in %s is in use by another runner", data)
	}
	return file, nil
}
