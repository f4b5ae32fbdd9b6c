package lambda_test

import (
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// On Linux the kernel ends a function when the runner dies. Elsewhere this has to be enough: a process that waits for
// work ends by itself when its Runtime API is gone.
func TestAProcessEndsWhenItsRuntimeAPIIsGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})}
	go func() { _ = server.Serve(listener) }()
	cmd := exec.Command(probe)
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	_ = server.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("the process outlives its Runtime API")
	}
}
