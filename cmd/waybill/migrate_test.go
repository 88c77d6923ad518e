package main

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"waybill/db"
	"waybill/db/dbtest"
	files "waybill/sql"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	url := emptyDatabase(t, dbtest.New(t))
	migrate := func(verb string, args ...string) string {
		t.Helper()
		code, out, errors := ended(t, "", []string{"DATABASE_URL=" + url},
			append([]string{"migrate", verb}, args...)...)
		if code != 0 {
			t.Fatalf("migrate %s: exit code %d: %s", verb, code, errors)
		}
		return out
	}
	if got := migrate("version"); got != "0\n" {
		t.Errorf("the version of an empty database: %s", got)
	}
	has(t, migrate("status"), "pending", "00001_app_role.sql")
	if got := migrate("down"); got != "nothing to revert\n" {
		t.Errorf("down from nothing: %s", got)
	}
	first := migrate("up")
	has(t, first, "OK", "00001_app_role.sql")
	steps := strings.Count(first, "\n")
	newest := migrate("version")
	hasNot(t, migrate("status"), "pending")
	if got := migrate("up"); got != "nothing to do\n" {
		t.Errorf("up again: %s", got)
	}
	// Down, one step at a time, and up again. That each migration can be reverted is tested in package
	// db.
	const down = 3
	for range down {
		has(t, migrate("down", "--yes-lose-data"), "OK")
	}
	if again := migrate("up"); steps < down || strings.Count(again, "\n") != down || migrate("version") != newest {
		t.Errorf("up after down: %s", again)
	}
}

// Two concurrent deployments that both migrate.
func TestTwoMigrateUpAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	url := emptyDatabase(t, dbtest.New(t))
	env := []string{"DATABASE_URL=" + url}
	both := []*program{start(t, env, "migrate", "up"), start(t, env, "migrate", "up")}
	made := 0
	for _, p := range both {
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d: %s", code, p.errors.String())
		}
		if strings.Contains(p.out.String(), "00001_app_role.sql") {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d of two processes applied the first migration", made)
	}
	if _, out, _ := ended(t, "", env, "migrate", "up"); out != "nothing to do\n" {
		t.Errorf("the version afterwards: %s", out)
	}
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	for _, c := range []struct {
		args []string
		env  string
		says string
	}{
		{[]string{"migrate"}, d.OwnerURL, "up, down, status, version"},
		{[]string{"migrate", "sideways"}, d.OwnerURL, "up, down, status, version"},
		{[]string{"migrate", "up"}, "", "needs a database"},
		{[]string{"migrate", "up", "twice"}, d.OwnerURL, `unexpected argument: "twice"; see: waybill migrate -h`},
		{[]string{"migrate", "up"}, "postgres://u:pa%zz:hunter2@h:bad/db", "is not a PostgreSQL connection string"},
		{[]string{"migrate", "down", "--yes-lose-data"}, d.AppURL, "migrations run as the owner of the schema"},
		{[]string{"migrate", "down"}, d.OwnerURL, "--yes-lose-data"},
		{[]string{"migrate", "up", "--lock-timeout", "0"}, d.OwnerURL, "must be positive"},
	} {
		code, _, errors := ended(t, "", []string{"DATABASE_URL=" + c.env}, c.args...)
		if code != 1 {
			t.Errorf("%v: exit code %d", c.args, code)
		}
		has(t, errors, c.says)
		hasNot(t, errors, "hunter2", "pa%zz")
	}
}

// pgx's errors for each attempt, with and without TLS, are printed once; goose's own errors are printed
// as what was done.
func TestMigrateSaysWhatFailedInOneSentence(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	unreachable := "postgres://u:hunter2@" + freeAddress(t) + "/db"
	for _, verb := range []string{"up", "down", "status", "version"} {
		code, _, errors := ended(t, "", []string{"DATABASE_URL=" + unreachable}, "migrate", verb)
		if code != 1 || strings.Count(errors, "connection refused") != 1 ||
			!strings.HasPrefix(errors, "waybill: cannot use the database: failed to connect to ") {
			t.Errorf("%s: exit code %d, %s", verb, code, errors)
		}
		hasNot(t, errors, "hunter2", "goose", "failed to get", "failed to initialize")
	}
	// A row that violates a new constraint stops its migration.
	names, err := fs.Glob(files.Migrations, "migrations/*_strict_addresses.sql")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	version, err := goose.NumericComponent(names[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := db.NewMigrator(d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.DownTo(t.Context(), version-1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Owner().Exec(t.Context(),
		"INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'a--b', 'A')"); err != nil {
		t.Fatal(err)
	}
	code, _, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL}, "migrate", "up")
	if code != 1 || strings.Count(errors, "waybill: ") != 1 {
		t.Errorf("exit code %d, %s", code, errors)
	}
	has(t, errors, "waybill: the migration "+path.Base(names[0])+" failed at its statement 2 (DO $$", "ERROR: 0 users ",
		"the 1 before stay done", "run waybill migrate up again")
	hasNot(t, errors, "partial", "a--b")
}
