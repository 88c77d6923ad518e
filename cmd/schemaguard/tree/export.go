package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Export writes all files of a commit that are below root to a folder.
func Export(ctx context.Context, root, commit, folder string) error {
	archive, err := output(ctx, root, "archive", "--format=tar", commit)
	if err != nil {
		return err
	}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = extract(folder, h, r)
		}
		if err != nil {
			return err
		}
	}
}

func extract(folder string, h *tar.Header, from io.Reader) error {
	name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
	if h.Typeflag == tar.TypeXGlobalHeader || !filepath.IsLocal(name) {
		return nil
	}
	name = filepath.Join(folder, name)
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return write(name, from, os.FileMode(h.Mode).Perm())
	}
	return nil
}

func write(name string, from io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// Copy writes the files of the working tree below root to a folder: those that git knows, and those that it does
// not ignore.
func Copy(ctx context.Context, root, folder string) error {
	out, err := output(ctx, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name == "" {
			continue
		}
		if err := copyFile(root, folder, filepath.FromSlash(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file; one that was deleted is [os.ErrNotExist].
func copyFile(root, folder, name string) error {
	from := filepath.Join(root, name)
	info, err := os.Lstat(from)
	if err != nil || info.IsDir() { // a submodule
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755),
			os.Symlink(target, filepath.Join(folder, name)))
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(filepath.Join(folder, name), f, info.Mode().Perm())
}

// Replace replaces the files of a folder that are below one of the paths, or are one of them, by those of another
// folder. Those below one of keep stay as they are.
func Replace(folder, by string, paths, keep []string) error {
	for _, p := range paths {
		if !filepath.IsLocal(filepath.FromSlash(p)) {
			return fmt.Errorf("%s is no path inside the project", p)
		}
		err := each(folder, p, keep, func(name string) error { return os.Remove(filepath.Join(folder, name)) })
		if err == nil {
			err = each(by, p, keep, func(name string) error { return copyFile(by, folder, name) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls do for the files of a folder that are below a path and below none of keep.
func each(folder, p string, keep []string, do func(name string) error) error {
	err := filepath.WalkDir(filepath.Join(folder, filepath.FromSlash(p)),
		func(f string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(folder, f)
			kept := func(k string) bool { return below(filepath.ToSlash(name), k) }
			if err != nil || slices.ContainsFunc(keep, kept) {
				return err
			}
			return do(name)
		})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, path.Clean(folder)+"/")
}
