package db_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// The dictionary is that of the design: what a transition leads from and to, by which roles, and its
// effects. A new transition is added here, too.
var dictionary = map[db.TransitionName]struct {
	before  []db.PickupStatus
	after   db.PickupStatus
	roles   []db.UserRole
	effects string
}{
	"submit": {
		[]db.PickupStatus{"DRAFT"}, "SUBMITTED", []db.UserRole{"staff", "dispatcher"}, "charge keep and dispatched"},
	"assign":   {[]db.PickupStatus{"SUBMITTED"}, "ASSIGNED", []db.UserRole{"dispatcher"}, "take with a driver"},
	"dispatch": {[]db.PickupStatus{"SUBMITTED"}, "ASSIGNED", []db.UserRole{"dispatcher"}, "take with a driver"},
	"release":  {[]db.PickupStatus{"ASSIGNED"}, "SUBMITTED", []db.UserRole{"dispatcher"}, "free"},
	"cancel": {
		[]db.PickupStatus{"DRAFT", "SUBMITTED", "ASSIGNED"}, "CANCELED",
		[]db.UserRole{"staff", "dispatcher", "admin"}, "refund free"},
	"collect": {
		[]db.PickupStatus{"ASSIGNED"}, "COLLECTED", []db.UserRole{"driver", "dispatcher"}, "free with a driver"},
	"receive": {[]db.PickupStatus{"COLLECTED"}, "RECEIVED", []db.UserRole{"hub"}, "keep with a driver"},
	"pack":    {[]db.PickupStatus{"RECEIVED"}, "PACKED", []db.UserRole{"hub"}, "keep with a driver"},
	"ship":    {[]db.PickupStatus{"PACKED"}, "SHIPPED", []db.UserRole{"hub"}, "keep with a driver"},
	"deliver": {[]db.PickupStatus{"SHIPPED"}, "DELIVERED", []db.UserRole{"hub", "driver"}, "keep with a driver"},
}

// seenIn lists the statuses in which a role sees a pickup: a driver, their own.
var seenIn = map[db.UserRole][]db.PickupStatus{
	db.UserRoleAdmin:      db.AllPickupStatusValues(),
	db.UserRoleDispatcher: db.AllPickupStatusValues(),
	db.UserRoleStaff:      db.AllPickupStatusValues(),
	db.UserRoleHub:        {"COLLECTED", "RECEIVED", "PACKED", "SHIPPED", "DELIVERED"},
	db.UserRoleDriver:     {"ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED"},
}

func declared(from, to db.PickupStatus) bool {
	for _, t := range dictionary {
		if slices.Contains(t.before, from) && t.after == to {
			return true
		}
	}
	return false
}

// waits reports whether a pickup waits in the status: a transition leads to it, and another from it.
func waits(status db.PickupStatus) bool {
	isReached, isLeft := false, false
	for _, t := range dictionary {
		isReached, isLeft = isReached || t.after == status, isLeft || slices.Contains(t.before, status)
	}
	return isReached && isLeft
}

func TestTheDictionaryIsTheDesigns(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	effects := map[db.TransitionName]string{}
	var name db.TransitionName
	var does string
	must(pgx.ForEachRow(must(d.owner.Query(ctx, `
		SELECT transition, concat_ws(' ', money, slot, CASE WHEN has_driver THEN 'with a driver' END,
			CASE WHEN auto_dispatch THEN 'and dispatched' END)
		FROM pickup_transitions`)), []any{&name, &does}, func() error { effects[name] = does; return nil }))
	rows := must(d.ListTransitions(ctx))
	adjustments := must(d.ListAdjustmentRules(ctx))
	if len(rows) != len(dictionary) || len(rows)+len(adjustments) != len(db.AllTransitionNameValues()) {
		t.Errorf("%d rows and %d of adjustments, %d in the design", len(rows), len(adjustments), len(dictionary))
	}
	for _, r := range adjustments {
		if !slices.Contains(db.AllTransitionNameValues(), db.TransitionName(r.Adjustment)) {
			t.Errorf("%s is no name of an event", r.Adjustment)
		}
	}
	for _, r := range rows {
		want, ok := dictionary[r.Transition]
		switch {
		case !ok:
			t.Errorf("%s stands in no line of the design: say what it does", r.Transition)
		case !slices.Equal(r.FromStatuses, texts(want.before)) || r.ToStatus != want.after:
			t.Errorf("%s is %v to %s", r.Transition, r.FromStatuses, r.ToStatus)
		case !slices.Equal(r.Roles, texts(want.roles)):
			t.Errorf("%s is made by %v", r.Transition, r.Roles)
		case effects[r.Transition] != want.effects:
			t.Errorf("%s does %q, want %q", r.Transition, effects[r.Transition], want.effects)
		}
	}
}

