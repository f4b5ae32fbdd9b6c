// Command bench prints what TokenIM costs and how fast it is on this machine, in Markdown: the budget table as it is
// measured, the time from a send to the receiver's socket and the messages a second through the laptop runner, what
// fifty writers in one conversation cost, and how a message comes to the thousands of a large group. It takes some minutes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tokenim/tokenim/tests/budget"
)

// limit bounds the whole run; a cold build of the functions is within it.
const limit = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := measure(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "tokenim-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	fmt.Printf("# TokenIM, measured\n\nOn %s/%s with %d cores, through the laptop runner. Counts are the same on every machine, times are not.\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if err := counted(ctx, folder); err != nil {
		return err
	}
	return timed(ctx, folder)
}

// counted prints what is counted.
func counted(ctx context.Context, folder string) error {
	platform, err := budget.Start(ctx, budget.Options{Root: ".", Folder: folder, Memory: true, Meter: true})
	if err != nil {
		return err
	}
	defer platform.Close()
	if err := printBudgets(ctx, platform); err != nil {
		return err
	}
	if err := printContention(ctx, platform); err != nil {
		return err
	}
	return printFanOut(ctx, platform)
}

// timed prints what is timed: with the data on disk, and without a counter in the way.
func timed(ctx context.Context, folder string) error {
	platform, err := budget.Start(ctx, budget.Options{Root: ".", Folder: folder})
	if err != nil {
		return err
	}
	defer platform.Close()
	if err := printLatency(ctx, platform); err != nil {
		return err
	}
	if err := printStartup(ctx, platform.Runner, filepath.Join(folder, "bin")); err != nil {
		return err
	}
	return printCrowd(ctx, platform)
}
