//go:build unix

package programs

import (
	"os/exec"
	"syscall"
)

// together has a command that is given up end with what it has started: a shell alone would leave its programs, and
// these hold its output open.
func together(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
}
