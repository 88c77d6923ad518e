package localpg

import (
	"os"
	"path/filepath"
	"time"
)

// tempPattern is the name of throwaway servers' folders, by which sweep finds abandoned ones.
const tempPattern = "waybill-pg-*"

// tempRoot returns the parent folder of a throwaway server: in memory if possible, unless TMPDIR is set
// or the server must be durable.
func tempRoot(durable bool) string {
	if memory := memoryFolder(); memory != "" && !durable && os.Getenv("TMPDIR") == "" {
		return memory
	}
	return os.TempDir()
}

// sweep removes the folders of throwaway servers whose process was killed. It is best effort: what it
// cannot remove is left for the next call.
func sweep(root string, as *account) {
	folders, _ := filepath.Glob(filepath.Join(root, tempPattern))
	for _, path := range folders {
		if as.owns(path) {
			sweepOne(&folder{path: path, temp: true})
		}
	}
}

func sweepOne(f *folder) {
	if f.kept() {
		return
	}
	lock, err := os.OpenFile(f.file("lock"), os.O_RDWR, 0)
	if err != nil {
		f.sweepUnlocked()
		return
	}
	defer unlock(lock)
	if tryLock(lock) != nil || f.running() {
		return // its process is alive, or its server is still shutting down
	}
	_ = os.RemoveAll(f.path)
}

// sweepUnlocked removes a folder whose process was killed before it created the lock. A new folder may
// be about to get it.
func (f *folder) sweepUnlocked() {
	if info, err := os.Stat(f.path); err == nil && time.Since(info.ModTime()) > time.Hour {
		_ = os.RemoveAll(f.path)
	}
}
