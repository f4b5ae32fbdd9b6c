package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/tokenim/tokenim/local/template"
)

// build compiles every function of the template for this machine, with the flags that the deployed build uses too, and
// puts each at <binaries>/<folder's name>/bootstrap in one step, so that a running process keeps its own file.
func build(ctx context.Context, o Options, functions []*template.Function) error {
	if len(functions) == 0 {
		return nil
	}
	if err := checkNames(functions); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Binaries, 0o750); err != nil {
		return fmt.Errorf("build the functions: %w", err)
	}
	staging, err := os.MkdirTemp(o.Binaries, ".build-")
	if err != nil {
		return fmt.Errorf("build the functions: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := compile(ctx, o.Root, staging, functions); err != nil {
		return err
	}
	for _, f := range functions {
		target := binary(o, f)
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return fmt.Errorf("build function %s: %w", f.Name, err)
		}
		if err := os.Rename(filepath.Join(staging, filepath.Base(f.Folder)), target); err != nil {
			return fmt.Errorf("build function %s: %w", f.Name, err)
		}
	}
	return nil
}

// compile runs one `go build` for all functions.
func compile(ctx context.Context, root, staging string, functions []*template.Function) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags=-s", "-o", staging + string(filepath.Separator)}
	for _, f := range functions {
		args = append(args, "./"+f.Folder)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("go is not installed, or not on the PATH: the functions cannot be built")
	}
	if err != nil {
		return fmt.Errorf("build the functions: %w\n%s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// binary is where a function's program lies.
func binary(o Options, f *template.Function) string {
	return filepath.Join(o.Binaries, filepath.Base(f.Folder), "bootstrap")
}

// checkNames refuses two folders of the same name, which one `go build` would write over each other.
func checkNames(functions []*template.Function) error {
	seen := map[string]string{}
	for _, f := range functions {
		name := filepath.Base(f.Folder)
		if other, taken := seen[name]; taken {
			return fmt.Errorf("functions %s and %s both come from a folder named %s", other, f.Name, name)
		}
		seen[name] = f.Name
	}
	return nil
}
