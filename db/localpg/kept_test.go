//go:build !race

// What is kept of processes that ended: files, and no memory that anybody shares.

package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeptFolderIsPickedUpAgain(t *testing.T) {
	t.Parallel()
	o := Options{Dir: usedDir(t), TCP: true}
	s := startIn(t, o)
	execute(t, s.URL(Owner, Database), "CREATE TABLE kept AS SELECT 'still here' AS text")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	again := startIn(t, o)
	t.Logf("picking it up takes %v", time.Since(begin))
	if got := query(t, again.URL(Owner, Database), "SELECT text FROM kept"); got != "still here" {
		t.Errorf("got %q", got)
	}
	if again.passwords[App] != s.passwords[App] {
		t.Error("the password changed")
	}
}

func TestKilledParentTakesItsServerAlong(t *testing.T) {
	t.Parallel()
	parent, line := startHelper(t, "-")
	dir := startedIn(t, line)
	begin := time.Now()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is gone", func() bool { return !(&folder{path: dir}).running() })
	t.Logf("the server was gone after %v", time.Since(begin))
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a sweep removes the folder", func() bool {
		sweep(filepath.Dir(dir), as)
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestFolderOfAKilledParentIsPickedUpAtOnce(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	parent, line := startHelper(t, dir)
	startedIn(t, line)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	query(t, startIn(t, Options{Dir: dir}).URL(App, Database), "SELECT 'it answers'")
}

func TestCrashedServerIsPickedUpAgain(t *testing.T) {
	t.Parallel()
	o := Options{Dir: usedDir(t)}
	s := startIn(t, o)
	if err := s.process.Load().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	reusePID(t, s.folder)
	query(t, startIn(t, o).URL(App, Database), "SELECT 'it answers'")
}

// reusePID makes the crashed server's pid that of another program: this one.
func reusePID(t *testing.T, f *folder) {
	t.Helper()
	text, err := os.ReadFile(f.pidFile())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(f.pidFile(), fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	_, line := startHelper(t, dir)
	startedIn(t, line)
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "by process ") {
		t.Errorf("got %v", err)
	}
}

func TestFolderOfAServerStartedByHandIsRefused(t *testing.T) {
	t.Parallel()
	dir := usedDir(t)
	s := startIn(t, Options{Dir: dir})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	inShell(t, s.Control("start"))
	defer inShell(t, s.Control("stop"))
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("got %v", err)
	}
}

func TestOfManyStartsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(keptDir(t), "new", "and", "nested")
	if err := os.Chmod(strings.TrimSuffix(dir, "/new/and/nested"), 0o755); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 4)
	var all sync.WaitGroup
	for i := range lines {
		all.Go(func() { _, lines[i] = startHelper(t, dir) })
	}
	all.Wait()
	won := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "started ") {
			won++
		} else if !strings.Contains(line, "is in use by process") {
			t.Errorf("a loser got %s", line)
		}
	}
	if won != 1 {
		t.Errorf("%d started: %q", won, lines)
	}
}

func TestFolderOfOtherThingsIsRefused(t *testing.T) {
	t.Parallel()
	dir := keptDir(t)
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "has other files in it") {
		t.Errorf("got %v", err)
	}
}

func TestKeptTemporaryFolderCanBeOpenedFromTheShell(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{})
	t.Cleanup(func() { os.RemoveAll(s.Dir()) })
	if err := s.Keep(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	sweep(filepath.Dir(s.Dir()), as)
	inShell(t, s.Control("start"))
	defer inShell(t, s.Control("stop"))
	query(t, s.URL(App, Database), "SELECT 'it answers'")
}
