package localpg

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is the user that runs the server; nil means this process's own.
type account struct {
	name     string
	uid, gid int
}

// serverAccount selects another user if this process runs as root.
func serverAccount() (*account, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres or nobody: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return &account{name: u.Username, uid: uid, gid: gid}, err
}

// own changes the owner of a file or folder to the server's user.
func (a *account) own(path string, mode os.FileMode) error {
	if err := os.Chmod(path, mode); err != nil || a == nil {
		return err
	}
	return os.Chown(path, a.uid, a.gid)
}

// chown changes the owner of everything in a folder to the server's user.
func (a *account) chown(folder *os.Root, name string) error {
	if a == nil {
		return nil
	}
	return folder.Chown(name, a.uid, a.gid)
}

// owns reports whether this process or its servers created the path.
func (a *account) owns(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	uid := uidOf(info)
	return uid == os.Geteuid() || a != nil && uid == a.uid
}

// canEnter checks what root does not notice: whether the server's user can traverse all parent folders.
func (a *account) canEnter(path string) error {
	if a == nil {
		return nil
	}
	cmd := exec.Command("/bin/sh", "-c", `cd -- "$1"`, "sh", path)
	cmd.Dir = "/"
	a.runs(cmd)
	if cmd.Run() != nil {
		return fmt.Errorf("PostgreSQL runs as user %s, who cannot enter %s: choose another folder for the data",
			a.name, path)
	}
	return nil
}

// DefaultDir returns the folder for persistent data: in the user's cache folder, or in /var/cache for
// root, whose own folders the server's user cannot enter. It returns an error if the user has no home.
func DefaultDir() (string, error) { return cacheDir("postgres") }

func cacheDir(name string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/cache/waybill", name), nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "waybill", name), err
}
