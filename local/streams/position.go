package streams

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// positions remembers the last delivered record of every shard, in a file where there is one, so that a restart of the
// runner does not deliver a day's records again. Records may still come twice, as from Lambda.
type positions struct {
	mu   sync.Mutex
	path string
	last map[string]string
}

func readPositions(path string) (*positions, error) {
	p := &positions{path: path, last: map[string]string{}}
	if path == "" {
		return p, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the streams' positions: %w", err)
	}
	if err := json.Unmarshal(text, &p.last); err != nil {
		return nil, fmt.Errorf("read the streams' positions in %s: %w", path, err)
	}
	return p, nil
}

func (p *positions) get(key string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[key]
}

// set keeps a position. One that cannot be written costs a repetition, no more.
func (p *positions) set(key, sequence string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[key] = sequence
	if p.path == "" {
		return
	}
	text, _ := json.Marshal(p.last) // strings always marshal
	if os.WriteFile(p.path+".new", text, 0o600) == nil {
		_ = os.Rename(p.path+".new", p.path)
	}
}
