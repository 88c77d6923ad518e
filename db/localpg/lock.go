package localpg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// lockFile takes the lock on a file, made if it does not exist, and writes this
// process's pid into it. The kernel gives the lock back when the process ends,
// however it ends, so that a pid used again cannot be mistaken for its owner.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		return nil, fmt.Errorf("%s is %w by process %s", filepath.Dir(path), err, ownerOf(f))
	}
	return f, errors.Join(f.Truncate(0), writePID(f))
}

func writePID(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	return err
}

// lockNew makes a lock file that is locked from the first moment it can be
// seen: no sweep finds it unlocked.
func lockNew(path string) (*os.File, error) {
	f, err := lockFile(path + ".new")
	if err != nil {
		return nil, err
	}
	return f, os.Rename(path+".new", path)
}

// unlock gives the lock back and closes the file. To close it would not do: a program
// that another goroutine starts at this moment has the file too, until it is executed.
func unlock(f *os.File) error { return errors.Join(giveBack(f), f.Close()) }

func ownerOf(f *os.File) string {
	text, _ := io.ReadAll(f)
	if pid := strings.TrimSpace(string(text)); pid != "" {
		return pid
	}
	return "that just started"
}
