package bench

import (
	"os/exec"
	"syscall"
)

// guard has the process end with this one, whatever ends it, and keeps the terminal's
// Ctrl-C from it: it is stopped in its turn.
func guard(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
