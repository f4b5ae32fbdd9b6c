package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// startSweeping deletes expired items every so often, as DynamoDB does by itself within days.
func (e *Engine) startSweeping(every time.Duration, url string) {
	if every <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_ = sweep(ctx, url) // the next tick tries again, and readers filter expired items anyway
			}
		}
	}()
}

// sweepCall is a call of dynoxide's MCP tool; it needs no handshake.
const sweepCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sweep_ttl","arguments":{}}}`

func sweep(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(sweepCall))
	if err != nil {
		return fmt.Errorf("sweep expired items: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("sweep expired items: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("sweep expired items: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("sweep expired items: status %d", response.StatusCode)
	}
	return nil
}
