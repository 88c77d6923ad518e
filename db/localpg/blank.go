package localpg

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// blank is an archive of a fresh data folder in the user's cache folder: unpacking it takes a seventh
// of initdb's time. All copies share one system identifier, which matters only for replication.
//
// The file is complete or absent, whenever the process or the machine dies. Without a cache folder
// initdb runs instead.
type blank struct{ path string }

// blankOf returns the archive for everything that initdb depends on, except the machine's memory.
func blankOf(p programs, cache string) blank {
	zone, _ := os.Readlink("/etc/localtime")
	built := "" // development versions change their catalogs without changing their name
	if info, err := os.Stat(p.path("postgres")); err == nil {
		built = info.ModTime().String()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{p.version, p.dir, built, os.Getenv("TZ"), zone, initdbOptions}))
	return blank{filepath.Join(cache, "initdb-"+hex.EncodeToString(sum[:6])+".tar")}
}

// unpack creates the folder like initdb.
func (b blank) unpack(dir string, as *account) (err error) {
	file, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := makeDir(dir, as); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := tar.NewReader(bufio.NewReaderSize(file, 1<<18))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, header.FileInfo().Mode(), header.Name, archive, as); err != nil {
			return err
		}
	}
}

func makeDir(dir string, as *account) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return as.own(dir, 0o700)
}

func unpackOne(root *os.Root, mode fs.FileMode, name string, content io.Reader, as *account) error {
	if mode.IsDir() {
		if err := root.Mkdir(name, mode.Perm()); err != nil {
			return err
		}
		return as.chown(root, name)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), as.chown(root, name))
}

// pack archives what initdb has just created. If several processes do so, the last one's stays.
func (b blank) pack(dir string) (err error) {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o755); err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(b.path), filepath.Base(b.path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, part.Close()); err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	archive := tar.NewWriter(part)
	if err := errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), part.Sync()); err != nil {
		return err
	}
	return os.Rename(part.Name(), b.path)
}
