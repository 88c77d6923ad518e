package db_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
)

// constraint is one of the catalog.
type constraint struct {
	Name    string
	Table   string   // "": it is raised by a trigger
	Columns []string // by name
	IsKey   bool     // the primary key
}

// constraintsOf lists the constraints in the catalog, the unique indexes that are not constraints, and
// what the triggers' functions raise; without the tables of goose and River, which no request writes.
func constraintsOf(ctx context.Context, owner *pgxpool.Pool) []constraint {
	return must(pgx.CollectRows(must(owner.Query(ctx, `
		WITH own AS (
			SELECT oid, relname::text FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
				AND relname <> 'goose_db_version' AND relname NOT LIKE 'river\_%'
		)
		SELECT DISTINCT ON (name) name, "table", columns, is_key
		FROM (
			SELECT conname::text AS name, own.relname AS "table", ARRAY(
					SELECT attname::text FROM pg_attribute
					WHERE attrelid = conrelid AND attnum = ANY (conkey) ORDER BY 1
				) AS columns, contype = 'p' AS is_key
			FROM pg_constraint JOIN own ON own.oid = conrelid
			WHERE contype IN ('c', 'u', 'p', 'f', 'x')
			UNION ALL
			SELECT i.relname::text, own.relname, '{}', false
			FROM pg_index JOIN own ON own.oid = indrelid JOIN pg_class AS i ON i.oid = indexrelid
			WHERE indisunique
			UNION ALL
			SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''(\w+)''', 'g'))[1], '', '{}', false FROM pg_proc
			WHERE pronamespace = 'public'::regnamespace
		) AS c
		ORDER BY name, is_key DESC, columns DESC`)), pgx.RowToStructByPos[constraint]))
}

func TestEveryConstraintHasACode(t *testing.T) {
	t.Parallel()
	catalog, named := constraintsOf(t.Context(), open(t).owner), map[string]bool{}
	for _, c := range catalog {
		named[c.Name] = true
		if _, _, ok := db.MeaningOf(c.Table, c.Name); !ok {
			t.Errorf("a constraint without a code: %s; its code and field go into violations (db/constraints.go)",
				c.Name)
		}
	}
	for _, name := range db.ListedConstraints() {
		if !named[name] {
			t.Errorf("no migration makes %s, which violations (db/constraints.go) has", name)
		}
	}
}

// What the name of a constraint says is so: where it is not, or more is to be said, violations (db/constraints.go)
// has it; and has nothing else.
func TestConstraintsMeanWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	listed, hidden := db.ListedConstraints(), hiddenColumns(t)
	for _, c := range constraintsOf(t.Context(), open(t).owner) {
		code, field, ok := db.ConventionalMeaning(c.Table, c.Name)
		if !ok {
			continue
		}
		listedCode, listedField, _ := db.MeaningOf(c.Table, c.Name)
		switch isListed := slices.Contains(listed, c.Name); {
		case !isListed && !c.is(code, field, hidden):
			t.Errorf("%s would be answered as %s of %q, by its name, and is on %v: it belongs into violations "+
				"(db/constraints.go)", c.Name, code, field, c.Columns)
		case isListed && listedCode == code && listedField == field && c.is(code, field, hidden):
			t.Errorf("%s is in violations (db/constraints.go), and its name says the same", c.Name)
		}
	}
	for _, c := range []constraint{{Name: "river_job_pkey", Table: "river_job"}, {Name: "pickups_note_check"},
		{Name: "goose_db_version_pkey", Table: "goose_db_version"}, {Name: "note_check", Table: "pickups"},
		{Name: "pickups_note_key", Table: "pickups"}, {Name: "pickups_driver_fkey", Table: "pickups"}} {
		if code, _, ok := db.ConventionalMeaning(c.Table, c.Name); ok {
			t.Errorf("%s of %q means %s, by its name", c.Name, c.Table, code)
		}
	}
}

// is reports whether a constraint is, by its columns, what its name says.
func (c constraint) is(code db.Code, field string, hidden map[string]bool) bool {
	switch code {
	case db.IDReused:
		return c.IsKey && (slices.Equal(c.Columns, []string{"id"}) ||
			slices.Equal(c.Columns, []string{"id", "tenant_id"}))
	case db.NotFound:
		return slices.Equal(c.Columns, []string{"tenant_id"})
	}
	return slices.Equal(c.Columns, []string{field}) && !hidden[c.Table+"."+field]
}

