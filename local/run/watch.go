package run

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long the source has to be left alone before it is built again; an editor or git writes many files.
const quiet = 200 * time.Millisecond

// watch builds again when a source file changes. A build that fails leaves the running binaries as they are.
func (r *Runner) watch(context.Context) error {
	if !r.options.Watch {
		return nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the source: %w", err)
	}
	for _, path := range r.watched() {
		if err := watchTree(watcher, path); err != nil {
			_ = watcher.Close()
			return fmt.Errorf("watch the source: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.rebuildOnChange(ctx, watcher) })
	r.onClose(func() {
		cancel()
		_ = watcher.Close()
		done.Wait()
	})
	return nil
}

// watched are the folders whose files matter: those of the functions and what they share, and the repository's own
// folder for go.mod and the template.
func (r *Runner) watched() []string {
	paths := []string{filepath.Join(r.options.Root, "shared"), filepath.Dir(r.options.Template)}
	for _, f := range r.tpl.Functions {
		paths = append(paths, filepath.Join(r.options.Root, f.Folder))
	}
	return paths
}

// watchTree watches a folder; those under shared/ with everything below, the others alone.
func watchTree(watcher *fsnotify.Watcher, root string) error {
	if filepath.Base(root) != "shared" {
		return watcher.Add(root)
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // the repository has no such folder yet
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		return watcher.Add(path)
	})
}

// rebuildOnChange waits for the source to change and then to be quiet.
func (r *Runner) rebuildOnChange(ctx context.Context, watcher *fsnotify.Watcher) {
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-watcher.Events:
			if event.Has(fsnotify.Create) {
				_ = addFolder(watcher, event.Name)
			}
			if r.matters(event) {
				due = time.After(quiet)
			}
		case <-due:
			due = nil
			r.rebuild(ctx)
		}
	}
}

// addFolder watches a folder that is new.
func addFolder(watcher *fsnotify.Watcher, path string) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(filepath.Base(path), ".") {
		return err
	}
	return watcher.Add(path)
}

func (r *Runner) matters(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod || strings.HasSuffix(event.Name, "_test.go") {
		return false
	}
	if event.Name == r.options.Template {
		r.log.Warn("the template has changed: start the runner again to use its new routes, tables and environment")
		return false
	}
	base := filepath.Base(event.Name)
	return strings.HasSuffix(base, ".go") || base == "go.mod"
}

func (r *Runner) rebuild(ctx context.Context) {
	begun := time.Now()
	if err := build(ctx, r.options, r.tpl.Functions); err != nil {
		if ctx.Err() == nil {
			r.log.Error("the old functions stay")
			fmt.Fprintln(r.options.Log, err)
		}
		return
	}
	r.host.Renew()
	r.log.Info("built again", "took", time.Since(begun).Round(time.Millisecond))
}
