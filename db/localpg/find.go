package localpg

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version with all features that the migrations use.
const oldest = 15

// programs are the programs of one PostgreSQL.
type programs struct {
	dir     string
	version string // the output of --version
	major   int
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// search looks for PostgreSQL's programs. Tests replace its functions.
type search struct {
	folders func() []string                           // the candidates, best first
	fetch   func(ctx context.Context) (string, error) // downloads, and returns the folder
	account *account                                  // the user who must be able to run them
	cache   string                                    // the folder of cached files; empty for none
}

func newSearch(as *account) search {
	cache, err := cacheDir("")
	if err != nil {
		cache = "" // a user without a home
	}
	return search{folders: installedFolders, fetch: download{repository: mavenCentral}.fetch, account: as, cache: cache}
}

// programs finds a PostgreSQL of the given major version, or with 0 the first supported one.
func (s search) programs(ctx context.Context, major int) (programs, error) {
	var seen []string
	for _, dir := range s.folders() {
		p, err := s.inspect(ctx, dir)
		if err != nil {
			continue
		}
		if p.major == major || major == 0 && p.major >= oldest {
			return p, nil
		}
		seen = append(seen, fmt.Sprintf("%d in %s", p.major, dir))
	}
	if major != 0 && len(seen) > 0 {
		return programs{}, otherMajor(major, seen)
	}
	return s.download(ctx, major, seen)
}

func (s search) download(ctx context.Context, major int, seen []string) (programs, error) {
	dir, err := s.fetch(ctx)
	if err != nil {
		return programs{}, nothingFound(seen, err)
	}
	p, err := s.inspect(ctx, dir)
	if err != nil {
		return programs{}, nothingFound(seen, err)
	}
	if major != 0 && p.major != major {
		return programs{}, otherMajor(major, []string{fmt.Sprintf("%d in %s", p.major, dir)})
	}
	return p, nil
}

var versionNumber = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect reads the version of the programs in a folder, as the user who will run them.
func (s search) inspect(ctx context.Context, dir string) (programs, error) {
	p := programs{dir: dir}
	if _, err := os.Stat(p.path("initdb")); err != nil {
		return p, err
	}
	cmd := exec.CommandContext(ctx, p.path("postgres"), "--version")
	cmd.Dir = "/"
	s.account.runs(cmd)
	out, err := cmd.Output()
	if err != nil {
		return p, fmt.Errorf("%s: %w", cmd, err)
	}
	found := versionNumber.FindSubmatch(out)
	if found == nil {
		return p, fmt.Errorf("%s: no version in %q", cmd, out)
	}
	p.version = string(out)
	p.major, err = strconv.Atoi(string(found[1]))
	return p, err
}

// installedFolders returns the folders to search. WAYBILL_PG_BIN, if set, is the only one.
func installedFolders() []string {
	if dir := os.Getenv("WAYBILL_PG_BIN"); dir != "" {
		return []string{dir}
	}
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	dirs = append(dirs, newestFirst("/usr/lib/postgresql/*/bin")...)
	dirs = append(dirs, newestFirst("/opt/homebrew/opt/postgresql@*/bin")...)
	return append(dirs, newestFirst("/usr/local/opt/postgresql@*/bin")...)
}

// FindProgram returns the path of an optional program of PostgreSQL, such as pgbench: next to a
// server's programs, or in PATH.
func FindProgram(name string) (string, error) {
	for _, dir := range installedFolders() {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

var number = regexp.MustCompile(`\d+`)

func newestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern)
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(majorIn(b), majorIn(a)) })
	return dirs
}

func majorIn(path string) int {
	n, _ := strconv.Atoi(number.FindString(path))
	return n
}
