package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"waybill/db/dbtest"
)

func TestMigrateCheckNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", "no/such.yaml"}, "no/such.yaml"},
		{[]string{"--config", "../schemaguard/waybill.yaml", "--base", "no-such-commit"}, "no-such-commit"},
		{[]string{"--sideways"}, "unknown flag -sideways; see: waybill migrate check -h"},
		{[]string{"sideways"}, "unexpected argument"},
	} {
		var out strings.Builder
		err := run(t.Context(), append([]string{"migrate", "check"}, c.args...), &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%v: got %v, %q; want %s", c.args, err, out.String(), c.want)
		}
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"migrate", "check", "-h"}, &out); err == nil ||
		!strings.Contains(out.String(), "-longest-lock") {
		t.Errorf("the help: %v, %s", err, out.String())
	}
}

// The program itself refuses, by its exit code and with the finding: here, in a clone of this repository, a column that
// statements read has another name.
func TestMigrateCheckEndsWith1WhereItRefuses(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a program of its own")
	dbtest.Thorough(t, "migrates a database for each of two changes")
	clone := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", clone, "-c", "user.name=T", "-c",
			"user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	git("clone", "-q", "file://"+root, ".")
	check := func() (code int, out string) {
		t.Helper()
		c := exec.Command(os.Args[0], "migrate", "check", "--json", "--quick", "--rows", "0", "--base", "HEAD~1")
		c.Dir = clone
		p := launch(t, c, nil, []string{"CI="})
		code = p.wait()
		return code, p.out.String() + p.errors.String()
	}
	git("commit", "-q", "--allow-empty", "-m", "nothing")
	if code, out := check(); code != 0 {
		t.Errorf("a change of nothing: exit code %d: %s", code, out)
	}
	if err := os.WriteFile(filepath.Join(clone, "sql/migrations/99999_title.sql"), []byte("-- +goose Up\n"+
		"ALTER TABLE groups RENAME COLUMN name TO title;\n-- +goose Down\n"+
		"ALTER TABLE groups RENAME COLUMN title TO name;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	git("add", ".")
	git("commit", "-q", "-m", "a column is renamed")
	code, out := check()
	if finding := `"rule":"old-statement-fails","file":"sql/migrations/99999_title.sql"`; code != 1 ||
		!strings.Contains(out, finding) || !strings.Contains(out, "the change is refused") {
		t.Errorf("exit code %d: %s; want 1, and %s", code, out, finding)
	}
}
