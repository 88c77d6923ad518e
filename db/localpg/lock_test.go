//go:build unix

package localpg

import (
	"syscall"
	"testing"
)

// A program that is started while the server stops has all files of this process, for
// the moment before it is executed.
func TestFolderIsFreeOnceItsServerStopped(t *testing.T) {
	t.Parallel()
	o := Options{Dir: usedDir(t)}
	s := startIn(t, o)
	started, err := syscall.Dup(int(s.folder.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(started)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	startIn(t, o)
}
