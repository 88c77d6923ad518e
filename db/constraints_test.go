package db_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
)

// constraintsOf lists the constraints in the catalog, the unique indexes that are not constraints, and
// what the triggers' functions raise; without the tables of goose and River, which no request writes.
func constraintsOf(ctx context.Context, owner *pgxpool.Pool) []string {
	return must(pgx.CollectRows(must(owner.Query(ctx, `
		SELECT conname FROM pg_constraint
		WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'u', 'p', 'f', 'x')
			AND conrelid <> 'goose_db_version'::regclass AND conrelid::regclass::text NOT LIKE 'river\_%'
		UNION
		SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
		WHERE indisunique AND relnamespace = 'public'::regnamespace AND indrelid <> 'goose_db_version'::regclass
			AND indrelid::regclass::text NOT LIKE 'river\_%'
		UNION
		SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''(\w+)''', 'g'))[1] FROM pg_proc
		WHERE pronamespace = 'public'::regnamespace
		ORDER BY 1`)), pgx.RowTo[string]))
}

func TestEveryConstraintHasACode(t *testing.T) {
	t.Parallel()
	catalog := constraintsOf(t.Context(), open(t).owner)
	codes := db.ConstraintCodes()
	for _, name := range catalog {
		if _, ok := codes[name]; !ok {
			t.Errorf(
				"a constraint without a code: %s; its code and field go into constraints (db/constraints.go), and "+
					"a statement that breaks it into breaches (db/constraints_test.go)", name)
		}
	}
	for name := range codes {
		if !slices.Contains(catalog, name) {
			t.Errorf("no migration makes %s, which constraints (db/constraints.go) has", name)
		}
	}
}

