package localpg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// finds makes a search of these folders, without a way to download.
func finds(dirs ...string) func(*account) search {
	return func(as *account) search {
		return search{
			folders: func() []string { return dirs },
			fetch:   func(context.Context) (string, error) { return "", errors.New("no network") },
			account: as,
		}
	}
}

// fakePrograms makes a folder of programs that know nothing but their version.
func fakePrograms(t *testing.T, version string) string {
	t.Helper()
	dir := keptDir(t)
	script := fmt.Appendf(nil, "#!/bin/sh\necho 'postgres (PostgreSQL) %s (Somewhere 1.2)'\n", version)
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), script, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWithoutPostgresTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := start(t.Context(), Options{}, finds("/nowhere", fakePrograms(t, "14.9")))
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		"no PostgreSQL 15 or later found (there is 14 in ", "no network",
		installing("linux"), "WAYBILL_PG_BIN", "DATABASE_URL",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestDataOfAnotherMajorVersionIsRefused(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	_, err := start(t.Context(), Options{Dir: dir}, finds(fakePrograms(t, "99devel")))
	want := fmt.Sprintf("the data was made by PostgreSQL %d, but found only 99 in ", (&folder{path: dir}).major())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestSearchTakesTheFirstThatFits(t *testing.T) {
	t.Parallel()
	old, first, second := fakePrograms(t, "9.6.2"), fakePrograms(t, "17.1"), fakePrograms(t, "15.8")
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for major, want := range map[int]string{0: first, 17: first, 15: second} {
		got, err := finds("/nowhere", old, first, second)(as).programs(t.Context(), major)
		if err != nil || got.dir != want {
			t.Errorf("for %d got %v, %v, want %s", major, got, err, want)
		}
	}
}

// serveArchive serves what the repository does: the programs in an xz tar in a zip.
func serveArchive(t *testing.T) (url string, asked *int) {
	t.Helper()
	jar, err := os.ReadFile("testdata/programs.jar")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		*asked++
		_, _ = w.Write(jar)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestDownloadHappensOnce(t *testing.T) {
	t.Parallel()
	url, asked := serveArchive(t)
	d := download{repository: url, cache: keptDir(t)}
	for range 2 {
		dir, err := d.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
		if err != nil || !strings.Contains(string(out), "(PostgreSQL) 17.5") {
			t.Errorf("got %q, %v", out, err)
		}
	}
	if *asked != 1 {
		t.Errorf("asked the repository %d times", *asked)
	}
}

func TestDownloadFromNowhereFailsAtOnce(t *testing.T) {
	t.Parallel()
	d := download{repository: "http://127.0.0.1:1", cache: keptDir(t)}
	if _, err := d.fetch(t.Context()); err == nil {
		t.Error("no error")
	}
}
