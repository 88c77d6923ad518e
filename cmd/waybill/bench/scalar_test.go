package bench

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// effectCases are what a statement may meet. Each says which works still change or show a row.
var effectCases = []struct{ name, before, works string }{
	{"as the benchmark has it", "SELECT", "get create charge transition submit"},
	{"another has moved the pickup", "UPDATE pickups SET status = 'CANCELED', previous_status = 'DRAFT'",
		"get create charge"},
	{"the account cannot pay", "UPDATE accounts SET balance_cents = 0", "get create transition"},
	{"only another user sees the facility",
		"UPDATE group_members SET user_id = (SELECT id FROM users WHERE role = 'admin')", "charge"},
	{"two groups show the facility", `WITH g AS (
		INSERT INTO groups (tenant_id, id, name, request_digest)
		SELECT t.id, gen_random_uuid(), 'Second', '' FROM tenants AS t RETURNING *
	), f AS (
		INSERT INTO group_facilities (tenant_id, group_id, facility_id)
		SELECT g.tenant_id, g.id, f.facility_id FROM g JOIN group_facilities AS f ON f.tenant_id = g.tenant_id
	)
	INSERT INTO group_members (tenant_id, group_id, user_id)
	SELECT g.tenant_id, g.id, m.user_id FROM g JOIN group_members AS m ON m.tenant_id = g.tenant_id`,
		"get create charge transition submit"},
	{"the requester has no number", "DELETE FROM phone_numbers", "get create charge transition submit"},
	{"the tenant wants no texts", "UPDATE flags SET enabled = false", "get create charge transition submit"},
	{"the tenant wants dispatches", "UPDATE flags SET enabled = true", "get create charge transition submit"},
}

// The scalar yardstick is honest only if it does all that the project's own statement does, and refuses
// what that refuses.
func TestScalarStatementsHaveTheEffectsOfOurs(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p, made := effectsFixture(t, d)
	for _, c := range effectCases {
		for _, name := range []string{"get", "create", "charge", "transition", "submit"} {
			r := pgbenchRun{work: work{name: name, script: name}, clients: 1, made: made, drafts: 1, accounts: 1}
			if name == "create" || name == "charge" {
				r.made = newRun()
			}
			ours := effects(t, d, p, r, c.before)
			r.scalar = true
			scalar := effects(t, d, p, r, c.before)
			if ours != scalar {
				t.Errorf("%s, %s: ours\n%s\nscalar\n%s", name, c.name, ours, scalar)
			}
			want := "0 rows"
			if strings.Contains(c.works, name) {
				want = "1 rows"
			}
			if !strings.HasPrefix(ours, want) {
				t.Errorf("%s, %s: not %s: %s", name, c.name, want, ours)
			}
		}
	}
}

// effectsFixture has a draft and an account with the ids that the scripts compute.
func effectsFixture(t *testing.T, d *dbtest.DB) (*pgbench, ids) {
	t.Helper()
	w := &fixture{accounts: newRun(), accountCount: 1, drafts: newRun(), read: 1, users: map[db.UserRole]string{}}
	tenant, err := newTenant(t.Context(), d.OwnerURL, func(r *seed.Rows) {
		staff, admin, group, facility := r.User(db.UserRoleStaff), r.User(db.UserRoleAdmin), r.Group(), r.Facility()
		r.Members(group, staff.UserID)
		r.Shows(group, facility)
		r.PhoneNumber(staff.UserID, seed.StandardPhone)
		account := r.Account(func(p *db.CreateAccountParams) { p.ID = uuid.MustParse(w.accounts.at(0)) })
		r.Deposit(seed.Deposit{Account: account, Cents: 1000, ActorID: admin.UserID})
		w.facility, w.users[db.UserRoleStaff], w.users[db.UserRoleAdmin] = facility.String(), staff.UserID.String(),
			admin.UserID.String()
		s := seed.Standard{Staff: staff, Facility: facility, Account: account}
		draft := s.Pickup()
		draft.ID = uuid.MustParse(w.drafts.at(0))
		r.Pickup(draft)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &pgbench{}
	p.setVariables(tenant.ID, w)
	return p, w.drafts
}

var (
	metaCommand = regexp.MustCompile(`(?m)^(\\|--).*\n`)
	placeholder = regexp.MustCompile(`(^|[^:\w']):([a-z_]+)\b`)
)

// effects runs a statement with the values that pgbench would give it, and returns how many rows it answers
// and all rows as they are after it, without times and numbers in order. All is rolled back.
func effects(t *testing.T, d *dbtest.DB, p *pgbench, r pgbenchRun, before string) string {
	t.Helper()
	text, values, err := p.script(r, ";")
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, map[string]string{"n": "0", "account": "0"})
	text = placeholder.ReplaceAllStringFunc(metaCommand.ReplaceAllString(text, ""), func(found string) string {
		before, name, _ := strings.Cut(found, ":")
		value, given := values[name]
		if !given {
			t.Errorf("%s has no value for %s", r.work.name, name)
		}
		return before + "'" + value + "'"
	})
	tx, err := d.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	tag, err := tx.Exec(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", r.work.name, err)
	}
	return fmt.Sprintf("%d rows\n%s", tag.RowsAffected(), allRows(t, tx))
}

func allRows(t *testing.T, tx pgx.Tx) (all string) {
	t.Helper()
	for _, table := range []string{"pickups", "pickup_events", "ledger_entries", "accounts", "driver_slots", "messages",
		"phi_reads", "river_job"} {
		var rows string
		if err := tx.QueryRow(t.Context(), `SELECT coalesce(string_agg(j.row, E'\n' ORDER BY j.row), '')
			FROM (
				SELECT (to_jsonb(t) - '{created_at,updated_at,entered_at,submitted_at,scheduled_at,seq,xid}'::text[]
					- CASE WHEN '`+table+`' = 'river_job' THEN 'id' ELSE '' END)::text AS row
				FROM `+table+` AS t
			) AS j`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		all += table + "\n" + rows + "\n"
	}
	return all
}