// breaches are statements that violate one constraint each, run as the owner. In them $w is a fixture's
// tenant, and the others name its rows; $new is an id of no row.
var breaches = map[string]string{
	"tenants_pkey":       "INSERT INTO tenants (id, slug, name) VALUES ($w, 'another', 'T')",
	"tenants_slug_key":   "INSERT INTO tenants (id, slug, name) SELECT $new, slug, 'T' FROM tenants WHERE id = $w",
	"tenants_slug_check": "UPDATE tenants SET slug = 'Not a slug' WHERE id = $w",
	"tenants_name_check": "UPDATE tenants SET name = ' ' WHERE id = $w",

	"flags_pkey":        "INSERT INTO flags (tenant_id, name, enabled) VALUES ($w, 'pickup_texts', true)",
	"flags_tenant_fkey": "INSERT INTO flags (tenant_id, name, enabled) VALUES ($new, 'pickup_texts', true)",
	"flags_name_check":  "INSERT INTO flags (tenant_id, name, enabled) VALUES ($w, 'other', true)",

	"users_pkey": "UPDATE users SET id = $staff WHERE id = $hub",
	"users_tenant_fkey": "INSERT INTO users SELECT $new, $new, 'x@y', name, role, active, password_hash, 1, 0, " +
		"now(), 1, '', now() FROM users WHERE id = $staff",
	"users_email_folded_key": "UPDATE users SET email = (SELECT upper(email) FROM users WHERE id = $staff) WHERE " +
		"id = $hub",
	"users_email_check": "UPDATE users SET email = 'nobody' WHERE id = $staff",
	"users_name_check":  "UPDATE users SET name = '' WHERE id = $staff",

	"user_terms_pkey": "INSERT INTO user_terms VALUES ($w, 'n', $staff, 'hub', true, ''), ($w, 'n', $staff, 'hub', " +
		"true, '')",
	"phone_numbers_pkey":         "INSERT INTO phone_numbers VALUES ($w, $phone, $staff, '+14155550188', '', now())",
	"phone_numbers_user_fkey":    "INSERT INTO phone_numbers VALUES ($w, $new, $new, '+14155550188', '', now())",
	"phone_numbers_number_key":   "INSERT INTO phone_numbers VALUES ($w, $new, $hub, '+14155550123', '', now())",
	"phone_numbers_number_check": "INSERT INTO phone_numbers VALUES ($w, $new, $hub, '555', '', now())",

	"sessions_pkey":             "INSERT INTO sessions SELECT * FROM sessions WHERE tenant_id = $w",
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

	"facilities_pkey":                   "UPDATE facilities SET id = $hidden WHERE id = $facility",
	"facilities_tenant_fkey":            "INSERT INTO facilities VALUES ($new, $new, 'F', 'A', 0, 0, 1, '', now())",
	"facilities_name_check":             "UPDATE facilities SET name = repeat('x', 201) WHERE id = $facility",
	"facilities_address_check":          "UPDATE facilities SET address = '' WHERE id = $facility",
	"facilities_latitude_check":         "UPDATE facilities SET latitude = 'NaN' WHERE id = $facility",
	"facilities_longitude_check":        "UPDATE facilities SET longitude = 181 WHERE id = $facility",
	"facilities_max_cancel_share_check": "UPDATE facilities SET max_cancel_share = 1.1 WHERE id = $facility",

	"groups_pkey":              "INSERT INTO groups SELECT * FROM groups WHERE tenant_id = $w",
	"groups_tenant_fkey":       "INSERT INTO groups VALUES ($new, $new, 'G', 1, '', now())",
	"groups_name_check":        "UPDATE groups SET name = '' WHERE tenant_id = $w",
	"group_members_pkey":       "INSERT INTO group_members SELECT * FROM group_members WHERE tenant_id = $w",
	"group_members_group_fkey": "INSERT INTO group_members VALUES ($w, $new, $staff)",
	"group_members_user_fkey":  "UPDATE group_members SET user_id = $new WHERE user_id = $staff",
	"group_facilities_pkey": "INSERT INTO group_facilities SELECT * FROM group_facilities WHERE " +
		"tenant_id = $w",
	"group_facilities_group_fkey":    "INSERT INTO group_facilities VALUES ($w, $new, $facility)",
	"group_facilities_facility_fkey": "UPDATE group_facilities SET facility_id = $new WHERE facility_id = $facility",

	"accounts_pkey":                "INSERT INTO accounts SELECT * FROM accounts WHERE id = $account",
	"accounts_tenant_fkey":         "INSERT INTO accounts VALUES ($new, $new, 'A', 'USD', 0, 0, 1, '', now())",
	"accounts_name_check":          "UPDATE accounts SET name = '' WHERE id = $account",
	"accounts_currency_check":      "UPDATE accounts SET currency = 'usd' WHERE id = $account",
	"accounts_balance_check":       "UPDATE accounts SET balance_cents = -1 WHERE id = $account",
	"accounts_balance_limit_check": "UPDATE accounts SET balance_cents = 9007199254740992 WHERE id = $account",

	"account_keys_pkey":         "INSERT INTO account_keys VALUES ($w, $account)",
	"account_keys_account_fkey": "INSERT INTO account_keys VALUES ($w, $new)",

	"ledger_entries_pkey": "INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, " +
		"actor_id, request_digest) SELECT tenant_id, id, account_id, kind, 1, actor_id, '' FROM ledger_entries WHERE " +
		"account_id = $account LIMIT 1",
	"ledger_entries_account_fkey": "INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, " +
		"actor_id, request_digest) VALUES ($w, $new, $new, 'charge', 1, $w, '')",
	"ledger_entries_pickup_fkey":  "UPDATE ledger_entries SET pickup_id = $new WHERE account_id = $account",
	"ledger_entries_amount_check": "UPDATE ledger_entries SET amount_cents = 0 WHERE account_id = $account",
	"ledger_entries_note_check":   "UPDATE ledger_entries SET note = repeat('x', 501) WHERE account_id = $account",

	"drivers_pkey": "UPDATE drivers SET id = $other WHERE id = $driver",
	"drivers_tenant_fkey": "INSERT INTO drivers (tenant_id, id, name, request_digest) VALUES ($new, $new, " +
		"'D', '')",
	"drivers_user_fkey": "UPDATE drivers SET user_id = $new WHERE id = $driver",
	"drivers_user_key": "UPDATE drivers SET user_id = (SELECT user_id FROM drivers WHERE id = $other) WHERE " +
		"id = $driver",
	"drivers_id_check": "INSERT INTO drivers (tenant_id, id, name, request_digest) VALUES ($w, " +
		"'00000000-0000-0000-0000-000000000000', 'D', '')",
	"drivers_name_check":       "UPDATE drivers SET name = '' WHERE id = $driver",
	"drivers_latitude_check":   "UPDATE drivers SET latitude = 91 WHERE id = $driver",
	"drivers_longitude_check":  "UPDATE drivers SET longitude = 'NaN' WHERE id = $driver",
	"drivers_location_check":   "UPDATE drivers SET longitude = NULL WHERE id = $driver",
	"driver_slots_pkey":        "INSERT INTO driver_slots VALUES ($w, $driver, NULL, true)",
	"driver_slots_driver_fkey": "INSERT INTO driver_slots VALUES ($w, $new, NULL, true)",
	"driver_slots_pickup_fkey": "UPDATE driver_slots SET pickup_id = $new WHERE driver_id = $other",
	"driver_slots_pickup_key":  "UPDATE driver_slots SET pickup_id = $pickup WHERE driver_id = $other",

	"pickup_transitions_pkey":        "INSERT INTO pickup_transitions SELECT * FROM pickup_transitions LIMIT 1",
	"pickup_transitions_text_check":  "UPDATE pickup_transitions SET text = ' ' WHERE transition = 'cancel'",
	"pickup_transitions_money_check": "UPDATE pickup_transitions SET money = 'deposit' WHERE transition = 'cancel'",
	"pickup_transitions_slot_check":  "UPDATE pickup_transitions SET slot = 'take' WHERE transition = 'cancel'",
	"pickup_counts_pkey":             "INSERT INTO pickup_counts SELECT $w, $w, 'DRAFT', 1 FROM generate_series(1, 2)",
	"pickup_searches_pkey":           "INSERT INTO pickup_searches SELECT * FROM pickup_searches LIMIT 1",
	"pickup_count_changes_pkey": "INSERT INTO pickup_count_changes OVERRIDING SYSTEM VALUE SELECT $w, $w, 0, " +
		"'DRAFT', 1 FROM generate_series(1, 2)",
	"pickups_pkey":          "UPDATE pickups SET id = $pickup WHERE id = $draft",
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
	"pickups_charged_check":         "UPDATE pickups SET charged_cents = 1 WHERE id = $draft",
	"pickups_refunded_check":        "UPDATE pickups SET refunded_cents = 1 WHERE id = $draft",
	"pickups_cancel_reason_check":   "UPDATE pickups SET cancel_reason = 'why' WHERE id = $draft",
	"pickups_price_check":           "UPDATE pickups SET price_cents = -1 WHERE id = $draft",
	"pickups_pickup_address_check":  "UPDATE pickups SET pickup_address = '' WHERE id = $draft",
	"pickups_dropoff_address_check": "UPDATE pickups SET dropoff_address = ' ' WHERE id = $draft",
	"pickups_latitude_check": "UPDATE pickups SET pickup_latitude = -91, pickup_longitude = 0 WHERE id " +
		"= $draft",
	"pickups_longitude_check": "UPDATE pickups SET pickup_latitude = 0, pickup_longitude = -181 WHERE id " +
		"= $draft",
	"pickups_point_check":  "UPDATE pickups SET pickup_latitude = 1 WHERE id = $draft",
	"pickups_window_check": "UPDATE pickups SET window_start = now(), window_end = now() WHERE id = $draft",
	"pickups_note_check":   "UPDATE pickups SET note = repeat('x', 2001) WHERE id = $draft",

	"patients_pkey":          "INSERT INTO patients SELECT * FROM patients WHERE id = $patient",
	"patients_facility_fkey": "UPDATE patients SET facility_id = $new WHERE id = $patient",
	"patients_external_id_key": "INSERT INTO patients SELECT tenant_id, $new, facility_id, external_id, " +
		"given_name, family_name, birth_date FROM patients WHERE id = $patient",
	"patients_external_id_check": "UPDATE patients SET external_id = ' ' WHERE id = $patient",
	"patients_given_name_check":  "UPDATE patients SET given_name = '' WHERE id = $patient",
	"patients_family_name_check": "UPDATE patients SET family_name = repeat('x', 201) WHERE id = $patient",
	"patients_birth_date_check":  "UPDATE patients SET birth_date = '1799-12-31' WHERE id = $patient",
	"patients_phone_check":       "UPDATE patients SET phone = '555' WHERE id = $patient",

	"patients_allowed_facilities_check": "UPDATE patients SET allowed_facilities = 0 WHERE id = $patient",

	"patient_terms_pkey": "INSERT INTO patient_terms VALUES ($w, $facility, 'n', $patient, ''), ($w, $facility, 'n', " +
		"$patient, '')",
	"patient_facilities_pkey":          "INSERT INTO patient_facilities VALUES ($w, $patient, $facility)",
	"patient_facilities_patient_fkey":  "INSERT INTO patient_facilities VALUES ($w, $new, $facility)",
	"patient_facilities_facility_fkey": "INSERT INTO patient_facilities VALUES ($w, $patient, $new)",
	"patient_consents_pkey": "INSERT INTO patient_consents (tenant_id, id, patient_id, facility_id, " +
		"allowed, actor_id, seq) VALUES ($w, $new, $patient, $facility, true, $staff, 1), ($w, $new, $patient, " +
		"$facility, true, $staff, 2)",
	"patient_consents_seq_key": "INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, " +
		"actor_id, seq) VALUES ($w, $patient, $facility, true, $staff, 1), ($w, $patient, $facility, true, $staff, 1)",
	"phi_reads_pkey": "INSERT INTO phi_reads VALUES ($w, $new, $patient, $staff, 'x'), ($w, $new, " +
		"$patient, $staff, 'x')",
	"pickups_patient_fkey": "UPDATE pickups SET patient_id = $new WHERE id = $draft",

	"appointments_pkey": "INSERT INTO appointments VALUES ($w, $appointment, $facility, $patient, " +
		"'another', now(), now() + interval '1 hour', 'BOOKED')",
	"appointments_facility_fkey": "UPDATE appointments SET facility_id = $new WHERE id = $appointment",
	"appointments_patient_fkey":  "UPDATE appointments SET patient_id = $new WHERE id = $appointment",
	"appointments_external_id_key": "INSERT INTO appointments SELECT tenant_id, $new, facility_id, patient_id, " +
		"external_id, starts_at, ends_at, status FROM appointments WHERE id = $appointment",
	"appointments_external_id_check": "UPDATE appointments SET external_id = ' ' WHERE id = $appointment",
	"appointments_range_check":       "UPDATE appointments SET ends_at = starts_at WHERE id = $appointment",
	"appointment_feeds_pkey": "INSERT INTO appointment_feeds VALUES ($w, $facility, now()), ($w, " +
		"$facility, now())",
	"appointment_feeds_facility_fkey": "INSERT INTO appointment_feeds VALUES ($w, $new, now())",
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
	"pickup_events_idempotency_key":       "UPDATE pickup_events SET idempotency_key = 'k' WHERE pickup_id = $pickup",
	"pickup_events_idempotency_key_check": "UPDATE pickup_events SET idempotency_key = '' WHERE pickup_id = $pickup",

	"messages_pkey":       "UPDATE messages SET id = $new WHERE pickup_id = $pickup",
	"messages_event_fkey": "UPDATE messages SET event_id = $new WHERE pickup_id = $submitted",
	"messages_event_key": "INSERT INTO messages SELECT tenant_id, $new, pickup_id, event_id, to_number, body, " +
		"status, reason FROM messages WHERE pickup_id = $submitted",
	"messages_to_number_check": "UPDATE messages SET to_number = '555' WHERE pickup_id = $submitted",
	"messages_body_check":      "UPDATE messages SET body = repeat('x', 161) WHERE pickup_id = $submitted",
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
	named := w.named(ctx)
	codes := db.ConstraintCodes()
	for name := range codes {
		if _, ok := breaches[name]; !ok {
			t.Errorf("a constraint that no statement violates: %s", name)
		}
	}
	for name, statement := range breaches {
		err := breach(ctx, w.owner, named.Replace(statement))
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.ConstraintName != name {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		explained := db.Explain(err)
		if explained.Code != codes[name] || strings.Contains(explained.Error(), server.Message) {
			t.Errorf("%s: explained as %v", name, explained)
		}
	}
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