func texts[T ~string](names []T) (out []string) {
	for _, n := range names {
		out = append(out, string(n))
	}
	return out
}

// In psql, too, every role can make only the declared changes.
func TestNoPairOfStatusesButTheDeclaredIsAccepted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	spare := w.driver(ctx, 1, 1)
	for _, from := range db.AllPickupStatusValues() {
		id := w.at(ctx, from)
		for _, to := range db.AllPickupStatusValues() {
			for _, previous := range []*db.PickupStatus{&from, &to, nil} {
				if from == to && previous == nil && from == db.PickupStatusDRAFT {
					continue // changes nothing
				}
				err := w.setStatus(ctx, id, to, previous, spare)
				legal := declared(from, to) && previous == &from
				switch {
				case legal && err != nil:
					t.Errorf("%s to %s was refused: %v", from, to, err)
				case !legal && code(err) != db.IllegalTransition:
					t.Errorf("%s to %s, previously %v, gave %v", from, to, previous, err)
				}
			}
		}
	}
}

// The statuses in which nothing is charged, and those in which there is a driver.
const (
	uncharged = "SELECT after FROM pickup_transitions WHERE money = 'refund' UNION SELECT 'DRAFT'"
	driven    = "SELECT after FROM pickup_transitions WHERE has_driver"
)

// setStatus updates as the owner, with columns that suit the status, and rolls it back.
func (w *fixture) setStatus(
	ctx context.Context, pickup any, to db.PickupStatus, previous *db.PickupStatus, spare db.Viewer,
) error {
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	_, err := tx.Exec(ctx, `UPDATE pickups SET
			status = $3::pickup_status, previous_status = $4,
			charged_cents = CASE WHEN $3::pickup_status = ANY (`+uncharged+`) THEN 0 ELSE price_cents END,
			driver_id = CASE WHEN $3::pickup_status = ANY (`+driven+`) THEN coalesce(driver_id, $5) END,
			refunded_cents = 0, cancel_reason = NULL
		WHERE tenant_id = $1 AND id = $2`, w.tenant, pickup, to, previous, spare.DriverID)
	return err
}

func TestAPickupBeginsAsADraft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	driver := w.driver(ctx, 1, 1)
	for _, status := range db.AllPickupStatusValues() {
		tx := must(w.owner.Begin(ctx))
		_, err := tx.Exec(ctx, `INSERT INTO pickups (
				tenant_id, id, status, facility_id, account_id, requested_by, driver_id, price_cents, charged_cents,
				pickup_address, dropoff_address, request_digest)
			VALUES ($1, $2, $3::pickup_status, $4, $5, $2,
				CASE WHEN $3::pickup_status = ANY (`+driven+`) THEN $6::uuid END, 1,
				CASE WHEN $3::pickup_status = ANY (`+uncharged+`) THEN 0 ELSE 1 END, 'a', 'b', '\x00')`,
			w.tenant, newID(), status, w.facility, w.account, driver.DriverID)
		w.must(tx.Rollback(ctx))
		want := db.IllegalTransition
		if status == db.PickupStatusDRAFT {
			want = ""
		}
		if code(err) != want {
			t.Errorf("%s: got %v", status, err)
		}
	}
}

func TestADriverChangesWithTheStatusAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	other := w.driver(ctx, 1, 1)
	set := func(id any, set string, args ...any) error {
		_, err := w.owner.Exec(ctx, "UPDATE pickups SET "+set+" WHERE tenant_id = $1 AND id = $2",
			append([]any{w.tenant, id}, args...)...)
		return err
	}
	for _, status := range db.AllPickupStatusValues() {
		if err := set(w.at(ctx, status), "driver_id = $3", other.DriverID); code(err) != db.IllegalTransition {
			t.Errorf("%s: another driver: %v", status, err)
		}
	}
	assigned := w.at(ctx, db.PickupStatusASSIGNED)
	if err := set(assigned, "status = 'COLLECTED', previous_status = 'ASSIGNED', driver_id = $3",
		other.DriverID); code(err) != db.IllegalTransition {
		t.Errorf("collected by another driver: %v", err)
	}
	if err := set(assigned, "previous_status = 'DRAFT'"); code(err) != db.IllegalTransition {
		t.Errorf("the history was changed: %v", err)
	}
	if err := set(assigned, "note = 'x', version = version + 1"); err != nil {
		t.Errorf("a note: %v", err)
	}
	// The trigger also fires on replicas, where others do not.
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	var always bool
	w.must(tx.QueryRow(ctx, "SELECT bool_and(tgenabled = 'A') FROM pg_trigger WHERE tgrelid = 'pickups'::regclass "+
		"AND NOT tgisinternal").Scan(&always))
	if !always {
		t.Error("a trigger is not ENABLE ALWAYS")
	}
}

