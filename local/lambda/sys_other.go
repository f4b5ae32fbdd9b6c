//go:build !linux

package lambda

import "syscall"

// dieWithParent keeps Ctrl-C away from the process: the runner ends it. When the runner dies, a process ends as soon as
// it waits for work or answers, because its connection to the Runtime API breaks.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
