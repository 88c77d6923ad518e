package db_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

// rowLocks are the rows of each kind that a transaction names, in the order in which they are locked.
type rowLocks struct {
	table, key string
	ids        []uuid.UUID
	asked      func(p *db.LockRowsParams, ids []uuid.UUID) // names them
}

// lockedRows makes six rows of each kind. The account and the slots of pickups are found by these.
func (w *fixture) lockedRows(ctx context.Context) []rowLocks {
	var submitted, slots, drivers, accounts, patients, facilities, groups []uuid.UUID
	for range 6 {
		submitted, slots = append(submitted, w.submitted(ctx)), append(slots, w.driver(ctx, 1, 1).DriverID)
		drivers, accounts = append(drivers, w.driver(ctx, 1, 1).DriverID), append(accounts, w.fundedAccount(ctx, 1))
		patients, groups = append(patients, w.patient(ctx)), append(groups, w.group(ctx))
		w.make(ctx, func(r *seed.Rows) { facilities = append(facilities, r.Facility()) })
	}
	return []rowLocks{
		{"pickups", "id", submitted, namePickups},
		{"driver_slots", "driver_id", slots, func(p *db.LockRowsParams, ids []uuid.UUID) { p.SlotIds = ids }},
		{"drivers", "id", drivers, func(p *db.LockRowsParams, ids []uuid.UUID) { p.DriverIds = ids }},
		{"accounts", "id", accounts, func(p *db.LockRowsParams, ids []uuid.UUID) { p.AccountIds = ids }},
		{"patients", "id", patients, func(p *db.LockRowsParams, ids []uuid.UUID) { p.PatientIds = ids }},
		{"facilities", "id", facilities, func(p *db.LockRowsParams, ids []uuid.UUID) { p.FacilityIds = ids }},
		{"groups", "id", groups, func(p *db.LockRowsParams, ids []uuid.UUID) { p.GroupIds = ids }},
	}
}

func namePickups(p *db.LockRowsParams, ids []uuid.UUID) { nameMoves(p, "", uuid.Nil, ids...) }

func nameMoves(p *db.LockRowsParams, transition db.TransitionName, driver uuid.UUID, ids ...uuid.UUID) {
	for _, id := range ids {
		p.PickupIds, p.Transitions = append(p.PickupIds, id), append(p.Transitions, string(transition))
		p.NamedDriverIds, p.Pays = append(p.NamedDriverIds, driver), append(p.Pays, false)
	}
}

// lockRows locks for a viewer.
func (w *fixture) lockRows(
	ctx context.Context, s *db.Raw, v db.Viewer, name func(*db.LockRowsParams),
) ([]db.LockRowsRow, error) {
	none := []uuid.UUID{}
	p := db.LockRowsParams{
		TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID, PickupIds: none,
		Transitions: []string{}, NamedDriverIds: none, Pays: []bool{}, SlotIds: none, DriverIds: none,
		AccountIds: none, PatientIds: none, FacilityIds: none, GroupIds: none,
	}
	name(&p)
	if err := s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: v.UserID}); err != nil {
		return nil, err
	}
	return s.LockRows(ctx, p)
}

var rowLockRaces = []check{
	{"LockRows", "two transactions lock the same rows in opposite orders",
		func(ctx context.Context, w *fixture) error {
			kinds := w.lockedRows(ctx)
			for i, kind := range kinds {
				if err := w.locksInOrder(ctx, kind.table, kind.key, kind.ids,
					func(s *db.Raw, order []uuid.UUID) error {
						_, err := w.lockRows(ctx, s, w.staff, func(p *db.LockRowsParams) { kind.asked(p, order) })
						return err
					}); err != nil {
					return err
				}
				if err := w.locksKindsInOrder(ctx, kinds, i); err != nil {
					return err
				}
				if kind.table != "patients" {
					continue
				}
				if err := w.locksInOrder(ctx, "patient_facilities", "patient_id", kind.ids,
					func(s *db.Raw, order []uuid.UUID) error {
						_, err := w.lockRows(ctx, s, w.staff, func(p *db.LockRowsParams) { kind.asked(p, order) })
						return err
					}); err != nil {
					return err
				}
			}
			return nil
		}},
}

