package main

import (
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rootEntries are the repository's files and folders that the tests examine.
var rootEntries = []string{".ci", "ARCHITECTURE.md", "CHANGELOG.md", "README.md", "SECURITY.md", "Taskfile.yml", "api",
	"cmd", "db", "go.mod", "sql", "sqlc.yaml"}

// repository returns the repository's files for the tests that examine all of them. It does not list the root: Go
// remembers that a test passed until what it has read changes, and there .git changes whenever git is asked.
func repository() fs.FS { return repositoryFS{os.DirFS("../..")} }

type repositoryFS struct{ fs.FS }

func (r repositoryFS) Stat(name string) (fs.FileInfo, error) {
	if name == "." {
		name = "sql" // a folder, too
	}
	return fs.Stat(r.FS, name)
}

func (r repositoryFS) ReadDir(name string) (entries []fs.DirEntry, err error) {
	if name != "." {
		return fs.ReadDir(r.FS, name)
	}
	for _, entry := range rootEntries {
		info, err := fs.Stat(r.FS, entry)
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	return entries, nil
}

func TestNoFileOfTheRepositoryIsLeftOut(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	unexamined := []string{".gitattributes", ".gitignore", "LICENSE", "go.sum"}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		entry, _, _ := strings.Cut(name, "/")
		if !slices.Contains(rootEntries, entry) && !slices.Contains(unexamined, entry) {
			t.Errorf("%s is not examined: add %s to the entries", name, entry)
		}
	}
	entries, err := fs.ReadDir(repository(), ".")
	if err != nil || len(entries) != len(rootEntries) {
		t.Errorf("got %d entries, %v", len(entries), err)
	}
}
