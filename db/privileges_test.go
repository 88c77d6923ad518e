package db_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

func TestTheApplicationIsNeitherOwnerNorSuperuser(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	var role string
	var super, createDB, createRole, owns bool
	must(0, d.Pool().QueryRow(ctx, `SELECT r.rolname, rolsuper, rolcreatedb, rolcreaterole, EXISTS (
			SELECT FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
			    AND pg_has_role(r.oid, c.relowner, 'USAGE'))
		FROM pg_roles AS r WHERE rolname = current_user`).Scan(&role, &super, &createDB, &createRole, &owns))
	if role != db.AppRole || super || createDB || createRole || owns {
		t.Errorf("%s: superuser %v, createdb %v, createrole %v, owner %v", role, super, createDB, createRole, owns)
	}
}

func TestTheApplicationMayNeitherChangeTheSchemaNorRewriteHistory(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, statement := range []string{
		"CREATE TABLE mine (id int)", "CREATE SCHEMA mine",
		"CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
		"ALTER TABLE pickups DISABLE TRIGGER ALL",
		"ALTER TABLE pickups DROP CONSTRAINT pickups_driver_check",
		"DROP TABLE pickup_events",
		"DROP INDEX only_one_assigned_driver",
		"TRUNCATE ledger_entries",
		"CREATE INDEX ON accounts (name)",
		"SET session_replication_role = replica",
		"UPDATE ledger_entries SET amount_cents = 1",
		"DELETE FROM ledger_entries",
		"UPDATE pickup_events SET after = 'DELIVERED'",
		"DELETE FROM pickup_events",
		"UPDATE pickup_transitions SET roles = '{staff}'",
		"INSERT INTO pickup_transitions SELECT * FROM pickup_transitions",
		"DELETE FROM pickup_transitions",
		"UPDATE phi_reads SET user_id = patient_id",
		"DELETE FROM phi_reads",
		"UPDATE feed_reports SET created = 1",
		"UPDATE patient_reads SET user_id = id", "DELETE FROM patient_reads",
		"UPDATE patient_consents SET allowed = true",
		"DELETE FROM patient_consents",
		"DELETE FROM patients",
		"UPDATE patient_facilities SET facility_id = patient_id",
		"DELETE FROM patient_facilities",
		"ALTER TABLE patients DISABLE ROW LEVEL SECURITY",
		"DROP POLICY patients_viewers ON patients",
		"CREATE POLICY mine ON patients USING (true)",
		"ALTER ROLE waybill_app BYPASSRLS",
		"UPDATE pickup_transitions SET text = 'another'",
		"DELETE FROM messages",
		"TRUNCATE river_job", "ALTER TABLE river_job DISABLE TRIGGER ALL",
		"INSERT INTO river_migration (line, version) VALUES ('main', 99)",
		"SELECT setval('river_job_id_seq', 1)",
		"DELETE FROM backfills",
		"INSERT INTO backfills (name, table_name) VALUES ('mine', 'pickups')",
		"UPDATE backfills SET table_name = 'users'",
		"DELETE FROM migration_files",
		"UPDATE migration_files SET compatible_from = 1",
		"DELETE FROM pickups", "DELETE FROM pickup_counts", "DELETE FROM pickup_searches",
		"UPDATE pickup_count_changes SET status = 'DRAFT'",
		"DELETE FROM accounts",
		"UPDATE account_facilities SET facility_id = account_id",
		"DELETE FROM users",
		"DELETE FROM webhook_endpoints", "DELETE FROM webhook_endpoint_counts", "TRUNCATE webhook_deliveries",
		"INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'mine', 'Mine')",
		"UPDATE tenants SET name = 'Mine'",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)",
	} {
		_, err := d.Pool().Exec(t.Context(), statement)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != "42501" {
			t.Errorf("%s: got %v, want 42501", statement, err)
		}
	}
}

// deletable are the tables of which the application deletes rows, each with why.
var deletable = map[string]string{
	"phone_numbers":           "remove-phone-number",
	"sessions":                "logout, and sessions that have ended",
	"group_members":           "remove-group-member",
	"group_facilities":        "remove-group-facility",
	"account_facilities":      "remove-account-facility",
	"feed_reports":            "of a facility, those behind its last hundred",
	"appointment_feed_chunks": "what a feed staged, once it is applied",
	"login_attempts":          "attempts that have expired",
	"login_buckets":           "buckets that are full again",
	"pickup_count_changes":    "changes that were folded into the counts",
	"webhook_deliveries":      "settled ones after 30 days",
	"webhook_queues":          "queues with no delivery left",
	"river_job":               "River's own",
	"river_leader":            "River's own",
	"river_queue":             "River's own",
}

// Whatever table a migration adds, the application deletes nothing of it until that is said here, and cannot empty it.
func TestTheApplicationDeletesNothingUnlessItIsSaid(t *testing.T) {
	t.Parallel()
	d := open(t)
	var table string
	var deletes, truncates bool
	named := 0
	must(pgx.ForEachRow(must(d.owner.Query(t.Context(), `
		SELECT relname::text, has_table_privilege($1, oid, 'DELETE'), has_table_privilege($1, oid, 'TRUNCATE')
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`, db.AppRole)),
		[]any{&table, &deletes, &truncates}, func() error {
			if named++; truncates || deletes != (deletable[table] != "") {
				t.Errorf("%s: the application may delete rows: %t, which is said to be %q; and truncate it: %t", table,
					deletes, deletable[table], truncates)
			}
			return nil
		}))
	if named < 40 {
		t.Errorf("only %d tables", named)
	}
}