// hiddenColumns are the columns that clients never see, by sqlc.yaml: those of pickups, which are encoded by hand,
// aside.
func hiddenColumns(t *testing.T) map[string]bool {
	t.Helper()
	hidden := map[string]bool{}
	for _, m := range regexp.MustCompile(`\{column: "?(\w+\.\w+)"?, go_struct_tag: 'json:"-"'\}`).
		FindAllStringSubmatch(string(must(os.ReadFile("../sqlc.yaml"))), -1) {
		hidden[m[1]] = true
	}
	if !hidden["patients.allowed_facilities"] {
		t.Fatalf("hidden are %v", hidden)
	}
	return hidden
}

// breaches are statements that violate one constraint each, run as the owner; of constraints whose names say their
// meaning, only those for which w.tries finds none. In them $w is a fixture's
// tenant, and the others name its rows; $new is an id of no row.
var breaches = map[string]string{
	"tenants_pkey":       "INSERT INTO tenants (id, slug, name) VALUES ($w, 'another', 'T')",
	"tenants_slug_key":   "INSERT INTO tenants (id, slug, name) SELECT $new, slug, 'T' FROM tenants WHERE id = $w",
	"tenants_slug_check": "UPDATE tenants SET slug = 'Not a slug' WHERE id = $w",
	"tenants_name_check": "UPDATE tenants SET name = ' ' WHERE id = $w",

	"users_email_folded_key": "UPDATE users SET email = (SELECT upper(email) FROM users WHERE id = $staff) WHERE " +
		"id = $hub",

	"phone_numbers_user_fkey": "INSERT INTO phone_numbers VALUES ($w, $new, $new, '+14155550188', '', now())",
	// The application changes no number: it is inserted, or removed.
	"phone_numbers_number_check": "INSERT INTO phone_numbers VALUES ($w, $new, $staff, '0123', '', now())",

	"phone_numbers_number_key": "INSERT INTO phone_numbers VALUES ($w, $new, $hub, '+14155550123', '', now())",

	"sessions_user_fkey":        "UPDATE sessions SET user_id = $new WHERE tenant_id = $w",
	"sessions_token_hash_check": `UPDATE sessions SET token_hash = '\x00' WHERE tenant_id = $w`,

	"login_attempts_pkey": "INSERT INTO login_attempts (key, expires_at) SELECT decode(repeat(md5($w::text), " +
		"2), 'hex'), now() FROM generate_series(1, 2)",
	"login_attempts_key_check": `INSERT INTO login_attempts (key, expires_at) VALUES ('\x00', now())`,
	"login_buckets_pkey": "INSERT INTO login_buckets SELECT decode(repeat(md5($w::text), 2), 'hex'), now() " +
		"FROM generate_series(1, 2)",
	"login_buckets_key_check": `INSERT INTO login_buckets VALUES ('\x00', now())`,

	"backfills_pkey": "INSERT INTO backfills (name, table_name) SELECT $w::text, '' " +
		"FROM generate_series(1, 2)",
	"backfills_state_check":    "INSERT INTO backfills (name, table_name, state) VALUES ($w::text, '', 'OTHER')",
	"backfills_finished_check": "INSERT INTO backfills (name, table_name, state) VALUES ($w::text, '', 'DONE')",

	"migration_files_pkey": "INSERT INTO migration_files SELECT * FROM migration_files",
	"migration_files_checksum_check": `INSERT INTO migration_files (version, name, checksum)
		VALUES (99999, '', '\x00')`,
	"migration_files_compatible_check": "UPDATE migration_files SET compatible_from = version + 1",

	"facilities_tenant_fkey": "INSERT INTO facilities VALUES ($new, $new, 'F', 'A', 0, 0, 1, '', now())",

	"groups_tenant_fkey":             "INSERT INTO groups VALUES ($new, $new, 'G', 1, '', now())",
	"group_members_group_fkey":       "INSERT INTO group_members VALUES ($w, $new, $staff)",
	"group_members_user_fkey":        "UPDATE group_members SET user_id = $new WHERE user_id = $staff",
	"group_facilities_group_fkey":    "INSERT INTO group_facilities VALUES ($w, $new, $facility)",
	"group_facilities_facility_fkey": "UPDATE group_facilities SET facility_id = $new WHERE facility_id = $facility",

	"accounts_tenant_fkey":         "INSERT INTO accounts VALUES ($new, $new, 'A', 'USD', 0, 0, 1, '', now())",
	"accounts_balance_check":       "UPDATE accounts SET balance_cents = -1 WHERE id = $account",
	"accounts_balance_limit_check": "UPDATE accounts SET balance_cents = 9007199254740992 WHERE id = $account",

	"account_facilities_pkey": "INSERT INTO account_facilities SELECT $w, $account, $facility, now() " +
		"FROM generate_series(1, 2)",
	"account_facilities_account_fkey":  "INSERT INTO account_facilities VALUES ($w, $new, $facility, now())",
	"account_facilities_facility_fkey": "INSERT INTO account_facilities VALUES ($w, $account, $new, now())",

	"account_keys_account_fkey": "INSERT INTO account_keys VALUES ($w, $new)",

	"ledger_entries_pkey": "INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, " +
		"actor_id, request_digest) SELECT tenant_id, id, account_id, kind, 1, actor_id, '' FROM ledger_entries WHERE " +
		"account_id = $account LIMIT 1",
	"ledger_entries_account_fkey": "INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, " +
		"actor_id, request_digest) VALUES ($w, $new, $new, 'charge', 1, $w, '')",
	"ledger_entries_pickup_fkey":  "UPDATE ledger_entries SET pickup_id = $new WHERE account_id = $account",
	"ledger_entries_amount_check": "UPDATE ledger_entries SET amount_cents = 0 WHERE account_id = $account",

	"drivers_tenant_fkey": "INSERT INTO drivers (tenant_id, id, name, request_digest) VALUES ($new, $new, " +
		"'D', '')",
	"drivers_user_fkey": "UPDATE drivers SET user_id = $new WHERE id = $driver",
	"drivers_user_key": "UPDATE drivers SET user_id = (SELECT user_id FROM drivers WHERE id = $other) WHERE " +
		"id = $driver",
	"drivers_location_check":   "UPDATE drivers SET longitude = NULL WHERE id = $driver",
	"driver_slots_driver_fkey": "INSERT INTO driver_slots VALUES ($w, $new, NULL, true)",
	"driver_slots_pickup_fkey": "UPDATE driver_slots SET pickup_id = $new WHERE driver_id = $other",
	"driver_slots_pickup_key":  "UPDATE driver_slots SET pickup_id = $pickup WHERE driver_id = $other",

	"pickup_transitions_pkey":        "INSERT INTO pickup_transitions SELECT * FROM pickup_transitions LIMIT 1",
	"pickup_transitions_text_check":  "UPDATE pickup_transitions SET text = ' ' WHERE transition = 'cancel'",
	"pickup_transitions_money_check": "UPDATE pickup_transitions SET money = 'deposit' WHERE transition = 'cancel'",
	"pickup_transitions_slot_check":  "UPDATE pickup_transitions SET slot = 'take' WHERE transition = 'cancel'",
	"pickup_counts_pkey":             "INSERT INTO pickup_counts SELECT $w, $w, 'DRAFT', 1 FROM generate_series(1, 2)",
	"pickup_count_changes_pkey": "INSERT INTO pickup_count_changes OVERRIDING SYSTEM VALUE SELECT $w, $w, 0, " +
		"'DRAFT', 1 FROM generate_series(1, 2)",
	"pickups_facility_fkey": "UPDATE pickups SET facility_id = $new WHERE id = $draft",
	"pickups_account_fkey":  "UPDATE pickups SET account_id = $new WHERE id = $draft",
	"pickups_driver_fkey": "UPDATE pickups SET status = 'ASSIGNED', previous_status = 'SUBMITTED', " +
		"driver_id = $new WHERE id = $submitted",
	"only_one_assigned_driver": "UPDATE pickups SET status = 'ASSIGNED', previous_status = 'SUBMITTED', " +
		"driver_id = $driver WHERE id = $submitted",
	"pickups_transition_check": "UPDATE pickups SET status = 'DELIVERED', previous_status = 'DRAFT' WHERE id " +
		"= $draft",
	"pickups_driver_check": "UPDATE pickups SET status = 'ASSIGNED', previous_status = 'SUBMITTED' WHERE " +
		"id = $submitted",
	"pickups_charged_check":  "UPDATE pickups SET charged_cents = 1 WHERE id = $draft",
	"pickups_refunded_check": "UPDATE pickups SET refunded_cents = 1 WHERE id = $draft",
	"pickups_price_check":    "UPDATE pickups SET price_cents = -1 WHERE id = $draft",
	"pickups_latitude_check": "UPDATE pickups SET pickup_latitude = -91, pickup_longitude = 0 WHERE id " +
		"= $draft",
	"pickups_longitude_check": "UPDATE pickups SET pickup_latitude = 0, pickup_longitude = -181 WHERE id " +
		"= $draft",
	"pickups_point_check":  "UPDATE pickups SET pickup_latitude = 1 WHERE id = $draft",
	"pickups_window_check": "UPDATE pickups SET window_start = now(), window_end = now() WHERE id = $draft",

	"patients_facility_fkey": "UPDATE patients SET facility_id = $new WHERE id = $patient",
	"patients_external_id_key": "INSERT INTO patients SELECT tenant_id, $new, facility_id, external_id, " +
		"given_name, family_name, birth_date FROM patients WHERE id = $patient",

	"patient_facilities_patient_fkey":  "INSERT INTO patient_facilities VALUES ($w, $new, $facility)",
	"patient_facilities_facility_fkey": "INSERT INTO patient_facilities VALUES ($w, $patient, $new)",
	"patient_consents_pkey": "INSERT INTO patient_consents (tenant_id, id, patient_id, facility_id, " +
		"allowed, actor_id, seq) VALUES ($w, $new, $patient, $facility, true, $staff, 1), ($w, $new, $patient, " +
		"$facility, true, $staff, 2)",
	"patient_consents_seq_key": "INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, " +
		"actor_id, seq) VALUES ($w, $patient, $facility, true, $staff, 1), ($w, $patient, $facility, true, $staff, 1)",
	"patient_reads_pkey": "INSERT INTO patient_reads SELECT $w, $new, $staff, 'x', ARRAY[$patient::uuid], now() " +
		"FROM generate_series(1, 2)",
	"pickups_patient_fkey": "UPDATE pickups SET patient_id = $new WHERE id = $draft",

	"appointments_facility_fkey": "UPDATE appointments SET facility_id = $new WHERE id = $appointment",
	"appointments_patient_fkey":  "UPDATE appointments SET patient_id = $new WHERE id = $appointment",
	"appointments_external_id_key": "INSERT INTO appointments SELECT tenant_id, $new, facility_id, patient_id, " +
		"external_id, starts_at, ends_at, status FROM appointments WHERE id = $appointment",
	"appointments_range_check": "UPDATE appointments SET ends_at = starts_at WHERE id = $appointment",
	"appointment_feeds_pkey": "INSERT INTO appointment_feeds VALUES ($w, $facility, now()), ($w, " +
		"$facility, now())",
	"appointment_feeds_facility_fkey": "INSERT INTO appointment_feeds VALUES ($w, $new, now())",
	"feed_reports_pkey": "INSERT INTO feed_reports SELECT $w, $new, $facility, $staff, now(), 'APPLIED', NULL, 0, 0, " +
		"0, 0, 0, 0, NULL, '{}', '{}', '{}' FROM generate_series(1, 2)",
	"feed_reports_facility_fkey": "INSERT INTO feed_reports SELECT $w, $new, $new, $staff, now(), 'APPLIED', " +
		"NULL, 0, 0, " +
		"0, 0, 0, 0, NULL, '{}', '{}', '{}'",
	"feed_reports_code_check": "INSERT INTO feed_reports SELECT $w, $new, $facility, $staff, now(), 'APPLIED', " +
		"'internal', " +
		"0, 0, 0, 0, 0, 0, NULL, '{}', '{}', '{}'",
	"feed_reports_errors_check": "INSERT INTO feed_reports SELECT $w, $new, $facility, $staff, now(), " +
		"'APPLIED', NULL, " +
		"0, 0, 0, 0, 0, 0, NULL, '{1}', '{}', '{x}'",
	"feed_reports_fields_check": "INSERT INTO feed_reports SELECT $w, $new, $facility, $staff, now(), " +
		"'REFUSED', 'x', " +
		"0, 0, 0, 0, 0, 0, NULL, '{1}', '{Ada}', '{x}'",
	"appointment_feed_chunks_pkey": "INSERT INTO appointment_feed_chunks SELECT $w, $new, 0, '{}', '{}', '{}', " +
		"'{}', '{}', '{}', '{}', '{}', '{}', '{}' FROM generate_series(1, 2)",

	"pickup_events_pkey": "INSERT INTO pickup_events (tenant_id, id, pickup_id, version, " +
		"transition, actor_id, before, after, request_digest) SELECT tenant_id, id, pickup_id, 99, transition, " +
		"actor_id, before, after, '' FROM pickup_events WHERE pickup_id = $pickup LIMIT 1",
	"pickup_events_pickup_fkey": "UPDATE pickup_events SET pickup_id = $new WHERE pickup_id = $submitted",
	"pickup_events_version_key": "UPDATE pickup_events SET version = 2 WHERE pickup_id = $pickup",
	"event_histories_pkey":      "INSERT INTO event_histories SELECT id, 1, 1, 1, 1, 1 FROM event_histories LIMIT 1",
	"event_histories_place_key": "INSERT INTO event_histories SELECT '0123456789ab', system_identifier, timeline, " +
		"database_id, table_id, 1 FROM event_histories LIMIT 1",
	"pickup_events_stream_key": "INSERT INTO pickup_events (tenant_id, id, pickup_id, version, " +
		"transition, actor_id, before, after, request_digest, xid, seq) OVERRIDING SYSTEM VALUE SELECT tenant_id, " +
		"$new, pickup_id, 99, transition, actor_id, before, after, '', xid, seq FROM pickup_events WHERE pickup_id = " +
		"$pickup LIMIT 1",
	"pickup_events_idempotency_key": "UPDATE pickup_events SET idempotency_key = 'k' WHERE pickup_id = $pickup",

	"messages_event_fkey": "UPDATE messages SET event_id = $new WHERE pickup_id = $submitted",
	"messages_event_key": "INSERT INTO messages SELECT tenant_id, $new, pickup_id, event_id, to_number, body, " +
		"status, reason FROM messages WHERE pickup_id = $submitted",
	"messages_reason_check": "UPDATE messages SET status = 'FAILED', reason = 'It said: no' WHERE pickup_id = " +
		"$submitted",
	"messages_no_number_check": "UPDATE messages SET to_number = NULL WHERE pickup_id = $submitted",
	"messages_failed_check":    "UPDATE messages SET reason = 'refused' WHERE pickup_id = $submitted",
	"messages_sent_check":      "UPDATE messages SET status = 'SENT' WHERE pickup_id = $submitted",

	"pickup_adjustment_rules_pkey":             "INSERT INTO pickup_adjustment_rules VALUES ('refund', '{}')",
	"pickup_adjustment_rules_adjustment_check": "INSERT INTO pickup_adjustment_rules VALUES ('gift', '{}')",
	"pickup_adjustments_pkey": "INSERT INTO pickup_adjustments SELECT $w, $pickup, 9, 'refund', 1, 1, $staff, " +
		"NULL, '' " +
		"FROM generate_series(1, 2)",
	"pickup_adjustments_pickup_fkey": "INSERT INTO pickup_adjustments VALUES ($w, $new, 9, 'refund', 1, 1, $staff, " +
		"NULL, '')",
	"pickup_adjustments_adjustment_check": "INSERT INTO pickup_adjustments VALUES ($w, $pickup, 9, 'gift', 1, 1, " +
		"$staff, " +
		"NULL, '')",
	"pickup_adjustments_idempotency_key": "INSERT INTO pickup_adjustments SELECT $w, $pickup, n, 'refund', 1, 1, " +
		"$staff, " +
		"'key', '' FROM generate_series(8, 9) AS n",
	"pickup_adjustments_idempotency_key_check": "INSERT INTO pickup_adjustments VALUES ($w, $pickup, 9, " +
		"'refund', 1, 1, " +
		"$staff, '', '')",

	"message_resends_pkey": "INSERT INTO message_resends SELECT tenant_id, id, 1 FROM messages CROSS JOIN " +
		"generate_series(1, 2) WHERE pickup_id = $submitted",
	"message_resends_message_fkey": "INSERT INTO message_resends VALUES ($w, $new, 1)",
	"message_resends_idempotency_key": "INSERT INTO message_resends SELECT tenant_id, id, n, NULL, 'key' FROM " +
		"messages CROSS JOIN generate_series(1, 2) AS n WHERE pickup_id = $submitted",
	"message_resends_idempotency_key_check": "INSERT INTO message_resends SELECT tenant_id, id, 1, NULL, '' FROM " +
		"messages WHERE pickup_id = $submitted",
	"message_resends_request_check": "INSERT INTO message_resends SELECT tenant_id, id, 1, $staff FROM messages " +
		"WHERE pickup_id = $submitted",

	"webhook_endpoints_pkey": newEndpoint("$w, $w, 'https://a.example', '{}', 's'") +
		" CROSS JOIN generate_series(1, 2)",
	"webhook_endpoints_tenant_fkey":  newEndpoint("$new, $new, 'https://a.example', '{}', 's'"),
	"webhook_endpoints_url_check":    newEndpoint("$w, $new, 'ftp://a.example', '{}', 's'"),
	"webhook_endpoints_events_check": newEndpoint("$w, $new, 'https://a.example', '{NULL}', 's'"),
	"webhook_endpoints_secret_check": newEndpoint("$w, $new, 'https://a.example', '{}', NULL"),
	"webhook_endpoints_former_secret_check": "INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, " +
		"former_secret, request_digest, cursor_first_seq) VALUES ($w, $new, 'https://a.example', '{}', 's', " +
		"'s', '', 0)",
	"webhook_endpoint_counts_pkey": "INSERT INTO webhook_endpoint_counts SELECT $w, 1 FROM " +
		"generate_series(1, 2)",
	"webhook_endpoint_counts_tenant_fkey":     "INSERT INTO webhook_endpoint_counts VALUES ($new, 1)",
	"webhook_endpoint_counts_endpoints_check": "INSERT INTO webhook_endpoint_counts VALUES ($w, 21)",

	"webhook_queues_pkey": "INSERT INTO webhook_queues SELECT $w, $new, $new, 0, now() FROM " +
		"generate_series(1, 2)",
	"webhook_queues_endpoint_fkey":          "INSERT INTO webhook_queues VALUES ($w, $new, $new, 1, now())",
	"webhook_queues_pending_check":          "INSERT INTO webhook_queues VALUES ($w, $new, $new, -1, now())",
	"webhook_deliveries_pkey":               newDelivery("now()") + " CROSS JOIN generate_series(1, 2)",
	"webhook_deliveries_endpoint_fkey":      newDelivery("now()"),
	"webhook_deliveries_next_attempt_check": newDelivery("NULL::timestamptz"),
}

