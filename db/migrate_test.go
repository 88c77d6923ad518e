package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
)

func TestMigratingDownAndUpAgainGivesTheSameSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	before := catalog(ctx, d.Owner())
	if len(before) < 100 {
		t.Fatalf("the catalog has %d lines", len(before))
	}
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, 0))
	if left := catalog(ctx, d.Owner()); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	must(m.Up(ctx))
	after := catalog(ctx, d.Owner())
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("is gone: %s", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("is new: %s", line)
		}
	}
}

func TestTwoMigratorsAtOnceDoNotCollide(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	before := catalog(ctx, d.Owner())
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, 0))
	for i, err := range together(2, func(int) error { return db.Migrate(ctx, d.OwnerURL) }) {
		if err != nil {
			t.Errorf("migrator %d: %v", i, err)
		}
	}
	if after := catalog(ctx, d.Owner()); !slices.Equal(before, after) {
		t.Error("the schema is another")
	}
}

// catalog lists what the migrations made, a line each, but for goose's own table.
func catalog(ctx context.Context, owner *pgxpool.Pool) (lines []string) {
	for what, query := range map[string]string{
		"relation": `SELECT relkind::text || ' ' || relname || ' ' || coalesce(reloptions::text, '') || coalesce((
				SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a), '')
			FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
		"column": `SELECT attrelid::regclass || ' ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' ||
				attnotnull || ' ' || attidentity::text || attgenerated::text || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
			FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped`,
		"constraint": "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
		"index":      "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
		"view":       "SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'",
		"trigger":    "SELECT tgrelid::regclass || ' ' || tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
		"function":   "SELECT CASE prokind WHEN 'a' THEN proname || proargtypes::text ELSE pg_get_functiondef(oid) END FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
		"enum":       "SELECT enumtypid::regtype || ' ' || string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum GROUP BY enumtypid",
	} {
		for _, line := range must(pgx.CollectRows(must(owner.Query(ctx, query)), pgx.RowTo[string])) {
			if !strings.Contains(line, "goose_db_version") {
				lines = append(lines, fmt.Sprintf("%s %s", what, line))
			}
		}
	}
	slices.Sort(lines)
	return lines
}