// Every transition from every status succeeds, or states the pickup's status and the transitions allowed
// from there.
func TestEveryTransitionIsTriedFromEveryStatus(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	for _, from := range db.AllPickupStatusValues() {
		id := w.at(ctx, from) // a refused transition leaves it as it is
		for name, entry := range dictionary {
			viewer := w.dispatcher
			if !slices.Contains(entry.roles, viewer.Role) {
				viewer = w.hub
			}
			if slices.Contains(entry.before, from) {
				id := w.at(ctx, from)
				driver := w.driver(ctx, 37.77, -122.42)
				p, replayed, err := w.MoveOne(ctx, viewer, db.Transition{
					Name: name, PickupID: id, Digest: digest("x"), DriverID: driver.DriverID,
				})
				if err != nil || replayed || p.Status != entry.after {
					t.Errorf("%s from %s: %s, %v", name, from, p.Status, err)
				}
				continue
			}
			_, _, err := w.MoveOne(ctx, viewer,
				db.Transition{Name: name, PickupID: id, Digest: digest("x"), DriverID: newID()})
			if !slices.Contains(seenIn[viewer.Role], from) {
				if code(err) != db.NotFound {
					t.Errorf("%s from %s by the hub: %v", name, from, err)
				}
				continue
			}
			var refusal *db.Error
			if !errors.As(err, &refusal) || refusal.Code != db.IllegalTransition || refusal.Status != from ||
				!slices.Equal(refusal.Allowed, allowed(from, viewer.Role)) {
				t.Errorf("%s from %s: %v, allowed %v", name, from, err, refusal)
			}
		}
	}
}

// allowed returns the transitions of a role from a status, in the dictionary's order.
func allowed(from db.PickupStatus, role db.UserRole) []string {
	out := []string{}
	for _, name := range db.AllTransitionNameValues() {
		if slices.Contains(dictionary[name].before, from) && slices.Contains(dictionary[name].roles, role) {
			out = append(out, string(name))
		}
	}
	return out
}

// Both statements for transitions contain the same text for the effects of those that won, since a
// statement cannot call another.
func TestBothStatementsOfTransitionsEndAlike(t *testing.T) {
	t.Parallel()
	texts := statements(t)
	end := func(query string) string {
		_, end, found := strings.Cut(texts[query], "), event AS (")
		if !found {
			t.Fatalf("%s inserts its events with another text", query)
		}
		return end
	}
	if one, other := end("TransitionPickups"), end("DispatchPickup"); one != other {
		t.Errorf("TransitionPickups ends\n%s\nand DispatchPickup\n%s", one, other)
	}
}

// One id is the key of everything that a transition writes: a caller whose connection broke finds it by
// that id.
func TestATransitionsEventEntryAndTextHaveOneID(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.set(ctx, "UPDATE flags SET enabled = true, version = 2 WHERE tenant_id = $1")
	w.driver(ctx, 1, 1)
	id := w.submitted(ctx)
	w.must(w.moving(ctx, "dispatch", id)(w.as))
	w.must(w.moving(ctx, "cancel", id)(w.as))
	got := must(pgx.CollectRows(must(w.owner.Query(ctx, `
		SELECT e.transition || ' ' || concat_ws(' ', l.kind, m.status, j.kind)
		FROM pickup_events AS e
		LEFT JOIN ledger_entries AS l USING (tenant_id, id)
		LEFT JOIN messages AS m ON m.tenant_id = e.tenant_id AND m.id = e.id AND m.event_id = e.id
		LEFT JOIN river_job AS j ON j.kind = 'dispatch_pickup' AND j.args ->> 'event_id' = e.id::text
		WHERE e.pickup_id = $1
		ORDER BY e.version`, id)), pgx.RowTo[string]))
	if want := []string{"submit charge QUEUED dispatch_pickup", "dispatch QUEUED",
		"cancel refund"}; !slices.Equal(got, want) {
		t.Errorf("by their ids: %q, want %q", got, want)
	}
}
