//go:build unix

package localpg

import (
	"fmt"
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

// reload makes PostgreSQL read its settings again.
const reload = syscall.SIGHUP

// freeze stops the process and its children, and returns the pids of all.
func (p *process) freeze() (family []int, err error) {
	for { // until it has started no more
		before := len(family)
		if family, err = p.signalFamily(syscall.SIGSTOP); err != nil || len(family) == before {
			return family, err
		}
	}
}

// thaw lets the process and its children go on.
func (p *process) thaw() error {
	_, err := p.signalFamily(syscall.SIGCONT)
	return err
}

// signalFamily sends a signal to the process, then to its children, and returns the pids of all.
func (p *process) signalFamily(signal syscall.Signal) ([]int, error) {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	pid := p.cmd.Process.Pid
	children, err := childrenOf(pid)
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	for _, child := range children {
		_ = syscall.Kill(child, signal) // fails if it has ended
	}
	return append(children, pid), nil
}

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) } // fails if it has ended
