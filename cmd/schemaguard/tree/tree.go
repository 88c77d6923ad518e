// Package tree reads the two states of a project that the gate compares: a commit, and the working tree.
package tree

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
)

// Tree is the files of a state, by their slash-separated path from the project's root.
type Tree map[string]string

// Read reads the files of a folder that are below one of the paths, or are one of them.
func Read(root string, paths []string) (Tree, error) {
	t := Tree{}
	for _, p := range paths {
		err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(p)),
			func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				text, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				inside, err := filepath.Rel(root, name)
				t[filepath.ToSlash(inside)] = string(text)
				return err
			})
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return t, nil
}

// Below returns the paths of the files directly in a folder whose names end in suffix, sorted.
func (t Tree) Below(folder, suffix string) (paths []string) {
	for p := range t {
		if path.Dir(p) == path.Clean(folder) && strings.HasSuffix(p, suffix) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// FS returns the files of a folder as a file system.
func (t Tree) FS(folder string) fs.FS {
	files := fstest.MapFS{}
	for _, p := range t.Below(folder, "") {
		files[path.Base(p)] = &fstest.MapFile{Data: []byte(t[p])}
	}
	return files
}
