//go:build linux && !pipeguard

package localpg

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startGuarded starts a program to which the kernel sends SIGINT when this process ends, even by
// SIGKILL: for PostgreSQL a fast shutdown. The kernel watches the thread, so the goroutine must stay on
// it until release.
func startGuarded(cmd *exec.Cmd) (release func(), err error) {
	runtime.LockOSThread()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	return runtime.UnlockOSThread, cmd.Start()
}
