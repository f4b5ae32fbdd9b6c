package run

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/tokenim/tokenim/local/mailbox"
	"github.com/tokenim/tokenim/local/template"
)

// announce makes the key, waits until the API answers, and writes the ready file.
func (r *Runner) announce(ctx context.Context) error {
	address := r.public.Addr().String()
	r.ready = Ready{HTTP: r.url(), Mail: r.url() + mailbox.JSONPath}
	if r.tpl.WebSocket != nil {
		r.ready.WebSocket = "ws://" + address + "/" + r.tpl.WebSocket.Stage
	}
	if r.options.Bootstrap != nil {
		key, err := r.options.Bootstrap(ctx, r.allEnvironment(), r.options.Data)
		if err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
		r.ready.APIKey = key
	}
	if err := r.awaitStatus(ctx); err != nil {
		return err
	}
	r.onClose(func() { _ = removeReady(r.options.Ready) })
	return writeReady(r.options.Ready, r.ready)
}

// awaitStatus asks the route GET /status, where there is one, so that ready means answering.
func (r *Runner) awaitStatus(ctx context.Context) error {
	if r.tpl.HTTP == nil || !hasStatus(r.tpl.HTTP.Routes) {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.ready.HTTP+"/status", nil)
	if err != nil {
		return fmt.Errorf("ask for the status: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for the status: %w", err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // only for the message below
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /status answers %d: %s", response.StatusCode, body)
	}
	return nil
}

func hasStatus(routes []template.Route) bool {
	for _, route := range routes {
		if route.Key() == "GET /status" {
			return true
		}
	}
	return false
}
