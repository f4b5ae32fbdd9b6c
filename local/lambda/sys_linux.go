package lambda

import "syscall"

// dieWithParent has the kernel kill the process when the runner dies, even in the middle of an invocation. A process
// that waits for work ends by itself on every system, as its connection to the Runtime API breaks. The group of its own
// keeps Ctrl-C away from it: the runner ends it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
