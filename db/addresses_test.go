package db_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"waybill/db"
	files "waybill/sql"
)

// A slug must be valid as a label of a host name.
func TestSlugsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	owner := db.New(d.owner)
	for slug, good := range map[string]bool{
		"a": true, "acme": true, "acme-couriers": true, "a1-b2-c3": true, strings.Repeat("a", 63): true,
		"": false, "-": false, "-a": false, "a-": false, "a--b": false, "1a": false, "Acme": false, "a_b": false,
		"a b": false, " a": false, "a\n": false, "a.b": false, "ä": false, strings.Repeat("a", 64): false,
	} {
		_, err := owner.CreateTenant(ctx, db.CreateTenantParams{ID: newID(), Slug: slug, Name: "Tenant"})
		if good && err != nil || !good && (code(err) != db.ValidationFailed || db.Explain(err).Field != "slug") {
			t.Errorf("%q: %v", slug, err)
		}
	}
}

// The migration stops at invalid addresses from before the rule. Its message says how many there are and
// how to find them, and quotes none of them.
func TestAnAddressThatIsNoneStopsTheMigration(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	names := must(fs.Glob(files.Migrations, "migrations/*_strict_addresses.sql"))
	must(m.DownTo(ctx, must(goose.NumericComponent(names[0]))-1))
	must(d.owner.Exec(ctx, "UPDATE users SET email = 'Bob<bob@x>' WHERE id = $1", w.staff.UserID))
	must(d.owner.Exec(ctx, "UPDATE tenants SET slug = slug || '--x' WHERE id = $1", w.tenant))
	_, err := m.Up(ctx)
	if err == nil || !strings.Contains(err.Error(), "1 users") || !strings.Contains(err.Error(), "1 tenants") ||
		!strings.Contains(err.Error(), "To find them: SELECT") || strings.Contains(err.Error(), "Bob") {
		t.Fatal(err)
	}
	must(d.owner.Exec(ctx, "UPDATE users SET email = 'bob@x' WHERE id = $1", w.staff.UserID))
	must(d.owner.Exec(ctx, "UPDATE tenants SET slug = replace(slug, '--x', '') WHERE id = $1", w.tenant))
	must(m.Up(ctx))
}
