package bench

import (
	"os/exec"
	"syscall"
)

// guard makes the process end with this one, however it ends, and shields it from the terminal's
// Ctrl-C: it is stopped in order.
func guard(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
