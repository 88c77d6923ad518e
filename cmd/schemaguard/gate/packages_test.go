package gate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Statements are in folders of several packages, and two of them have one name: each is judged.
func TestPackagesMayHaveStatementsOfOneName(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	const settings = "migrations: migrations\nqueries: [queries, internal/*/queries, tool/x.sql]\n"
	p.write("schemaguard.yaml", settings)
	for _, folder := range []string{"internal/customers/queries", "internal/orders/queries", "internal/orders/testdata",
		"tool"} {
		if err := os.MkdirAll(filepath.Join(p.root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.write("internal/customers/queries/all.sql", "-- name: Get :one\nSELECT email FROM customers WHERE id = @id;\n")
	p.write("internal/orders/queries/all.sql", "-- name: Get :one\nSELECT note FROM orders WHERE id = @id;\n")
	p.write("internal/orders/testdata/all.sql", "-- name: Get :one\nSELECT nothing FROM nowhere;\n")
	p.write("tool/x.sql", "-- name: Get :one\nSELECT total_cents FROM orders WHERE id = @id;\n")
	p.land()
	p.refuses()
	for _, column := range []struct{ table, name string }{{"customers", "email"}, {"orders", "note"},
		{"orders", "total_cents"}} {
		p.write("migrations/20250201120000_gone.sql", "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE "+
			column.table+" RENAME "+column.name+" TO other;\n-- +goose Down\nALTER TABLE "+column.table+
			" RENAME other TO "+column.name+";\n")
		rules, _ := p.check()
		for _, want := range []string{"old-statement-fails", "statement-fails", "caller-fails"} {
			if !slices.Contains(rules, want) {
				t.Errorf("%s of %s: refused by %v, not by %s", column.name, column.table, rules, want)
			}
		}
		if column.table == "orders" {
			continue
		}
		out := p.text()
		if n := strings.Count(out, "Get, a statement of the base, fails"); n != 1 {
			t.Errorf("%d statements of the base fail:\n%s", n, out)
		}
	}
}

// What is no query has no plan, and is planned nonetheless.
func TestAViewMayBeRefreshed(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("migrations/20250102120000_sums.sql", "-- +goose Up\nCREATE MATERIALIZED VIEW sums AS SELECT customer_id, "+
		"sum(total_cents) AS total FROM orders GROUP BY customer_id;\n-- +goose Down\nDROP MATERIALIZED VIEW sums;\n")
	p.land()
	p.write("queries/sums.sql", "-- name: RefreshSums :exec\nREFRESH MATERIALIZED VIEW sums;\n")
	p.refuses()
	p.land()
	p.write("migrations/20250201120000_note.sql", "-- +goose Up\nCOMMENT ON TABLE orders IS 'of customers';\n"+
		"-- +goose Down\nCOMMENT ON TABLE orders IS NULL;\n")
	rules, err := p.check()
	if slices.Contains(rules, "statement-fails") || len(rules) > 1 {
		t.Errorf("refused by %v; %v", rules, err)
	}
	p.write("queries/sums.sql", "-- name: RefreshSums :exec\nREFRESH MATERIALIZED VIEW totals;\n")
	if rules, _ := p.check(); !slices.Contains(rules, "statement-fails") {
		t.Errorf("refused by %v, not by statement-fails", rules)
	}
}

// A table that statements read and none writes has the rows that migrations gave it, also where the application owns
// it: Down may take back those of Up.
func TestDownMayDeleteWhatMigrationsAloneWrite(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.write("migrations/20250102120000_rights.sql", "-- +goose Up\nCREATE TABLE rights (name text CONSTRAINT "+
		"rights_pkey PRIMARY KEY);\nCREATE TABLE logs (line text CONSTRAINT logs_pkey PRIMARY KEY);\n-- +goose Down\n"+
		"DROP TABLE logs;\nDROP TABLE rights;\n")
	p.write("queries/rights.sql", "-- name: GetRight :one\nSELECT name FROM rights WHERE name = @name;\n")
	p.land()
	const next = "migrations/20250201120000_right.sql"
	const right = "-- +goose Up\nINSERT INTO rights (name) VALUES ('tunnel');\n-- +goose Down\n" +
		"DELETE FROM rights WHERE name = 'tunnel';\n"
	p.write(next, right)
	p.refuses()
	for _, writer := range []string{"-- name: AddRight :one\n" +
		"INSERT INTO rights (name) VALUES (@name) RETURNING name;\n",
		"-- name: DropRight :execrows\n" +
			"WITH gone AS (DELETE FROM rights WHERE name = @name RETURNING name) SELECT * FROM " +
			"gone;\n"} {
		p.write("queries/more.sql", writer)
		p.refuses("down-deletes-rows")
	}
	p.write("queries/more.sql", "")
	p.write(next, strings.ReplaceAll(strings.ReplaceAll(right, "rights", "logs"), "name", "line"))
	p.refuses("down-deletes-rows") // no statement reads it: another program may write it
}

// A merged file that is formatted anew does what it did, unless the runner of migrations compares its bytes.
func TestAMergedFileMayBeFormattedAnew(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	const first = "migrations/20250102120000_log.sql"
	const text = "-- +goose Up\nCREATE TABLE logs (id uuid DEFAULT gen_random_uuid () CONSTRAINT logs_pkey PRIMARY " +
		"KEY, line text DEFAULT 'a  b');\n-- +goose Down\nDROP TABLE logs;\n"
	p.write(first, text)
	p.land()
	p.write(first, "-- Lines.\n"+strings.ReplaceAll(strings.ReplaceAll(text, "gen_random_uuid ()", "GEN_RANDOM_UUID()"),
		"CREATE TABLE", "create\n  table"))
	p.refuses()
	has(t, p.text(), "changed-migration (note)")
	settings, err := os.ReadFile(filepath.Join(p.root, "schemaguard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("schemaguard.yaml", string(settings)+"checksums: true\n")
	p.refuses("changed-migration")
	p.write("schemaguard.yaml", string(settings))
	for _, change := range []struct{ old, now string }{{"a  b", "a b"}, {"-- +goose Up", "-- +goose Up\n-- +goose NO " +
		"TRANSACTION"}, {"DROP TABLE logs", "DROP TABLE logs CASCADE"}, {"line text", "Line varchar"}} {
		p.write(first, strings.Replace(text, change.old, change.now, 1))
		p.refuses("changed-migration")
	}
}