// newEndpoint inserts an endpoint with a tenant, an id, a URL, events and a secret.
func newEndpoint(values string) string {
	return "INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, request_digest, cursor_first_seq) " +
		"SELECT " + values + ", '', 0 FROM (SELECT) AS one"
}

// newDelivery inserts a pending delivery to no endpoint.
func newDelivery(next string) string {
	return "INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, seq, next_attempt_at) " +
		"SELECT $w, $new, $new, 'webhook.ping', 0, " + next + " FROM (SELECT) AS one"
}

func TestEveryConstraintRefusesWithItsCode(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	all := w.breaches(ctx, w.named(ctx))
	catalog := constraintsOf(ctx, w.owner)
	for _, c := range catalog {
		if err := w.violates(ctx, c, w.triesOf(ctx, c, all)); err != nil {
			t.Error(err)
		}
	}
	for name := range all {
		if !slices.ContainsFunc(catalog, func(c constraint) bool { return c.Name == name }) {
			t.Errorf("a statement violates %s, which no migration makes", name)
		}
	}
}

// breaches returns the statements that violate a constraint by its name, of all files, and inserts the rows that they
// need.
func (w *fixture) breaches(ctx context.Context, named *strings.Replacer) map[string]string {
	all := map[string]string{}
	add := func(statements map[string]string) {
		for name, statement := range statements {
			all[name] = named.Replace(statement)
		}
	}
	add(breaches)
	for _, n := range nouns {
		if n.rows != "" {
			must(w.owner.Exec(ctx, n.rows, w.tenant, 1))
		}
		add(n.breaches)
	}
	return all
}

