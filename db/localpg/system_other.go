//go:build !unix

package localpg

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// supported rejects systems whose processes and locks differ too much. Nothing below is reached.
func supported() error {
	return errors.New("this system cannot run a PostgreSQL of its own: set DATABASE_URL to a server that runs already")
}

func (a *account) runs(*exec.Cmd) {}

func uidOf(os.FileInfo) int { return -1 }

func tryLock(*os.File) error { return errors.ErrUnsupported }

func giveBack(*os.File) error { return errors.ErrUnsupported }

func alive(int) bool { return false }

func startGuarded(*exec.Cmd) (release func(), err error) { return nil, errors.ErrUnsupported }

const reload = syscall.Signal(0)

func (p *process) freeze() ([]int, error) { return nil, errors.ErrUnsupported }

func (p *process) thaw() error { return errors.ErrUnsupported }

func kill(int) {}

func gone(int) bool { return true }
