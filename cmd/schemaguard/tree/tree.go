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

// Read reads the files of a folder that are below one of the paths, or are one of them. A path that is a
// pattern means the files and folders that match it.
func Read(root string, paths []string) (Tree, error) {
	t := Tree{}
	for _, p := range paths {
		names := []string{filepath.Join(root, filepath.FromSlash(p))}
		if isPattern(p) {
			var err error
			if names, err = filepath.Glob(names[0]); err != nil {
				return nil, err
			}
		}
		for _, name := range names {
			if err := t.add(root, name); err != nil && !os.IsNotExist(err) {
				return nil, err
			}
		}
	}
	return t, nil
}

func isPattern(p string) bool { return strings.Contains(p, "*") }

// add reads a file, or all below a folder.
func (t Tree) add(root, name string) error {
	return filepath.WalkDir(name, func(name string, d fs.DirEntry, err error) error {
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

// Under returns the paths of the files in folders, at any depth, whose names end in suffix, sorted. A folder may be a
// pattern.
func (t Tree) Under(folders []string, suffix string) (paths []string) {
	for p := range t {
		under := func(folder string) bool { return below(p, folder) || isPattern(folder) && matches(p, folder) }
		if strings.HasSuffix(p, suffix) && slices.ContainsFunc(folders, under) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// matches reports whether a file, or a folder that it is in, matches a pattern.
func matches(name, pattern string) bool {
	for ; name != "."; name = path.Dir(name) {
		if match, _ := path.Match(path.Clean(pattern), name); match {
			return true
		}
	}
	return false
}

// FS returns the files of a folder as a file system.
func (t Tree) FS(folder string) fs.FS {
	files := fstest.MapFS{}
	for _, p := range t.Below(folder, "") {
		files[path.Base(p)] = &fstest.MapFile{Data: []byte(t[p])}
	}
	return files
}