// triesOf returns the statement that violates a constraint, or else what its name says.
func (w *fixture) triesOf(ctx context.Context, c constraint, all map[string]string) []string {
	if all[c.Name] != "" {
		return []string{all[c.Name]}
	}
	return w.tries(ctx, c)
}

// violates returns an error unless one of the statements violates the constraint, which is answered as it should be.
func (w *fixture) violates(ctx context.Context, c constraint, statements []string) error {
	var others error
	for _, statement := range statements {
		err := breach(ctx, w.owner, statement)
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.ConstraintName != c.Name {
			others = errors.Join(others, err)
			continue
		}
		code, field, _ := db.MeaningOf(c.Table, c.Name)
		if explained := db.Explain(err); explained.Code != code || explained.Field != field ||
			strings.Contains(explained.Error(), server.Message) {
			return fmt.Errorf("%s: explained as %v of %q", c.Name, explained, explained.Field)
		}
		return nil
	}
	return fmt.Errorf("no statement violates %s: one goes into breaches (db/constraints_test.go), or to those of its "+
		"noun. Tried were %d: %w", c.Name, len(statements), others)
}

// wrong are values that the checks of a type's columns may refuse.
var wrong = map[string][]string{
	"text": {"''", "' '", "'?'", "repeat('x', 100000)"}, "float8": {"'NaN'", "-1e9", "1e9"},
	"int8": {"-1", "0", "9223372036854775807"}, "int4": {"-1", "0", "2147483647"},
	"uuid": {"'00000000-0000-0000-0000-000000000000'"}, "date": {"'0001-01-01'", "'9999-01-01'"},
}

