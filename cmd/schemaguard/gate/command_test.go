package gate_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/gate"
)

// project is a copy of one of the small projects, in a git repository of its own.
type project struct {
	t      *testing.T
	root   string
	landed string // as CI says
	ci     string // "true" there
}

func newProject(t *testing.T, name string) project {
	t.Helper()
	p := project{t: t, root: t.TempDir()}
	if err := os.CopyFS(p.root, os.DirFS("testdata/projects/"+name)); err != nil {
		t.Fatal(err)
	}
	p.git("init", "-q", "-b", "main")
	p.commit()
	return p
}

func (p project) git(args ...string) {
	p.t.Helper()
	c := exec.Command("git", append([]string{"-C", p.root, "-c", "user.name=T", "-c", "user.email=t@example.com",
		"-c", "commit.gpgsign=false"}, args...)...)
	if out, err := c.CombinedOutput(); err != nil {
		p.t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

func (p project) commit() {
	p.t.Helper()
	p.git("add", ".")
	p.git("commit", "-q", "-m", "a change")
}

func (p project) write(path, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.root, path), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// check runs the command, and returns the rules that refuse, in order, without repetitions.
func (p project) check(args ...string) (rules []string, err error) {
	p.t.Helper()
	out, err := p.run(append([]string{"--json"}, args...))
	for line := range strings.Lines(out) {
		var f finding.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Rule == "" || f.File == "" || f.Line == 0 ||
			f.Message == "" {
			p.t.Errorf("not a finding: %s (%v)", line, err)
		}
		if !f.Note && !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	if errors.Is(err, gate.ErrRefused) != (len(rules) > 0) {
		p.t.Errorf("refused %v, and the error is %v", rules, err)
	}
	return rules, err
}

func (p project) run(args []string) (out string, err error) {
	p.t.Helper()
	f := gate.Flags{Config: p.root, Getenv: func(name string) string {
		return map[string]string{"GATE_BASE": p.landed, "CI": p.ci}[name]
	}}
	set := flag.NewFlagSet("schemaguard", flag.ContinueOnError)
	f.Define(set)
	if err := set.Parse(append([]string{"--rows", "200", "--callers", "2", "--longest-lock", "1h"},
		args...)); err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	err = f.Run(p.t.Context(), &text)
	return text.String(), err
}

// text returns what the command prints for people.
func (p project) text(args ...string) string {
	p.t.Helper()
	out, err := p.run(args)
	if err != nil && !errors.Is(err, gate.ErrRefused) {
		p.t.Error(err)
	}
	return out
}

// refuses checks which rules refuse the project as it is.
func (p project) refuses(want ...string) {
	p.t.Helper()
	got, err := p.check()
	if err != nil && !errors.Is(err, gate.ErrRefused) || !slices.Equal(got, want) {
		p.t.Errorf("refused by %v, want %v; %v\n%s", got, want, err, p.text())
	}
}

func TestAProjectOfGooseAndSqlcAlone(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.refuses()
	const next = "migrations/20250201120000_note.sql"
	p.write(next, "-- +goose Up\nCREATE INDEX orders_note_idx ON orders (note);\n-- +goose Down\nDROP INDEX "+
		"orders_note_idx;\n")
	p.refuses("index-blocks-writes", "missing-lock-timeout")
	p.write(next, "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE orders DROP COLUMN note;\n"+
		"-- +goose Down\nSET LOCAL lock_timeout = '1s';\nALTER TABLE orders ADD COLUMN note text;\n")
	p.write("queries/orders.sql", "-- name: GetTotal :one\nSELECT total_cents FROM orders WHERE id = @id;\n")
	p.refuses("caller-fails", "old-statement-fails") // the base reads it, by *
}

func TestAReleaseHoldsItsColumns(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("queries/orders.sql", "-- name: GetNote :one\nSELECT note FROM orders WHERE id = @id;\n")
	if _, err := p.check("--record-release", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.check("--record-release", "1.0.0"); err == nil {
		t.Error("a release was written over")
	}
	p.write("queries/orders.sql", "-- name: GetTotal :one\nSELECT total_cents FROM orders WHERE id = @id;\n")
	p.commit()
	p.commitEmpty()
	p.write("migrations/20250201120000_note.sql", "-- +goose Up\nSET LOCAL lock_timeout = '1s';\n"+
		"ALTER TABLE orders DROP COLUMN note;\n-- +goose Down\nALTER TABLE orders ADD COLUMN note text;\n")
	p.refuses("old-statement-fails")
}

// Two schemas have a table of the same name, and statements are in folders of folders.
func TestTablesAreToldApartByTheirSchema(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	if err := os.MkdirAll(filepath.Join(p.root, "queries/archive"), 0o755); err != nil {
		t.Fatal(err)
	}
	const first = "migrations/20250102120000_archive.sql"
	p.write(first, "-- +goose Up\nCREATE SCHEMA archive;\nCREATE TABLE archive.orders (year int CONSTRAINT "+
		"years_pkey PRIMARY KEY, \"Weight\" int NOT NULL);\n-- +goose Down\nDROP TABLE archive.orders;\n"+
		"DROP SCHEMA archive;\n")
	p.write("queries/archive/orders.sql", "-- name: Archive :execrows\nINSERT INTO archive.orders (year, \"Weight\") "+
		"SELECT id, @weight::int FROM orders WHERE total_cents > @least LIMIT $1;\n")
	p.refuses()
	p.land()
	const next = "migrations/20250201120000_weight.sql"
	p.write(next, "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE archive.orders ADD COLUMN note text;\n"+
		"-- +goose Down\nALTER TABLE archive.orders DROP COLUMN note;\n")
	p.refuses()
	p.write("queries/archive/orders.sql", "-- name: Archive :execrows\nINSERT INTO archive.orders (year) "+
		"SELECT id FROM orders WHERE total_cents > @least LIMIT $1;\n")
	p.refuses("statement-fails")
	p.write("queries/archive/orders.sql", "-- name: Archive :exec\nUPDATE archive.orders SET year = year + 1;\n")
	p.refuses("silent-write")
}

// A squawk that the settings name, and that is not installed, is told; in CI nothing passes without it.
func TestSquawkIsAskedInCI(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("schemaguard.yaml", "migrations: migrations\nqueries: queries\nsquawk: ./no-such-program\n")
	p.write("migrations/20250201120000_note.sql", "-- +goose Up\nCREATE TABLE log (id bigint CONSTRAINT log_pkey "+
		"PRIMARY KEY);\n-- +goose Down\nDROP TABLE log;\n")
	p.refuses()
	has(t, p.text(), "squawk-missing (note)")
	p.commitEmpty()
	p.ci, p.landed = "true", "HEAD~1"
	p.refuses("squawk-missing")
}

// What the base has already refuses no change, where the settings want that told.
func TestOldFaultsAreTold(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("migrations/20250102120000_log.sql", "-- +goose Up\nCREATE TABLE log (line text);\n-- +goose Down\n"+
		"DROP TABLE log;\n")
	p.write("queries/log.sql", "-- name: Forget :exec\nDELETE FROM log;\n\n"+
		"-- name: Invoices :many\nSELECT id FROM invoices LIMIT 5;\n")
	p.land()
	p.refuses("table-without-key", "silent-write", "statement-fails")
	settings, err := os.ReadFile(filepath.Join(p.root, "schemaguard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("schemaguard.yaml", string(settings)+"old_faults: told\n")
	p.refuses()
	has(t, p.text(), "the table log has no primary key; so it was in the base")
	p.write("queries/log.sql", "\n-- name: Forget :exec\nDELETE FROM log;\n\n-- name: Clear :exec\nDELETE FROM log;\n")
	p.write("migrations/20250201120000_log.sql", "-- +goose Up\nCREATE TABLE other_log (line text);\n-- +goose Down\n"+
		"DROP TABLE other_log;\n")
	p.refuses("table-without-key", "silent-write")
	p.write("schemaguard.yaml", string(settings)+"old_faults: allowed\n")
	if _, err := p.check(); err == nil || errors.Is(err, gate.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestMigrationsInGoAreSaidNotToRun(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("migrations/20250101130000_made_by_go.go", "package migrations\n")
	p.write("migrations/20250102120000_note.sql", "-- +goose Up\nCREATE INDEX ON made_by_go (id);\n")
	p.land()
	if _, err := p.check(); err == nil || !strings.Contains(err.Error(), "1 of its migrations are written in Go") {
		t.Errorf("got %v", err)
	}
}

// A superuser may run the migrations, who makes roles and what belongs to them.
func TestASuperuserMayMigrate(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("migrations/20250102120000_role.sql", "-- +goose Up\nALTER TABLE orders OWNER TO pg_monitor;\n"+
		"-- +goose Down\nALTER TABLE orders OWNER TO CURRENT_USER;\n")
	p.land()
	if _, err := p.check(); err == nil || errors.Is(err, gate.ErrRefused) {
		t.Errorf("got %v", err)
	}
	p.write("schemaguard.yaml", "migrations: migrations\nqueries: queries\nsuperuser: true\n")
	p.refuses()
}

// A push of two commits is compared with what it was pushed onto.
func TestAPushIsComparedWithWhatLandedBefore(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	const second = "migrations/20250102120000_note.sql"
	p.write(second, "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nCOMMENT ON TABLE orders IS 'of customers';\n"+
		"-- +goose Down\nCOMMENT ON TABLE orders IS NULL;\n")
	p.commit()
	p.git("tag", "landed")
	p.git("rm", "-q", second)
	p.commit()
	p.commitEmpty()
	p.refuses()
	p.landed = "landed"
	p.refuses("changed-migration")
}

// Where CI does not say onto what several commits were pushed, the project's file does; without one, nothing passes
// that was compared with itself.
func TestALandingOfSeveralCommitsIsJudgedWhole(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.ci = "true"
	if _, err := p.check(); err == nil || errors.Is(err, gate.ErrRefused) ||
		!strings.Contains(err.Error(), "cannot be judged") {
		t.Errorf("got %v", err)
	}
	settings, err := os.ReadFile(filepath.Join(p.root, "schemaguard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("landed", p.head())
	p.write("schemaguard.yaml", string(settings)+"landed: landed\n")
	p.write("migrations/20250201120000_note.sql", "-- +goose Up\nCREATE INDEX orders_note_idx ON orders (note);\n"+
		"-- +goose Down\nDROP INDEX orders_note_idx;\n")
	p.commit()
	p.commitEmpty()
	p.commitEmpty()
	p.refuses("index-blocks-writes", "missing-lock-timeout")
	has(t, p.text(), "which landed last, as landed says: 1 new migration")
}

// head returns the commit that is checked out.
func (p project) head() string {
	p.t.Helper()
	out, err := exec.Command("git", "-C", p.root, "rev-parse", "HEAD").Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

func (p project) commitEmpty() { p.git("commit", "-q", "--allow-empty", "-m", "nothing") }

func TestAProjectWithARoleAndRows(t *testing.T) {
	t.Parallel()
	p := newProject(t, "notes")
	p.refuses()
	const next = "db/migrations/2_age.sql"
	p.write(next, "-- +goose Up\nALTER TABLE people ADD COLUMN age int NOT NULL;\n-- +goose Down\n"+
		"ALTER TABLE people DROP COLUMN age;\n")
	p.refuses("add-column-not-null", "fails-with-rows")
	p.write(next, "-- +goose Up\nALTER TABLE people ADD COLUMN age int;\n-- +goose Down\n"+
		"ALTER TABLE people DROP COLUMN age;\n")
	p.refuses()
	p.write("db/queries/ages.sql", "-- name: GetAge :one\nSELECT name, age FROM people WHERE team_id = @team_id AND "+
		"id = @id;\n")
	p.refuses("unrecorded-read")
	p.write("db/queries/ages.sql", "-- name: AddTeam :execrows\nDELETE FROM teams WHERE id = @id;\n")
	p.refuses("missing-grant")
}

func TestWithoutSettingsNothingIsJudged(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	for _, text := range []string{"", "queries: q\n", "migrations: m\nqueries: q\nother: 1\n"} {
		p.write("schemaguard.yaml", text)
		if _, err := p.check(); err == nil || errors.Is(err, gate.ErrRefused) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := p.check("--base", "nowhere"); err == nil || errors.Is(err, gate.ErrRefused) {
		t.Errorf("got %v", err)
	}
}
