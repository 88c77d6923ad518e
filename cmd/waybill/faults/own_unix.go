//go:build unix

package faults

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// own gives a folder to the owner of another.
func own(path string, like fs.FileInfo) error {
	owner := like.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

// serverUser returns the user of PostgreSQL's servers, which refuse to run as root; nil for this process's own.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// ownByServer gives a file to that user.
func ownByServer(path string) error {
	u, err := serverUser()
	if err != nil || u == nil {
		return err
	}
	return os.Chown(path, int(u.Uid), int(u.Gid))
}

// runAsServer has a program run as that user.
func runAsServer(cmd *exec.Cmd) error {
	u, err := serverUser()
	cmd.SysProcAttr = endWithThis(&syscall.SysProcAttr{Credential: u})
	return err
}

func killProcess(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != syscall.ESRCH {
		return err
	}
	return nil
}