// tries returns statements of which one may violate a constraint whose name says what it means, in a row that the
// tenant has.
func (w *fixture) tries(ctx context.Context, c constraint) (statements []string) {
	code, field, ok := db.ConventionalMeaning(c.Table, c.Name)
	row := fmt.Sprintf(" WHERE ctid = (SELECT ctid FROM %s WHERE tenant_id = '%s' LIMIT 1)", c.Table, w.tenant)
	switch {
	case !ok:
	case code == db.IDReused:
		statements = append(statements, "INSERT INTO "+c.Table+" SELECT * FROM "+c.Table+row)
	case code == db.NotFound:
		statements = append(statements, fmt.Sprintf("UPDATE %s SET tenant_id = '%s'", c.Table, newID())+row)
	case slices.Contains(c.Columns, field):
		for _, value := range wrong[w.typeOf(ctx, c.Table, field)] {
			statements = append(statements, fmt.Sprintf("UPDATE %s SET %s = %s", c.Table, field, value)+row)
		}
	}
	return statements
}

// typeOf returns the name of a column's type.
func (w *fixture) typeOf(ctx context.Context, table, column string) string {
	return scan[string](ctx, w.owner, `SELECT t.typname::text FROM pg_attribute AS a
		JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = $1::text::regclass AND a.attname = $2`,
		table, column)
}

