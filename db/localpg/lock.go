package localpg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// lockFile locks a file, created if necessary, and writes this process's pid into it. The kernel
// releases the lock when the process ends in any way, so that a reused pid cannot be mistaken for its
// owner.
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

// lockNew creates a lock file that is locked from the moment it becomes visible: no sweep finds it
// unlocked.
func lockNew(path string) (*os.File, error) {
	f, err := lockFile(path + ".new")
	if err != nil {
		return nil, err
	}
	return f, os.Rename(path+".new", path)
}

// unlock releases the lock and closes the file. Closing alone is not enough: a program that another
// goroutine is starting holds the file too, until it is executed.
func unlock(f *os.File) error { return errors.Join(giveBack(f), f.Close()) }

func ownerOf(f *os.File) string {
	text, _ := io.ReadAll(f)
	if pid := strings.TrimSpace(string(text)); pid != "" {
		return pid
	}
	return "that just started"
}
