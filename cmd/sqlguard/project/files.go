package project

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// byteOrderMark precedes the SQL in files saved by some editors.
const byteOrderMark = "\ufeff"

// readFiles reads the *.sql files that paths name, resolved like sqlc does: a path is a file, a folder
// (without its subfolders) or a glob. Down migrations are skipped.
func (p *Project) readFiles(paths []string) ([]*File, error) {
	var files []*File
	for _, path := range paths {
		names, err := expand(filepath.Dir(p.Config), path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			f := NewFile(filepath.ToSlash(name), strings.TrimPrefix(string(text), byteOrderMark))
			if inside, err := filepath.Rel(p.root, name); err == nil {
				f.Name = filepath.ToSlash(inside)
			}
			files = append(files, f)
		}
	}
	return files, nil
}

// expand returns the files that a path matches; a path without a match is an error.
func expand(root, path string) ([]string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	matches, err := filepath.Glob(path)
	if err != nil {
		return nil, &Error{Path: path, Message: err.Error()}
	}
	if len(matches) == 0 {
		return nil, &Error{Path: path, Message: "no such file or folder"}
	}
	var names []string
	for _, match := range matches {
		more, err := sqlFiles(match)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	slices.SortStableFunc(names, natural)
	return names, nil
}

func sqlFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return slices.DeleteFunc([]string{path}, func(name string) bool { return !isSQL(filepath.Base(name)) }), nil
	}
	inside, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range inside {
		if isSQL(f.Name()) && !f.IsDir() {
			names = append(names, filepath.Join(path, f.Name()))
		}
	}
	return names, nil
}

func isSQL(name string) bool {
	return strings.HasSuffix(name, ".sql") && !strings.HasSuffix(name, ".down.sql") && !strings.HasPrefix(name, ".")
}

// natural compares names with numbers in numeric order: 2_x before 10_x.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x > 0 && y > 0 {
			m, n := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
				return c
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
