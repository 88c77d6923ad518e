package db_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

func TestADatabaseThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		d := dbtest.Bare(t, "ENCODING '"+encoding+"' LC_COLLATE 'C' LC_CTYPE 'C'")
		for name, use := range map[string]func() error{
			"migrate": func() error { return db.Migrate(t.Context(), d.OwnerURL) },
			"open": func() error {
				s, err := db.OpenRaw(t.Context(), config(d.AppURL, false))
				if err == nil {
					s.Close()
				}
				return err
			},
		} {
			if err := use(); err == nil ||
				!strings.Contains(err.Error(), "the database's encoding is "+encoding+" and must be UTF8") {
				t.Errorf("%s %s: %v", name, encoding, err)
			}
		}
	}
}

// inC returns a database with the locale C, which folds only ASCII letters.
func inC(t *testing.T) *dbtest.DB {
	return dbtest.Bare(t, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
}

// inICU returns a database with a locale of ICU, whose order is that of a language. PostgreSQL may be built without it:
// then it skips the test, or fails it in CI.
func inICU(t *testing.T, locale string) *dbtest.DB {
	d := dbtest.Bare(t, "")
	if !scan[bool](t.Context(), d.Owner(), "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')") {
		if os.Getenv("CI") != "" {
			t.Fatal("this PostgreSQL has no ICU")
		}
		t.Skip("this PostgreSQL has no ICU")
	}
	return dbtest.Bare(t, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE '"+locale+"'")
}

func TestEmailsAreOneWhateverTheLocale(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := inC(t)
	must(0, db.Migrate(ctx, d.OwnerURL))
	w := (&database{openStore(t, config(d.AppURL, false)), d.Owner(), d}).fixture(ctx)
	w.must(w.createUser(ctx, w.Raw, newID(), "MÜLLER@x.example"))
	for _, email := range []string{"müller@x.example", "MU\u0308LLER@X.example", "mu\u0308ller@x.example"} {
		if err := refused(w.createUser(ctx, w.Raw, newID(), email), db.EmailTaken); err != nil {
			t.Errorf("%s: %v", email, err)
		}
		if _, err := w.GetLogin(ctx, db.GetLoginParams{TenantID: w.tenant, Email: email}); err != nil {
			t.Errorf("%s logs in: %v", email, err)
		}
	}
	w.must(w.createUser(ctx, w.Raw, newID(), "muller@x.example"))
}

// Duplicates that a locale has allowed stop the migration before it changes anything, with a message that
// quotes none of them.
func TestEmailTwinsStopTheMigration(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := inC(t)
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.UpTo(ctx, 30))
	w := &fixture{Raw: openStore(t, config(d.AppURL, false)), owner: d.Owner(), tenant: uuid.New()}
	w.set(ctx, "INSERT INTO tenants (id, slug, name) VALUES ($1, 'twins', 'Twins')")
	for _, email := range []string{"MÜLLER@x.example", "müller@x.example"} {
		w.set(ctx, `INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
			VALUES ($1, $2, $3, 'Ada', 'staff', 'hash', '')`, newID(), email)
	}
	_, err := m.Up(ctx)
	if err == nil || !strings.Contains(err.Error(), "users of 1 email addresses differ in case or composition alone") ||
		strings.Contains(err.Error(), "x.example") {
		t.Errorf("got %v", err)
	}
	if version := must(m.GetDBVersion(ctx)); version != 30 {
		t.Errorf("the schema is at version %d", version)
	}
	must(w.owner.Exec(ctx, "UPDATE users SET email = 'mueller@x.example' WHERE email = 'müller@x.example'"))
	must(m.Up(ctx))
	if err := refused(w.createUser(context.WithoutCancel(ctx), w.Raw, newID(), "müller@x.example"),
		db.EmailTaken); err != nil {
		t.Error(err)
	}
}
