package localpg

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperDir makes the test binary a helper process instead: it starts a server
// in this folder ("-" for a temporary one), prints what it got, and waits to be killed.
const helperDir = "LOCALPG_TEST_DIR"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(helperDir); ok {
		helper(strings.TrimPrefix(dir, "-"))
		return
	}
	code := m.Run()
	os.RemoveAll(first.dir)
	os.Exit(code)
}

func helper(dir string) {
	s, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Printf("%q\n", err.Error())
		return
	}
	fmt.Printf("started %s\n", s.Dir())
	select {}
}

// startHelper returns the helper process and the line it printed.
func startHelper(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// Built with the race detector, it would sleep a second at its exit.
	race := strings.TrimSpace("atexit_sleep_ms=0 " + os.Getenv("GORACE"))
	cmd.Env = append(os.Environ(), helperDir+"="+dir, "GORACE="+race)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the helper printed nothing: %v", err)
	}
	return cmd, line
}

// startedIn is the folder of the server that a helper started.
func startedIn(t *testing.T, line string) string {
	t.Helper()
	dir, ok := strings.CutPrefix(strings.TrimSpace(line), "started ")
	if !ok {
		t.Fatalf("the helper printed %s", line)
	}
	return dir
}

// startIn starts a server that stops at the end of the test.
func startIn(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// query runs one statement on a connection of its own and returns its one value as text.
func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// keptDir is a folder that the server's user can get at, unlike t.TempDir for root.
func keptDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(tempRoot(false), "localpg-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// first is a folder that a server has left.
var first struct {
	sync.Once
	dir string
	err error
}

func makeFirst() {
	if first.dir, first.err = os.MkdirTemp(tempRoot(false), "localpg-test-*"); first.err != nil {
		return
	}
	var s *Server
	if s, first.err = Start(context.Background(), Options{Dir: first.dir}); first.err == nil {
		first.err = s.Stop()
	}
}

// usedDir is a folder as an earlier server left it, for tests of the steps after initdb,
// which takes most of a new one's start.
func usedDir(t *testing.T) string {
	t.Helper()
	if first.Do(makeFirst); first.err != nil {
		t.Fatal(first.err)
	}
	dir := keptDir(t)
	if out, err := exec.Command("cp", "-Rp", first.dir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not so after a minute: " + what)
		}
	}
}

func tryConnect(t *testing.T, url string) error {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	return conn.Close(context.Background())
}
