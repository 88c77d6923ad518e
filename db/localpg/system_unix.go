//go:build unix

package localpg

import (
	"os"
	"os/exec"
	"syscall"
)

func supported() error { return nil }

// runs makes a command run as the account, and shields it from the terminal's Ctrl-C, which would stop
// the server before the program that uses it.
func (a *account) runs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

func uidOf(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// tryLock returns ErrInUse if another process, or this one, holds the file's lock.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return ErrInUse
	}
	return err
}

func giveBack(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}
