package db_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
)

// Statuses by what the dictionary says of them.
const (
	waiting = `SELECT t.after FROM pickup_transitions AS t
		WHERE EXISTS (SELECT FROM pickup_transitions AS n WHERE t.after = ANY (n.before))`
	charged = "SELECT unnest(enum_range(NULL::pickup_status)) EXCEPT (" + uncharged + ")"
	reached = "SELECT after FROM pickup_transitions"
)

// statusList is a list of statuses that the schema has beside the dictionary, where a condition must not read it.
type statusList struct {
	listed string // asks for the listed statuses; "" for those with which the condition of the name holds
	of     string // the other columns of that condition
	want   string // asks the dictionary for the same
}

// statusLists are all of them, by the names of what has them.
var statusLists = map[string][]statusList{
	"pickup_waits":                 {{listed: statusesIn("pickup_waits(status)"), want: waiting}},
	"pickups_waiting_idx":          {{want: waiting}},
	"pickups_facility_waiting_idx": {{want: waiting}},
	"only_one_assigned_driver":     {{want: "SELECT after FROM pickup_transitions WHERE slot = 'take'"}},
	"pickups_driver_check":         {{of: "new_id() AS driver_id", want: driven}},
	"pickups_charged_check": {{of: "0 AS charged_cents, 2 AS price_cents, 0 AS refunded_cents",
		want: uncharged}},
	"pickups_refunded_check": {{of: "2 AS price_cents, 1 AS refunded_cents", want: charged}},
	"pickups_cancel_reason_check": {{of: "'x' AS cancel_reason",
		want: "SELECT after FROM pickup_transitions WHERE transition = 'cancel'"}},
	// The status of a new row, and the one in which it begins to wait: the trigger says when.
	"pickups_refuse_undeclared": {
		{listed: "SELECT 'DRAFT'", want: "SELECT unnest(before) FROM pickup_transitions EXCEPT " + reached},
		{listed: "SELECT 'SUBMITTED'", want: "SELECT after FROM pickup_transitions WHERE 'DRAFT' = ANY (before) " +
			"INTERSECT " + waiting},
	},
	"role_sees_pickup": {
		{listed: statusesIn("role_sees_pickup('hub', status, NULL, NULL)"), want: among(seenIn[db.UserRoleHub])},
		{listed: statusesIn("role_sees_pickup('driver', status, d, d)"), want: among(seenIn[db.UserRoleDriver])},
	},
	"role_sees_event": {
		{listed: statusesIn("role_sees_event('hub', 'ship', status, NULL, NULL)"), want: among(seenIn[db.UserRoleHub])},
		{listed: statusesIn("role_sees_event('driver', 'ship', status, d, d)"), want: reached},
	},
	"reprice of pickup_adjustment_rules": {{want: waiting,
		listed: "SELECT unnest(statuses) FROM pickup_adjustment_rules WHERE adjustment = 'reprice'"}},
	"refund of pickup_adjustment_rules": {{want: charged,
		listed: "SELECT unnest(statuses) FROM pickup_adjustment_rules WHERE adjustment = 'refund'"}},
}

// statusesIn asks for the statuses with which a condition holds.
func statusesIn(condition string) string {
	return "SELECT status FROM unnest(enum_range(NULL::pickup_status)) AS status, new_id() AS d WHERE " + condition
}

func among(statuses []db.PickupStatus) string {
	return "SELECT unnest('{" + strings.Join(texts(statuses), ",") + "}'::pickup_status[])"
}

// conditionsOf returns the conditions of constraints, partial indexes and policies, and the texts of functions and
// views, by their names.
func conditionsOf(ctx context.Context, owner *pgxpool.Pool) map[string]string {
	found := map[string]string{}
	rows := must(owner.Query(ctx, `
		SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE contype = 'c'
		UNION ALL
		SELECT indexrelid::regclass::text, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indpred IS NOT NULL
		UNION ALL
		SELECT polrelid::regclass || ' ' || polname, concat(pg_get_expr(polqual, polrelid),
			pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
		UNION ALL
		SELECT proname, pg_get_functiondef(oid) FROM pg_proc
		WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
		UNION ALL
		SELECT oid::regclass::text, pg_get_viewdef(oid) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')`))
	var name, text string
	must(pgx.ForEachRow(rows, []any{&name, &text}, func() error { found[name] = text; return nil }))
	return found
}

// namesStatus matches a status in SQL.
var namesStatus = regexp.MustCompile("'(" + strings.Join(texts(db.AllPickupStatusValues()), "|") + ")'")

