package shape_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/shape"
	"waybill/cmd/schemaguard/tree"
)

// found returns the rules that refuse a migration of this text, by a project whose runner has this text.
func found(runner, text string) (rules []string) {
	return foundBy(&settings.Settings{Migrations: "m", Queries: settings.Folders{"q"},
		LockTimeout: "runner.go", Constraints: "c.go"},
		runner, text)
}

func foundBy(s *settings.Settings, runner, text string) (rules []string) {
	c := change.Of(s, tree.Tree{}, tree.Tree{"m/1_a.sql": text, "runner.go": runner}, time.Now())
	for _, f := range shape.Check(c, &shape.Facts{}) {
		if !f.Note && !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// Where nothing is said to rest on the names of constraints, one that PostgreSQL names is told.
func TestNamesOfConstraintsAreAskedForWhereTheyAreUsed(t *testing.T) {
	t.Parallel()
	const text = "-- +goose Up\nCREATE TABLE cats (id int PRIMARY KEY);\n-- +goose Down\nDROP TABLE cats;\n"
	for file, want := range map[string]int{"": 0, "c.go": 1} {
		s := &settings.Settings{Migrations: "m", Queries: settings.Folders{"q"},
			LockTimeout: "runner.go", Constraints: file}
		if got := foundBy(s, runner, text); len(got) != want {
			t.Errorf("constraints %q: refused by %v", file, got)
		}
	}
}

const runner = "SET lock_timeout"

const down = "\n-- +goose Down\nALTER TABLE dogs DROP COLUMN age;\n"

func TestALockTimeoutIsTheRunnersOrTheFiles(t *testing.T) {
	t.Parallel()
	const add = "ALTER TABLE dogs ADD COLUMN age int;"
	for _, c := range []struct {
		runner, text string
		refused      bool
	}{
		{"", "-- +goose Up\n" + add, true},
		{"", "-- +goose Up\nSET LOCAL lock_timeout = 500;\n" + add, false},
		{"", "-- +goose Up\nSELECT set_config('lock_timeout', '1s', true);\n" + add, false},
		{"", "-- +goose Up\nSET lock_timeout = 0;\n" + add, true},
		{"", "-- +goose Up\nSET statement_timeout = '1s';\n" + add, true},
		{"", "-- +goose Up\n" + add + "\nSET LOCAL lock_timeout = '1s';", true},
		{runner, "-- +goose Up\n" + add, false},
		{runner, "-- +goose Up\nSET lock_timeout = DEFAULT;\n" + add, true},
		{runner, "-- +goose Up\nRESET ALL;\n" + add, true},
		{runner, "-- +waybill lock_timeout: 2s\n-- +goose Up\n" + add, false},
		{runner, "-- +waybill lock_timeout: 1m\n-- +goose Up\n" + add, true},
		{"", "-- +goose Up\nCREATE TABLE dogs ();\n" + add, false},
		{"", "-- +goose Up\nCREATE VIEW ages AS SELECT 1;\nCOMMENT ON TABLE dogs IS '';", false},
	} {
		got := found(c.runner, c.text+down)
		if slices.Contains(got, shape.LockTimeout.Name) != c.refused {
			t.Errorf("%q: %s: got %v", c.runner, c.text, got)
		}
	}
}

func TestEachRuleSaysWhatItCostsAndWhatToDo(t *testing.T) {
	t.Parallel()
	for _, r := range []finding.Rule{
		shape.ColumnRewrites, shape.ColumnNotNull, shape.NotNull, shape.AlterType, shape.Rewrites, shape.IndexBlocks,
		shape.InTransaction, shape.LeftInvalid, shape.DropBlocks, shape.ForeignKeyScans, shape.CheckScans,
		shape.UniqueBuilds, shape.Unnamed, shape.Backfill, shape.EnumUsed, shape.SeveralLocks, shape.LongUnderLock,
		shape.LockTimeout, shape.LockTable, shape.Rerun, shape.Unreadable, shape.DownMissing, shape.DownDeletes,
		shape.WideGrant, shape.SearchPath, shape.ProtectionRemoved,
	} {
		if r.Name == "" || len(r.Load) < 30 || len(r.Safe) < 20 {
			t.Errorf("%+v", r)
		}
	}
}

func TestStatementsAreJudgedByTheirTable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ALTER TABLE dogs ALTER COLUMN name TYPE text":       "alter-type",
		"DO $$ BEGIN UPDATE dogs SET age = 1; END $$":        "backfill-in-one-statement",
		"INSERT INTO dogs VALUES (1)":                        "",
		"INSERT INTO dogs SELECT * FROM cats":                "backfill-in-one-statement",
		"CREATE TABLE cats (id int PRIMARY KEY)":             "unnamed-constraint",
		"CREATE INDEX CONCURRENTLY dogs_idx ON dogs (name)":  "concurrently-in-transaction",
		"CREATE TABLE cats (id int); UPDATE cats SET id = 1": "",
		"DO $$ BEGIN LOOP DELETE FROM dogs WHERE id IN (SELECT id FROM dogs LIMIT 9); EXIT; END LOOP; " +
			"END $$": "",
	} {
		got := found(runner, "-- +goose Up\n"+text+";"+down)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", text, got, want)
		}
	}
}
