package db_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"waybill/db/dbtest"
	"waybill/sql"
)

// Our migrations contain River's, one file each, as its pinned release exports them. A release with a new
// one fails here: export it into a file of the next number.
func TestRiversMigrationsAreThoseOfItsRelease(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	migrator := must(rivermigrate.New(riverpgxv5.New(dbtest.New(t).Owner()), nil))
	for _, v := range migrator.AllVersions() {
		want := asGoose(v)
		name := fmt.Sprintf("%05d_river_v%d.sql", 13+v.Version, v.Version)
		if text, _ := sql.Migrations.ReadFile(path.Join("migrations", name)); string(text) != want {
			t.Errorf("%s is not River's version %d (%s). It would be:\n%s", name, v.Version, v.Name, want)
		}
	}
	result := must(migrator.Validate(ctx, nil))
	if !result.OK {
		t.Errorf("River rejects its schema: %s", strings.Join(result.Messages, "; "))
	}
	applied := must(migrator.ExistingVersions(ctx))
	if all := migrator.AllVersions(); len(applied) != len(all) ||
		applied[len(applied)-1].Version != all[len(all)-1].Version {
		t.Errorf("%d of River's %d versions are applied", len(applied), len(all))
	}
}

// asGoose returns the text of a migration's file: without River's marks for another schema, and with the
// line in its own table by which River knows what was applied.
func asGoose(v rivermigrate.Migration) string {
	own := func(text string) string {
		return strings.TrimSpace(strings.ReplaceAll(text, "/* TEMPLATE: schema */", ""))
	}
	columns, values := "(version)", fmt.Sprintf("(%d)", v.Version)
	if v.Version >= 5 {
		columns, values = "(line, version)", fmt.Sprintf("('main', %d)", v.Version)
	}
	forget := fmt.Sprintf("DELETE FROM river_migration WHERE version = %d;\n", v.Version)
	if v.Version == 1 {
		forget = ""
	}
	return fmt.Sprintf(`-- River's own migration %d, %q, as it exports it: a test holds it against the pinned release.

-- +goose Up
-- +goose StatementBegin
%s
-- +goose StatementEnd
INSERT INTO river_migration %s VALUES %s;

-- +goose Down
-- +goose StatementBegin
%s
-- +goose StatementEnd
%s`, v.Version, v.Name, own(v.SQLUp), columns, values, own(v.SQLDown), forget)
}
