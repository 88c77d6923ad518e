//go:build unix

package faults

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a folder to the owner of another.
func own(path string, like fs.FileInfo) error {
	owner := like.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
