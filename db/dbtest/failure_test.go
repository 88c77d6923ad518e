package dbtest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db/dbtest"
	"waybill/db/localpg"
)

// helperVariable is set in a process that runs one test of this package for another.
const helperVariable = "DBTEST_HELPER"

// runHelper runs tests of this binary in a process of its own, and returns what they print.
func runHelper(t *testing.T, databaseURL, tests string) (output string, passed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run", tests)
	cmd.Env = append(os.Environ(), helperVariable+"=1", "DATABASE_URL="+databaseURL)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// keptLines are the three lines for the shell that a failed test prints.
func keptLines(t *testing.T, output string) (start, open, remove string) {
	t.Helper()
	_, after, found := strings.Cut(output, "the database is kept.")
	lines := strings.Split(after, "\n")
	if !found || len(lines) < 4 {
		t.Fatalf("no lines for the shell in:\n%s", output)
	}
	return strings.TrimSpace(lines[1]), strings.TrimSpace(lines[2]), strings.TrimSpace(lines[3])
}

func shell(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// They fail in one process: a server of its own is what each would cost.
func TestFailureKeepsTheDatabaseAndSaysHowToOpenIt(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "a test of the tests' own failures")
	output, passed := runHelper(t, "", "^TestHelper")
	if passed {
		t.Fatal("the failing tests passed")
	}
	said := map[string]string{} // by test
	for _, part := range strings.Split(output, "=== RUN ")[1:] {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "\n")
		said[name] = text
	}
	start, open, remove := keptLines(t, said["TestHelperFails"])
	t.Logf("printed:\n%s\n%s\n%s", start, open, remove)
	shell(t, start)
	shell(t, start) // once more does no harm
	if got := answer(t, open); got != "left by the failed test" {
		t.Errorf("got %q", got)
	}
	for test, reason := range map[string]string{
		"TestHelperFailsItsCheck":    "the books do not balance",
		"TestHelperHoldsAConnection": "connections not released: 1",
	} {
		text := said[test]
		_, another, _ := keptLines(t, text)
		if another == open || !strings.Contains(text, reason) || !strings.Contains(text, "--- FAIL: "+test) {
			t.Errorf("%s printed:\n%s", test, text)
		}
	}
	shell(t, remove)
	if _, err := os.Stat(folderIn(remove)); !os.IsNotExist(err) {
		t.Errorf("%s is still there", folderIn(remove))
	}
}

// answer reads the failed test's table by the printed line: with psql if there is one.
func answer(t *testing.T, open string) (what string) {
	t.Helper()
	const query = "SELECT what FROM evidence"
	if _, err := exec.LookPath("psql"); err == nil {
		return strings.TrimSpace(shell(t, open+" -X -A -t -c '"+query+"'"))
	}
	conn, err := pgx.Connect(t.Context(), strings.Trim(strings.TrimPrefix(open, "psql "), "'"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), query).Scan(&what); err != nil {
		t.Fatal(err)
	}
	return what
}

func folderIn(remove string) string {
	return regexp.MustCompile(`rm -rf (\S+)`).FindStringSubmatch(remove)[1]
}

// startOther starts the server that a helper gets as DATABASE_URL.
func startOther(t *testing.T) *localpg.Server {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Options{TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func databases(t *testing.T, server *localpg.Server) (names string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL(localpg.Owner, localpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(t.Context(),
		"SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'waybill\\_%'").
		Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var onlyTemplate = regexp.MustCompile(`^waybill_template_[0-9a-f]{12}$`)

func TestServerOfDatabaseURL(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "test runs that share a server")
	server := startOther(t)
	t.Run("is shared and left clean", func(t *testing.T) { isLeftClean(t, server) })
	t.Run("keeps a failed test's database", func(t *testing.T) { keepsADatabase(t, server) })
}

func isLeftClean(t *testing.T, server *localpg.Server) {
	done := make(chan string)
	for range 2 {
		go func() {
			output, passed := runHelper(t, server.URL(localpg.Owner, localpg.Database),
				"^Test(New|Pool|Connections|Checks)")
			if passed {
				output = ""
			}
			done <- output
		}()
	}
	for range 2 {
		if output := <-done; output != "" {
			t.Error(output)
		}
	}
	if got := databases(t, server); !onlyTemplate.MatchString(got) {
		t.Errorf("left are %s", got)
	}
}

func keepsADatabase(t *testing.T, server *localpg.Server) {
	url := server.URL(localpg.Owner, localpg.Database)
	output, _ := runHelper(t, url, "^TestHelperFails$")
	open, _, _ := keptLines(t, output)
	password := regexp.MustCompile(`:(\w+)@`).FindStringSubmatch(url)[1]
	if strings.Contains(output, password) {
		t.Error("the log holds the password")
	}
	t.Log(open)
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("no psql")
	}
	if got := answer(t, "PGPASSWORD="+password+" "+open); got != "left by the failed test" {
		t.Errorf("got %q", got)
	}
}