// named replaces the placeholders in a breach by the ids of a fixture's rows.
func (w *fixture) named(ctx context.Context) *strings.Replacer {
	driver, other, phone := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2), newID()
	w.must(addNumber(ctx, w.as, w.staff, phone, "+14155550123"))
	must(openSession(ctx, w.as, w.staff, "old hash"))
	ids := map[string]uuid.UUID{
		"$w": w.tenant, "$new": newID(), "$staff": w.staff.UserID, "$hub": w.hub.UserID, "$phone": phone,
		"$facility": w.facility, "$hidden": w.hidden, "$account": w.account,
		"$driver": driver.DriverID, "$other": other.DriverID,
		"$pickup": w.assigned(ctx, driver), "$draft": w.pickup(ctx), "$submitted": w.submitted(ctx),
		"$patient": w.patient(ctx), "$appointment": newID(),
	}
	must(w.owner.Exec(ctx, "UPDATE patients SET external_id = 'p' WHERE id = $1", ids["$patient"]))
	w.appointment(ctx, ids["$appointment"], ids["$patient"])
	var pairs []string
	// $draft before $driver, and so on: no placeholder is a prefix of another.
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		pairs = append(pairs, name, "'"+ids[name].String()+"'::uuid")
	}
	return strings.NewReplacer(pairs...)
}

// breach runs the statement and rolls it back.
func breach(ctx context.Context, owner *pgxpool.Pool, statement string) error {
	tx := must(owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	_, err := tx.Exec(ctx, statement)
	return err
}

func TestAMissingValueNamesItsColumn(t *testing.T) {
	t.Parallel()
	d := open(t)
	err := breach(t.Context(), d.owner, "INSERT INTO tenants (id, slug) VALUES (gen_random_uuid(), 'x')")
	if e := db.Explain(err); e.Code != db.ValidationFailed || e.Field != "name" {
		t.Errorf("got %v of %q", e, e.Field)
	}
}