// locksKindsInOrder has a transaction wait for a row of a kind: those before are locked, and those after it are not.
func (w *fixture) locksKindsInOrder(ctx context.Context, kinds []rowLocks, held int) error {
	for i, other := range kinds {
		if i == held {
			continue
		}
		free, err := w.freeWhileWaiting(ctx, kinds[held].table, kinds[held].key, kinds[held].ids[0],
			other.table, other.key, other.ids, plans[0], func(s *db.Raw) error {
				_, err := w.lockRows(ctx, s, w.staff, func(p *db.LockRowsParams) {
					for _, kind := range kinds {
						kind.asked(p, kind.ids)
					}
				})
				return err
			})
		want := 0
		if i > held {
			want = len(other.ids)
		}
		if err == nil && len(free) != want {
			err = fmt.Errorf("waiting for %s, it had left %d of %s free", kinds[held].table, len(free), other.table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var rowLockRules = []check{
	{"LockRows", "a transition's account and slot are locked, and no others", transitionsLockWhatTheyChange},
	{"LockRows", "rows are locked that nobody names", func(ctx context.Context, w *fixture) error {
		named, others := w.lockedRows(ctx), w.lockedRows(ctx)
		for i, kind := range named {
			tx := must(w.pool.Begin(ctx))
			_, err := w.lockRows(ctx, w.over(tx), w.staff, func(p *db.LockRowsParams) { kind.asked(p, kind.ids) })
			isNamed, isOther := w.isLocked(ctx, kind.table, kind.ids[0]), w.isLocked(ctx, kind.table, others[i].ids[0])
			w.must(tx.Rollback(ctx))
			if err != nil || !isNamed || isOther {
				return fmt.Errorf("of %s the named is locked: %v, another: %v: %w", kind.table, isNamed, isOther, err)
			}
		}
		return nil
	}},
	{"LockRows", "what writes change is told in another order", func(ctx context.Context, w *fixture) error {
		accounts := map[uuid.UUID]uuid.UUID{}
		var pickups []uuid.UUID
		for range 6 {
			account := w.fundedAccount(ctx, 1000)
			pickups = append(pickups, w.pickup(ctx, paidBy(account)))
			accounts[pickups[len(pickups)-1]] = account
		}
		slices.SortFunc(pickups, func(a, b uuid.UUID) int { return -strings.Compare(a.String(), b.String()) })
		tx := must(w.pool.Begin(ctx))
		defer tx.Rollback(ctx)
		must(tx.Exec(ctx, "SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off"))
		rows, err := w.lockRows(ctx, w.over(tx), w.dispatcher, func(p *db.LockRowsParams) {
			nameMoves(p, db.TransitionNameSubmit, uuid.Nil, pickups...)
		})
		for i, row := range rows {
			if want := accounts[pickups[i]]; row.AccountID != want {
				err = fmt.Errorf("of write %d the account is %v, want %v", i, row.AccountID, want)
			}
		}
		return err
	}},
	{"LockRows", "who does not see a row locks it", func(ctx context.Context, w *fixture) error {
		pickup, patient := w.submitted(ctx), w.patient(ctx)
		denied := w.patient(ctx)
		w.allow(ctx, denied, w.hidden)
		w.disallow(ctx, denied, w.facility)
		named := func(p *db.LockRowsParams) {
			namePickups(p, ids(pickup))
			p.PatientIds = ids(patient, denied)
		}
		for _, c := range []struct {
			v             db.Viewer
			pickup, other bool
		}{{w.staff, true, true}, {w.dispatcher, true, false}, {w.stranger, false, false}, {w.hub, false, true}} {
			tx := must(w.pool.Begin(ctx))
			_, err := w.lockRows(ctx, w.over(tx), c.v, named)
			got := []bool{w.isLocked(ctx, "pickups", pickup),
				w.isLocked(ctx, "patients", patient) && w.isLocked(ctx, "patient_facilities", patient),
				w.isLocked(ctx, "patients", denied) || w.isLocked(ctx, "patient_facilities", denied)}
			w.must(tx.Rollback(ctx))
			if err != nil || !slices.Equal(got, []bool{c.pickup, c.other, false}) {
				return fmt.Errorf("%s locks %v: %w", c.v.Role, got, err)
			}
		}
		return nil
	}},
}

func (w *fixture) isLocked(ctx context.Context, table string, id uuid.UUID) bool {
	key := cmp.Or(map[string]string{"driver_slots": "driver_id", "patient_facilities": "patient_id"}[table], "id")
	rows := fmt.Sprintf("FROM %s WHERE %s = $1", table, key)
	return scan[bool](ctx, w.owner, fmt.Sprintf(
		"SELECT (SELECT count(*) FROM (SELECT %s FOR UPDATE SKIP LOCKED) AS f) < (SELECT count(*) %[1]s)", rows), id)
}

func transitionsLockWhatTheyChange(ctx context.Context, w *fixture) error {
	named, driver := w.driver(ctx, 1, 1).DriverID, w.driver(ctx, 1, 1)
	account := w.fundedAccount(ctx, 1_000_000)
	pickup := w.assigned(ctx, driver, func(d *db.Draft) { d.AccountID = account })
	for _, c := range []struct {
		transition           db.TransitionName
		pays                 bool
		money, slot          string
		taken, freed, booked bool
	}{
		{db.TransitionNameSubmit, false, "charge", "keep", false, false, true},
		{db.TransitionNameAssign, false, "", "take", true, false, false},
		{db.TransitionNameCancel, false, "refund", "free", false, true, true},
		{db.TransitionNameCollect, false, "", "free", false, true, false},
		{db.TransitionNameReceive, false, "", "keep", false, false, false},
		{"", true, "", "", false, false, true},
		{"", false, "", "", false, false, false},
	} {
		tx := must(w.pool.Begin(ctx))
		rows, err := w.lockRows(ctx, w.over(tx), w.dispatcher, func(p *db.LockRowsParams) {
			nameMoves(p, c.transition, named, pickup)
			p.Pays[0] = c.pays
		})
		got := []bool{w.isLocked(ctx, "driver_slots", named), w.isLocked(ctx, "driver_slots", driver.DriverID),
			w.isLocked(ctx, "accounts", account)}
		w.must(tx.Rollback(ctx))
		want := db.LockRowsRow{Money: c.money, Slot: c.slot, IsKnown: true}
		if c.taken {
			want.DriverID = named
		}
		if c.freed {
			want.DriverID = driver.DriverID
		}
		if c.booked {
			want.AccountID = account
		}
		if err != nil || len(rows) != 1 || rows[0] != want || !slices.Equal(got, []bool{c.taken, c.freed, c.booked}) {
			return fmt.Errorf("%s locks %v, and returns %+v, not %+v: %w", c.transition, got, rows, want, err)
		}
	}
	return nil
}

// opposed has callers make transactions of 50 charges each, of which every other one names the accounts in the opposite
// order, and returns how many attempts these took.
func (w *fixture) opposed(ctx context.Context, callers int, rows db.NamedRows, accounts []uuid.UUID) (int, error) {
	reversed := slices.Clone(accounts)
	slices.Reverse(reversed)
	var attempts int
	var mu sync.Mutex
	err := errors.Join(together(callers, func(i int) error {
		order := accounts
		if i%2 == 1 {
			order = reversed
		}
		return w.WriteTogether(ctx, w.admin, rows, false, func(ctx context.Context) error {
			mu.Lock()
			attempts++
			mu.Unlock()
			for _, account := range order {
				if err := w.entering(charge(account, 1))(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	})...)
	return attempts, err
}

// Transactions that name the same rows in opposite orders wait for one another and never begin anew; those that lock
// none of them first do.
func TestTransactionsThatLockTheirRowsFirstNeverBeginAnew(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	w.Raw = openStore(t, config(d.AppURL, true))
	const callers = 32
	accounts := make([]uuid.UUID, 50)
	for i := range accounts {
		accounts[i] = w.fundedAccount(ctx, 1_000)
	}
	deadlocks := func() int {
		return scan[int](ctx, w.owner, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
	}
	attempts, err := w.opposed(ctx, callers, db.NamedRows{Accounts: accounts}, accounts)
	w.must(err)
	if n := deadlocks(); attempts != callers || n != 0 {
		t.Errorf("%d transactions took %d attempts, with %d deadlocks", callers, attempts, n)
	}
	for _, account := range accounts {
		w.must(w.expectBalance(ctx, account, 1_000-callers))
	}
	// Four are enough to need others' rows. They may give up.
	if attempts, _ = w.opposed(ctx, 4, db.NamedRows{}, accounts); attempts == 4 {
		t.Error("without the locks, none began anew: the callers did not meet")
	}
	t.Logf("without the locks, 4 transactions took %d attempts", attempts)
}
