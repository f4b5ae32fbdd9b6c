package budget_test

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxZip is the 4 MB of the design, whose KB and MB are powers of two throughout.
const maxZip = 4 << 20

// TestBinariesAreSmall builds every function as it is deployed and weighs its zip.
func TestBinariesAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles every function for arm64")
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags=-s",
		"-o", folder+string(filepath.Separator), "./functions/...")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	binaries, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(binaries) < len(platform.Runner.Template().Functions) {
		t.Fatalf("built %v: %v", binaries, err)
	}
	for _, binary := range binaries {
		size, err := zipped(binary)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f MB zipped", filepath.Base(binary), float64(size)/(1<<20))
		if size > maxZip {
			t.Errorf("%s has %d bytes zipped, the most is %d", filepath.Base(binary), size, maxZip)
		}
	}
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zipped returns the size of a zip with the file alone.
func zipped(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var size counter
	archive := zip.NewWriter(&size)
	entry, err := archive.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return 0, err
	}
	err = archive.Close() // writes what is buffered
	return int64(size), err
}
