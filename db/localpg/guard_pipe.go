//go:build unix && (!linux || pipeguard)

package localpg

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
)

// startGuarded starts a program and a shell that waits for the end of this process: then a pipe's last
// writer is closed, even after SIGKILL, and the shell sends SIGINT, for PostgreSQL a fast shutdown.
// (Linux has a better way; the build tag pipeguard tests this one there.)
func startGuarded(cmd *exec.Cmd) (release func(), err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	release, err = watch(cmd)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return release, nil
}

func watch(cmd *exec.Cmd) (release func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	watcher := exec.Command("/bin/sh", "-c", `read _; kill -INT "$0"`, strconv.Itoa(cmd.Process.Pid))
	attr := *cmd.SysProcAttr // the same user, also shielded from Ctrl-C
	watcher.Dir, watcher.SysProcAttr, watcher.Stdin = "/", &attr, read
	if err := watcher.Start(); err != nil {
		write.Close()
		return nil, err
	}
	return func() {
		_ = watcher.Process.Kill() // before the pipe closes: the pid may be reused
		_ = watcher.Wait()
		write.Close()
	}, nil
}