// statusFaults compares each list of statuses with the dictionary.
func statusFaults(ctx context.Context, owner *pgxpool.Pool) (faults []string) {
	conditions := conditionsOf(ctx, owner)
	for name, text := range conditions {
		lists := namesStatus.MatchString(text)
		if strings.Contains(text, "::") && !strings.Contains(text, "LANGUAGE plpgsql") { // has the types of constants
			lists = regexp.MustCompile(namesStatus.String() + "::pickup_status").MatchString(text)
		}
		if lists && statusLists[name] == nil {
			faults = append(faults, name+" names statuses, and nothing compares them with the dictionary")
		}
	}
	for name, lists := range statusLists {
		for _, l := range lists {
			if l.listed == "" {
				from := ", (SELECT " + l.of + ") AS c"
				if l.of == "" {
					from = ""
				}
				l.listed = "SELECT status FROM unnest(enum_range(NULL::pickup_status)) AS status" + from +
					" WHERE " + conditions[name]
			}
			for _, status := range differ(ctx, owner, l.want, l.listed) {
				faults = append(faults, name+" lacks "+status)
			}
			for _, status := range differ(ctx, owner, l.listed, l.want) {
				faults = append(faults, name+" has "+status)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// A status is in those of the schema's lists to which it belongs as the dictionary is.
func TestListsOfStatusesAreThoseOfTheDictionary(t *testing.T) {
	t.Parallel()
	for _, fault := range statusFaults(t.Context(), open(t).owner) {
		t.Errorf("%s: see statusLists", fault)
	}
}

// A new status is missed by name in each list that needs it. One that no transition leaves does not wait, unasked.
func TestANewStatusIsMissedInEachListThatNeedsIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	id := w.at(ctx, db.PickupStatusSHIPPED)
	driver := w.driverOf(ctx, id).DriverID
	waits := func() (found bool) {
		for _, filter := range []func(*db.FindPickupsParams){
			func(*db.FindPickupsParams) {}, func(p *db.FindPickupsParams) { p.AccountID = &w.account },
			func(p *db.FindPickupsParams) { p.DriverID = &driver },
		} {
			p := db.FindPickupsParams{TenantID: w.tenant, ViewerID: w.admin.UserID, ViewerRole: w.admin.Role,
				Sort: db.LongestWaiting, CreatedTo: endOfTime, MaxRows: 200}
			filter(&p)
			page, _, err := w.SearchPickups(ctx, p)
			w.must(err)
			found = found || slices.ContainsFunc(page, func(r db.Pickup) bool { return r.ID == id })
		}
		return found
	}
	if !waits() {
		t.Error("a pickup in SHIPPED does not wait: the test is void")
	}
	for _, statement := range []string{
		"ALTER TYPE pickup_status ADD VALUE 'LOST'", "ALTER TYPE pickup_status ADD VALUE 'HELD'",
		"ALTER TYPE transition_name ADD VALUE 'lose'", "ALTER TYPE transition_name ADD VALUE 'hold'",
		"ALTER TYPE transition_name ADD VALUE 'resume'",
		`INSERT INTO pickup_transitions (transition, before, after, roles, has_driver, money, slot) VALUES
			('lose', '{SHIPPED}', 'LOST', '{hub}', true, 'refund', 'keep'),
			('hold', '{SHIPPED}', 'HELD', '{hub}', false, NULL, 'keep'),
			('resume', '{HELD}', 'SHIPPED', '{hub}', true, NULL, 'keep')`,
	} {
		must(w.owner.Exec(ctx, statement))
	}
	want := []string{"pickup_waits lacks HELD", "pickups_charged_check lacks LOST", "pickups_driver_check lacks LOST",
		"pickups_facility_waiting_idx lacks HELD", "pickups_refunded_check has LOST", "pickups_waiting_idx lacks HELD",
		"refund of pickup_adjustment_rules lacks HELD", "reprice of pickup_adjustment_rules lacks HELD",
		"role_sees_event lacks HELD", "role_sees_event lacks LOST"}
	if got := statusFaults(ctx, w.owner); !slices.Equal(got, want) {
		t.Errorf("missed: %q, want %q", got, want)
	}
	must(w.owner.Exec(ctx, "ALTER TABLE pickups DISABLE TRIGGER USER, DROP CONSTRAINT pickups_driver_check"))
	must(w.owner.Exec(ctx, "UPDATE pickups SET status = 'LOST' WHERE id = $1", id))
	if waits() {
		t.Error("a pickup waits in a status that no transition leaves")
	}
}

// differ returns the statuses of one query that another has not.
func differ(ctx context.Context, owner *pgxpool.Pool, one, other string) []string {
	return must(pgx.CollectRows(must(owner.Query(ctx, "SELECT status::text FROM ("+one+") AS a (status) "+
		"WHERE status::text NOT IN (SELECT status::text FROM ("+other+") AS b (status))")), pgx.RowTo[string]))
}

// The statements name no status but the first, in which a pickup is edited: what they need to know of the others, the
// dictionary says, or one of the functions above.
func TestStatementsNameNoStatus(t *testing.T) {
	t.Parallel()
	// The statuses of appointments and of webhook deliveries have some of the names.
	of := map[string]string{"'DRAFT'": "UPDATE pickups", "'CANCELED'": "appointments",
		"'DELIVERED'": "webhook_deliveries"}
	for name, text := range statements(t) {
		for _, status := range namesStatus.FindAllString(text, -1) {
			if of[status] == "" || !strings.Contains(text, of[status]) {
				t.Errorf("%s names %s: ask the dictionary", name, status)
			}
		}
	}
}
