package localpg

import (
	"os"
	"path/filepath"
	"time"
)

// tempPattern names the folders of throwaway servers, so that sweep finds those left behind.
const tempPattern = "waybill-pg-*"

// tempRoot is where the folder of a throwaway server goes: into memory if
// possible, unless TMPDIR says otherwise, or the server is to be as slow as a
// durable one really is.
func tempRoot(durable bool) string {
	if memory := memoryFolder(); memory != "" && !durable && os.Getenv("TMPDIR") == "" {
		return memory
	}
	return os.TempDir()
}

// sweep removes the folders of throwaway servers whose process was killed
// before it could. It is best effort: what it cannot remove stays for the next one.
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
		return // its process lives, or its server is still about to end
	}
	_ = os.RemoveAll(f.path)
}

// sweepUnlocked removes a folder whose process was killed before it made the
// lock. A young one may be just about to get it.
func (f *folder) sweepUnlocked() {
	if info, err := os.Stat(f.path); err == nil && time.Since(info.ModTime()) > time.Hour {
		_ = os.RemoveAll(f.path)
	}
}
