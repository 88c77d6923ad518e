package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is the maximum length of a Unix socket's path in bytes: 103 on macOS, 107 on Linux.
const maxSocketPath = 103

// folder is the place of one server. This process holds its lock.
//
//	data/           PostgreSQL's data folder
//	run/            the unix socket; elsewhere if the path were too long
//	log             the server's log, of this start only
//	passwords.json  what the roles log in with over TCP
//	lock            locked by the process that owns the server, and its pid
//	keep            marks a throwaway folder that nobody may remove
type folder struct {
	path   string
	socket string // the folder of the Unix socket
	temp   bool
	lock   *os.File
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }
func (f *folder) data() string            { return f.file("data") }
func (f *folder) log() string             { return f.file("log") }

// openFolder creates the folder that the options ask for, if necessary, and locks it.
func openFolder(o Options, as *account) (f *folder, err error) {
	if o.Dir == "" {
		f, err = claimTemp(tempRoot(o.Durable), as)
	} else {
		f, err = claim(o.Dir)
	}
	if err != nil {
		return nil, err
	}
	if err := f.prepare(as); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func claimTemp(root string, as *account) (*folder, error) {
	sweep(root, as)
	path, err := os.MkdirTemp(root, tempPattern)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, temp: true}
	f.lock, err = lockNew(f.file("lock"))
	return f, err
}

func claim(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path,
		0o755); err != nil { // prepare restricts it; its parents must be accessible to the server's user
		return nil, err
	}
	f := &folder{path: path}
	if err := f.mustBeOurs(); err != nil {
		return nil, err
	}
	f.lock, err = lockFile(f.file("lock"))
	return f, err
}

// mustBeOurs rejects a folder with other content: its owner and mode will change, which would harm, for
// example, a home folder.
func (f *folder) mustBeOurs() error {
	entries, err := os.ReadDir(f.path)
	if err != nil || len(entries) == 0 {
		return err
	}
	if _, err := os.Stat(f.file("lock")); err != nil {
		return fmt.Errorf("%s has other files in it: choose an empty or a new folder for the data", f.path)
	}
	return nil
}

// prepare changes the folder's owner to the server's user and creates the socket's folder.
func (f *folder) prepare(as *account) (err error) {
	if err = as.own(f.path, 0o700); err != nil {
		return err
	}
	if err = as.canEnter(f.path); err != nil {
		return err
	}
	f.socket = f.file("run")
	if len(f.socket)+len("/.s.PGSQL.65535") > maxSocketPath {
		if f.socket, err = os.MkdirTemp("/tmp", "waybill-run-*"); err != nil {
			return err
		}
	} else if err = os.MkdirAll(f.socket, 0o700); err != nil {
		return err
	}
	return as.own(f.socket, 0o700)
}

// major returns the major version of the PostgreSQL that created the data, 0 without data.
func (f *folder) major() int {
	text, err := os.ReadFile(filepath.Join(f.data(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return major
}

func (f *folder) kept() bool {
	_, err := os.Stat(f.file("keep"))
	return !f.temp || err == nil
}

// close removes temporary data and releases the lock.
func (f *folder) close() error {
	var errs []error
	if !f.kept() {
		errs = append(errs, os.RemoveAll(f.path))
	}
	if f.socket != "" && f.socket != f.file("run") && !(f.temp && f.kept()) {
		errs = append(errs, os.RemoveAll(f.socket))
	}
	if f.lock != nil {
		errs = append(errs, unlock(f.lock))
	}
	return errors.Join(errs...)
}
