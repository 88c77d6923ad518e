package db_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

var pickupRaces = []check{
	{"CreatePickups", "a retried request makes a second pickup", func(ctx context.Context, w *fixture) error {
		drafts := []db.Draft{w.draft(), w.draft(), w.draft()}
		creating := func(s *db.Raw) error { return created(ctx, s, w.staff, drafts) }
		if err := w.wins(ctx, commit, creating, creating); err != nil {
			return err
		}
		// Callers who name pickups in any order do not deadlock.
		drafts = []db.Draft{w.draft(), w.draft(), w.draft(), w.draft()}
		return first(together(manyCallers, func(i int) error {
			mine := slices.Clone(drafts)
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			return created(ctx, w.Raw, w.staff, mine)
		})...)
	}},
	{"CreatePickups", "a batch is partly created", func(ctx context.Context, w *fixture) error {
		known := w.draft()
		w.must(created(ctx, w.as, w.staff, []db.Draft{known}))
		for field, bad := range map[string]db.Draft{
			"facility_id": w.draft(func(d *db.Draft) { d.FacilityID = newID() }),
			"account_id":  w.draft(paidBy(newID())),
			"id":          w.draft(func(d *db.Draft) { d.ID, d.Digest = known.ID, digest("other") }),
			"price_cents": w.draft(costing(-1)),
		} {
			good := w.draft()
			err := created(ctx, w.Raw, w.staff, []db.Draft{good, bad})
			var refusal *db.Error
			if !errors.As(err, &refusal) || refusal.Field != field || refusal.Item != 1 {
				return fmt.Errorf("got %v, want a refusal of item 1's %s", err, field)
			}
			if _, err := w.as.GetOne(ctx, w.staff, good.ID); code(err) != db.NotFound {
				return fmt.Errorf("%s was refused, and its neighbour succeeded", field)
			}
		}
		hidden := w.draft(func(d *db.Draft) { d.FacilityID = w.hidden })
		return first(
			refused(created(ctx, w.Raw, w.staff, []db.Draft{w.draft(), hidden}), db.FacilityNotFound),
			created(ctx, w.Raw, w.dispatcher, []db.Draft{w.draft(), hidden}),
			created(ctx, w.Raw, w.staff, []db.Draft{w.draft(), known}), // made by an earlier try
		)
	}},
	{"CreatePickups", "two batches deadlock on the same ids", func(ctx context.Context, w *fixture) error {
		// A batch that waits for the lowest must not have inserted another: the next one gets them at
		// once.
		drafts := make([]db.Draft, 8)
		for i := range drafts {
			drafts[i] = w.draft()
		}
		slices.SortFunc(drafts, func(a, b db.Draft) int { return slices.Compare(b.ID[:], a.ID[:]) })
		create := func(drafts []db.Draft) act {
			return func(s *db.Raw) error { return created(ctx, s, w.staff, drafts) }
		}
		waited, errs := w.behind(ctx, rollback, create(drafts[7:]), create(drafts), create(drafts[:7]))
		if !waited[0] || waited[1] {
			return fmt.Errorf("waited: %v", waited)
		}
		return first(errs...)
	}},
	{"TransitionPickups", "two callers submit one pickup", func(ctx context.Context, w *fixture) error {
		one, other := w.pickup(ctx), w.pickup(ctx)
		return first(
			w.loses(ctx, db.IllegalTransition, w.moving(ctx, db.TransitionNameSubmit, one),
				w.moving(ctx, db.TransitionNameSubmit, one)),
			oneWins(together(manyCallers, func(int) error {
				return w.moving(ctx, db.TransitionNameSubmit, other)(w.Raw)
			}), db.IllegalTransition),
			w.expectBalance(ctx, w.account, 1_000_000-2*500))
	}},
	{"TransitionPickups", "a charge that waited is dated before the one that it waited for",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 100)
			of := func(cents int64) uuid.UUID {
				return w.pickup(ctx, func(d *db.Draft) { d.AccountID, d.PriceCents = account, cents })
			}
			early, late := of(40), of(30)
			// It begins before the other charge, and waits for its pickup meanwhile.
			locking := func(s *db.Raw) error {
				_, err := s.DBTX().Exec(ctx, "SELECT FROM pickups WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
					w.tenant, late)
				return err
			}
			waited, errs := w.behind(ctx, commit, locking, w.moving(ctx, "submit", late),
				w.moving(ctx, "submit", early))
			if err := first(errs...); err != nil || !waited[0] || waited[1] {
				return fmt.Errorf("waited: %v; %w", waited, err)
			}
			w.must(w.moving(ctx, "cancel", early)(w.Raw))
			return w.expectStatement(ctx, account, 100, 60, 30, 70)
		}},
	{"TransitionPickups", "a submit and a cancel at once leave a wrong balance",
		func(ctx context.Context, w *fixture) error {
			one, other := w.pickup(ctx), w.pickup(ctx)
			return first(
				w.wins(ctx, commit, w.moving(ctx, db.TransitionNameSubmit, one),
					w.moving(ctx, db.TransitionNameCancel, one)),
				w.loses(ctx, db.IllegalTransition, w.moving(ctx, db.TransitionNameCancel, other),
					w.moving(ctx, db.TransitionNameSubmit, other)),
				w.expectBalance(ctx, w.account, 1_000_000))
		}},
	{"TransitionPickups", "submits at once take more than the balance", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 100)
		pickups := make([]uuid.UUID, max(manyCallers, 4))
		for i := range pickups {
			pickups[i] = w.pickup(ctx, costing(60), paidBy(account))
		}
		submitting := func(i int) act { return w.moving(ctx, db.TransitionNameSubmit, pickups[i]) }
		if err := first(
			w.wins(ctx, rollback, submitting(0), submitting(1)),
			w.loses(ctx, db.InsufficientFunds, w.charging(ctx, account, 20), submitting(2)),
			w.wins(ctx, commit, w.depositing(ctx, account, 100), submitting(2)),
			w.expectBalance(ctx, account, 60),
		); err != nil {
			return err
		}
		// Each transition of a batch sees the balance that the batch waited for.
		other := w.fundedAccount(ctx, 10)
		two := ids(w.pickup(ctx, costing(60), paidBy(other)), w.pickup(ctx, costing(50), paidBy(other)))
		if err := first(
			w.wins(ctx, commit, w.depositing(ctx, other, 100), func(s *db.Raw) error {
				return w.flush(ctx, s, db.TransitionNameSubmit, two, nil)
			}),
			w.expectBalance(ctx, other, 0),
		); err != nil {
			return err
		}
		w.must(w.depositing(ctx, account, 61)(w.as)) // enough for two of the rest
		return first(
			someWin(2, together(len(pickups)-3, func(i int) error { return submitting(i + 3)(w.Raw) }),
				db.InsufficientFunds),
			w.expectBalance(ctx, account, 1))
	}},
	{"TransitionPickups", "a submit pays a price that its caller has not seen",
		func(ctx context.Context, w *fixture) error {
			id := w.pickup(ctx)
			return first(
				w.loses(ctx, db.StaleVersion,
					func(s *db.Raw) error { return editPickup(ctx, s, w.staff, id, 1, 900) },
					w.moving(ctx, db.TransitionNameSubmit, id, ifMatch(1))),
				w.moving(ctx, db.TransitionNameSubmit, id, ifMatch(2))(w.Raw))
		}},
	{"TransitionPickups", "two batches deadlock on rows", func(ctx context.Context, w *fixture) error {
		var pickups, accounts []uuid.UUID
		for range 6 {
			accounts = append(accounts, w.fundedAccount(ctx, 1000))
		}
		of := map[uuid.UUID]uuid.UUID{}
		for _, account := range accounts {
			id := w.pickup(ctx, paidBy(account))
			pickups, of[account] = append(pickups, id), id
		}
		return first(
			w.locksInOrder(ctx, "pickups", "id", pickups, func(s *db.Raw, order []uuid.UUID) error {
				return w.flush(ctx, s, db.TransitionNameSubmit, order, nil)
			}),
			w.locksInOrder(ctx, "accounts", "id", accounts, func(s *db.Raw, order []uuid.UUID) error {
				return w.flush(ctx, s, db.TransitionNameSubmit, values(of, order), nil)
			}))
	}},
	{"TransitionPickups", "two dispatchers assign one driver", func(ctx context.Context, w *fixture) error {
		drivers := w.drivers(ctx, 4)
		assigning := func(driver db.Viewer) act {
			id := w.submitted(ctx)
			return func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, id, driver) }
		}
		if err := first(
			w.loses(ctx, db.DriverBusy, assigning(drivers[0]), assigning(drivers[0])),
			w.wins(ctx, rollback, assigning(drivers[1]), assigning(drivers[1])),
		); err != nil {
			return err
		}
		// The refused one has no effect on the others of its batch.
		first, second, third := w.submitted(ctx), w.submitted(ctx), w.submitted(ctx)
		if err := w.wins(ctx, commit,
			func(s *db.Raw) error { return w.flush(ctx, s, db.TransitionNameAssign, ids(first), drivers[2:3]) },
			func(s *db.Raw) error {
				return w.flushOf(ctx, s, 1, db.TransitionNameAssign, ids(second, third), drivers[2:4])
			},
		); err != nil {
			return err
		}
		last := w.driver(ctx, 1, 1)
		all := make([]act, manyCallers)
		for i := range all {
			all[i] = assigning(last)
		}
		return oneWins(together(len(all), func(i int) error { return all[i](w.Raw) }), db.DriverBusy)
	}},
	{"TransitionPickups", "two dispatchers assign one pickup", func(ctx context.Context, w *fixture) error {
		drivers, one, other := w.drivers(ctx, manyCallers), w.submitted(ctx), w.submitted(ctx)
		return first(
			w.loses(ctx, db.IllegalTransition,
				func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, one, drivers[0]) },
				func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, one, drivers[1]) }),
			oneWins(together(manyCallers-1, func(i int) error {
				return assign(ctx, w.Raw, w.dispatcher, other, drivers[i+1])
			}), db.IllegalTransition))
	}},
	{"TransitionPickups", "a late duplicate assigns a pickup again after its release",
		func(ctx context.Context, w *fixture) error {
			driver := w.driver(ctx, 1, 1)
			id := w.submitted(ctx)
			version, key := w.row(ctx, id).Version, withKey("once")
			w.must(assign(ctx, w.as, w.dispatcher, id, driver, ifMatch(version), key))
			w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameRelease, id))
			if err := refused(assign(ctx, w.Raw, w.dispatcher, id, driver, ifMatch(version)),
				db.StaleVersion); err != nil {
				return err
			}
			// By its key it is a replay, not an error that would fail the others of its batch.
			other, free := w.submitted(ctx), w.driver(ctx, 1, 1)
			return first(
				refused(assign(ctx, w.Raw, w.staff, id, driver, key), db.Forbidden),
				assign(ctx, w.Raw, w.dispatcher, id, driver, key),
				w.expect(ctx, id, db.PickupStatusSUBMITTED),
				w.flushOf(ctx, w.Raw, 1, db.TransitionNameAssign, ids(id, other),
					[]db.Viewer{driver, free}, "once", "other"))
		}},
	{"TransitionPickups", "two batches deadlock on rows", func(ctx context.Context, w *fixture) error {
		drivers := w.drivers(ctx, 6)
		var pickups, slots []uuid.UUID
		of := map[uuid.UUID]uuid.UUID{}
		byID := map[uuid.UUID]db.Viewer{}
		for _, d := range drivers {
			id := w.submitted(ctx)
			pickups, slots = append(pickups, id), append(slots, d.DriverID)
			of[d.DriverID], byID[d.DriverID] = id, d
		}
		assigning := func(s *db.Raw, order []uuid.UUID) error {
			return w.flush(ctx, s, db.TransitionNameAssign, values(of, order), values(byID, order))
		}
		return first(
			w.locksInOrder(ctx, "driver_slots", "driver_id", slots, assigning),
			w.locksInOrder(ctx, "pickups", "id", pickups, func(s *db.Raw, order []uuid.UUID) error {
				return w.flush(ctx, s, db.TransitionNameAssign, order, drivers)
			}))
	}},
	{"TransitionPickups", "two callers cancel one pickup", func(ctx context.Context, w *fixture) error {
		one, other := w.submitted(ctx), w.assigned(ctx, w.driver(ctx, 1, 1))
		return first(
			w.loses(ctx, db.IllegalTransition, w.moving(ctx, db.TransitionNameCancel, one),
				w.moving(ctx, db.TransitionNameCancel, one)),
			oneWins(together(manyCallers, func(int) error {
				return w.moving(ctx, db.TransitionNameCancel, other)(w.Raw)
			}), db.IllegalTransition),
			w.expectBalance(ctx, w.account, 1_000_000))
	}},
	{"TransitionPickups", "a pickup skips a status", func(ctx context.Context, w *fixture) error {
		id := w.at(ctx, db.PickupStatusCOLLECTED)
		path := []db.TransitionName{db.TransitionNameReceive, db.TransitionNamePack,
			db.TransitionNameShip, db.TransitionNameDeliver}
		step := func(name db.TransitionName) act {
			return func(s *db.Raw) error { return move(ctx, s, w.hub, name, id) }
		}
		if err := first(
			refused(step(db.TransitionNameShip)(w.Raw), db.IllegalTransition),
			w.loses(ctx, db.IllegalTransition, step(db.TransitionNameReceive), step(db.TransitionNameReceive)),
			w.wins(ctx, rollback, step(db.TransitionNamePack), step(db.TransitionNamePack)),
		); err != nil {
			return err
		}
		// Each step happens once, in order, with any timing; the invariants check the chain.
		for w.row(ctx, id).Status != db.PickupStatusDELIVERED {
			for _, err := range together(manyCallers, func(i int) error { return step(path[i%len(path)])(w.Raw) }) {
				if err != nil {
					if err := refused(err, db.IllegalTransition); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}},
	{"TransitionPickups", "a driver collects what was given to another", func(ctx context.Context, w *fixture) error {
		one, other := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2)
		id := w.assigned(ctx, one)
		return first(
			w.loses(ctx, db.NotFound,
				func(s *db.Raw) error {
					return first(move(ctx, s, w.dispatcher, db.TransitionNameRelease, id),
						assign(ctx, s, w.dispatcher, id, other))
				},
				func(s *db.Raw) error { return move(ctx, s, one, db.TransitionNameCollect, id) }),
			w.expect(ctx, id, db.PickupStatusASSIGNED),
			move(ctx, w.Raw, other, db.TransitionNameCollect, id))
	}},
	{"TransitionPickups", "a refund misses the charge that it waited for", func(ctx context.Context, w *fixture) error {
		one, other, third := w.pickup(ctx), w.submitted(ctx), w.submitted(ctx)
		return first(
			w.wins(ctx, commit, w.moving(ctx, db.TransitionNameSubmit, one),
				w.moving(ctx, db.TransitionNameCancel, one)),
			w.wins(ctx, commit, w.charging(ctx, w.account, 7), w.moving(ctx, db.TransitionNameCancel, other)),
			w.wins(ctx, commit, w.moving(ctx, db.TransitionNameCancel, third), w.charging(ctx, w.account, 3)),
			w.expectBalance(ctx, w.account, 1_000_000-10))
	}},
	{"TransitionPickups", "a cancel misses the driver that it waited for", func(ctx context.Context, w *fixture) error {
		id, driver := w.submitted(ctx), w.driver(ctx, 1, 1)
		return first(
			w.wins(ctx, commit,
				func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, id, driver) },
				w.moving(ctx, db.TransitionNameCancel, id)),
			// The slot is free again.
			assign(ctx, w.as, w.dispatcher, w.submitted(ctx), driver))
	}},
	{"TransitionPickups", "a late duplicate moves a later round", func(ctx context.Context, w *fixture) error {
		driver := w.driver(ctx, 1, 1)
		id := w.assigned(ctx, driver)
		version, key := w.row(ctx, id).Version, withKey("once")
		w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameRelease, id, key))
		w.must(assign(ctx, w.as, w.dispatcher, id, driver))
		other := w.assigned(ctx, w.driver(ctx, 1, 1))
		return first(
			refused(move(ctx, w.Raw, w.dispatcher, db.TransitionNameRelease, id, ifMatch(version)), db.StaleVersion),
			move(ctx, w.Raw, w.dispatcher, db.TransitionNameRelease, id, key),
			w.expect(ctx, id, db.PickupStatusASSIGNED),
			refused(move(ctx, w.Raw, w.dispatcher, db.TransitionNameCancel, id, key), db.IdempotencyKeyReused),
			w.flushOf(ctx, w.Raw, 1, db.TransitionNameRelease, ids(id, other), nil, "once", "other"))
	}},
	{"TransitionPickups", "two batches deadlock on rows", func(ctx context.Context, w *fixture) error {
		drivers := w.drivers(ctx, 6)
		var pickups, slots, accounts []uuid.UUID
		bySlot, byAccount := map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}
		for _, driver := range drivers {
			account := w.fundedAccount(ctx, 1000)
			id := w.assigned(ctx, driver, paidBy(account))
			pickups, slots, accounts = append(pickups, id), append(slots, driver.DriverID), append(accounts, account)
			bySlot[driver.DriverID], byAccount[account] = id, id
		}
		canceling := func(s *db.Raw, order []uuid.UUID) error {
			return w.flush(ctx, s, db.TransitionNameCancel, order, nil)
		}
		return first(
			w.locksInOrder(ctx, "pickups", "id", pickups, canceling),
			w.locksInOrder(ctx, "driver_slots", "driver_id", slots, func(s *db.Raw, order []uuid.UUID) error {
				return canceling(s, values(bySlot, order))
			}),
			w.locksInOrder(ctx, "accounts", "id", accounts, func(s *db.Raw, order []uuid.UUID) error {
				return canceling(s, values(byAccount, order))
			}))
	}},
	{"TransitionPickups", "a release and an assign of one driver share a batch",
		func(ctx context.Context, w *fixture) error {
			driver := w.driver(ctx, 1, 1)
			held, next := w.assigned(ctx, driver), w.submitted(ctx)
			freed := func(name db.TransitionName) error {
				n, err := w.sendEach(ctx, w.Raw, []db.TransitionName{name, db.TransitionNameAssign},
					ids(held, next), []db.Viewer{{}, driver})
				if err == nil && n != 1 {
					err = fmt.Errorf("%d of a %s and an assign won, want the first alone", n, name)
				}
				return first(err, w.expect(ctx, next, db.PickupStatusSUBMITTED))
			}
			if err := freed(db.TransitionNameRelease); err != nil {
				return err
			}
			w.must(assign(ctx, w.as, w.dispatcher, held, driver))
			if err := freed(db.TransitionNameCollect); err != nil {
				return err
			}
			return assign(ctx, w.Raw, w.dispatcher, next, driver) // by a statement of its own
		}},
	{"TransitionPickups", "two batches deadlock on slots and accounts", func(ctx context.Context, w *fixture) error {
		// A transition that waits for a slot, to take it or to free it, has not locked an account that
		// another needs.
		account, driver, free := w.fundedAccount(ctx, 1000), w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
		canceled, taking, paying := w.assigned(ctx, driver,
			paidBy(account)), w.submitted(ctx), w.pickup(ctx, paidBy(account))
		freeing := func(s *db.Raw) error { return w.flush(ctx, s, db.TransitionNameCancel, ids(canceled), nil) }
		both := func(s *db.Raw) error {
			n, err := w.sendEach(ctx, s, []db.TransitionName{db.TransitionNameSubmit, db.TransitionNameAssign},
				ids(paying, taking), []db.Viewer{{}, free})
			if err == nil && n != 2 {
				err = fmt.Errorf("%d of 2 won", n)
			}
			return err
		}
		for _, c := range []struct {
			slot  uuid.UUID
			flush act
		}{{driver.DriverID, freeing}, {free.DriverID, both}} {
			for _, plan := range plans {
				left, err := w.freeWhileWaiting(ctx, "driver_slots", "driver_id", c.slot,
					"accounts", "id", ids(account), plan, c.flush)
				if err == nil && len(left) != 1 {
					err = errors.New("waiting for the slot, it held the account")
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	}},
	{"EditPickup", clobbered, func(ctx context.Context, w *fixture) error {
		id := w.pickup(ctx)
		return w.editedOnce(ctx, func(s *db.Raw, _ string, version int64) error {
			return editPickup(ctx, s, w.staff, id, version, 700)
		})
	}},
	{"EditPickup", "a pickup is edited after it was submitted", func(ctx context.Context, w *fixture) error {
		id := w.pickup(ctx)
		return first(
			w.loses(ctx, db.NotFound, w.moving(ctx, db.TransitionNameSubmit, id), func(s *db.Raw) error {
				return editPickup(ctx, s, w.staff, id, 1, 700)
			}),
			// Also with the version that the submit left.
			refused(editPickup(ctx, w.Raw, w.staff, id, 2, 500), db.NotFound))
	}},
}

var pickupRules = []check{
	{"TransitionPickups", "an unauthorized viewer submits", func(ctx context.Context, w *fixture) error {
		id := w.pickup(ctx)
		return first(
			refused(move(ctx, w.Raw, w.stranger, db.TransitionNameSubmit, id), db.NotFound),
			refused(move(ctx, w.Raw, w.hub, db.TransitionNameSubmit, id), db.NotFound),
			refused(move(ctx, w.Raw, w.admin, db.TransitionNameSubmit, id), db.Forbidden),
			w.expect(ctx, id, db.PickupStatusDRAFT),
			move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, id))
	}},
	{"TransitionPickupsSkipLocked", "a locked pickup blocks the others",
		func(ctx context.Context, w *fixture) error {
			pickups := ids(w.pickup(ctx), w.pickup(ctx))
			asks := transitionsBy(w.dispatcher, pickups)
			asks.Transitions = fill(len(pickups), string(db.TransitionNameSubmit))
			return w.passes(ctx,
				func(s *db.Raw) error {
					_, err := s.DBTX().Exec(ctx, "SELECT FROM pickups WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
						w.tenant, pickups[0])
					return err
				},
				func(s *db.Raw) error {
					rows, err := s.TransitionPickupsSkipLocked(ctx, db.TransitionPickupsSkipLockedParams(asks))
					if err == nil && (len(rows) != 1 || rows[0].Pickup.ID != pickups[1]) {
						err = fmt.Errorf("it moved %d pickups", len(rows))
					}
					return err
				})
		}},
	{"TransitionPickups", "what costs nothing is charged", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 0)
		id := w.pickup(ctx, costing(0), paidBy(account))
		if err := w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw); err != nil {
			return err
		}
		if scan[int](ctx, w.owner, "SELECT balance_version FROM accounts WHERE id = $1", account) != 0 {
			return errors.New("the balance includes a refused transition")
		}
		return nil
	}},
	{"TransitionPickups", "a refused request fails its whole batch", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 120)
		var pickups []uuid.UUID
		for _, cents := range []int64{100, 30, 15} {
			pickups = append(pickups, w.pickup(ctx, costing(cents), paidBy(account)))
		}
		return first(
			w.flushOf(ctx, w.Raw, 2, db.TransitionNameSubmit, pickups, nil),
			w.expect(ctx, pickups[1], db.PickupStatusDRAFT),
			w.expectBalance(ctx, account, 5))
	}},
	{"TransitionPickups", "a charge spends a refund that comes after it", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 100)
		paid, draft := w.submitted(ctx, costing(100), paidBy(account)), w.pickup(ctx, costing(70), paidBy(account))
		both := func(names []db.TransitionName, pickups []uuid.UUID, winners int) error {
			n, err := w.sendEach(ctx, w.Raw, names, pickups, nil)
			if err == nil && n != winners {
				err = fmt.Errorf("of %v, %d won, want %d", names, n, winners)
			}
			return err
		}
		if err := first(
			both([]db.TransitionName{db.TransitionNameSubmit, db.TransitionNameCancel}, ids(draft, paid), 1),
			w.expect(ctx, draft, db.PickupStatusDRAFT), w.expectBalance(ctx, account, 100),
		); err != nil {
			return err
		}
		// In the other order the refund could be spent; both are one movement of the balance.
		w.must(w.moving(ctx, db.TransitionNameSubmit, draft)(w.as))
		dear := w.pickup(ctx, costing(95), paidBy(account))
		return first(
			both([]db.TransitionName{db.TransitionNameCancel, db.TransitionNameSubmit}, ids(draft, dear), 2),
			w.expectBalance(ctx, account, 5))
	}},
	{"TransitionPickups", "a refund that an account cannot hold is lost without a reason",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 1000)
			id := w.submitted(ctx, paidBy(account))
			w.must(w.depositing(ctx, account, 1<<53-1-500)(w.as))
			return first(
				refused(w.moving(ctx, db.TransitionNameCancel, id)(w.Raw), db.BalanceTooLarge),
				w.expect(ctx, id, db.PickupStatusSUBMITTED))
		}},
	{"TransitionPickups", "an unauthorized viewer assigns", func(ctx context.Context, w *fixture) error {
		id, driver := w.submitted(ctx), w.driver(ctx, 1, 1)
		return first(
			refused(assign(ctx, w.Raw, w.staff, id, driver), db.Forbidden),
			refused(assign(ctx, w.Raw, w.stranger, id, driver), db.NotFound),
			refused(assign(ctx, w.Raw, w.dispatcher, id, db.Viewer{DriverID: newID()}), db.DriverNotFound),
			refused(assign(ctx, w.Raw, w.dispatcher, w.pickup(ctx), driver), db.IllegalTransition),
			w.expect(ctx, id, db.PickupStatusSUBMITTED))
	}},
	{"TransitionPickups", "an unauthorized viewer moves", func(ctx context.Context, w *fixture) error {
		id := w.assigned(ctx, w.driver(ctx, 1, 1))
		return first(
			refused(move(ctx, w.Raw, w.staff, db.TransitionNameRelease, id), db.Forbidden),
			refused(move(ctx, w.Raw, w.stranger, db.TransitionNameCancel, id), db.NotFound),
			refused(move(ctx, w.Raw, w.hub, db.TransitionNameReceive, id), db.NotFound),
			refused(move(ctx, w.Raw, w.driver(ctx, 1, 1), db.TransitionNameCollect, id), db.NotFound),
			w.expect(ctx, id, db.PickupStatusASSIGNED),
			move(ctx, w.Raw, w.admin, db.TransitionNameCancel, id))
	}},
	{"TransitionPickups", "a draft's cancel refunds", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 0)
		if err := w.moving(ctx, db.TransitionNameCancel, w.pickup(ctx, paidBy(account)))(w.Raw); err != nil {
			return err
		}
		if scan[int](ctx, w.owner, "SELECT balance_version FROM accounts WHERE id = $1", account) != 0 {
			return errors.New("the balance includes a refused transition")
		}
		return nil
	}},
	{"TransitionPickups", "a batch of cancels waits for accounts that it refunds nothing",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 10)
			id := w.pickup(ctx, paidBy(account))
			return w.passes(ctx, w.charging(ctx, account, 1), w.moving(ctx, db.TransitionNameCancel, id))
		}},
	{"TransitionPickups", "the hub waits for the driver's next pickup", func(ctx context.Context, w *fixture) error {
		driver := w.driver(ctx, 1, 1)
		id := w.assigned(ctx, driver)
		w.must(move(ctx, w.as, driver, db.TransitionNameCollect, id))
		next := w.submitted(ctx)
		return w.passes(ctx,
			func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, next, driver) },
			func(s *db.Raw) error { return move(ctx, s, w.hub, db.TransitionNameReceive, id) })
	}},
	{"EditPickup", "an unauthorized viewer edits", func(ctx context.Context, w *fixture) error {
		id := w.pickup(ctx)
		moving := func(facility uuid.UUID) error {
			_, err := w.EditPickup(ctx, db.EditPickupParams{
				TenantID: w.tenant, ID: id, Version: 1, FacilityID: &facility, ViewerID: w.staff.UserID,
			})
			return err
		}
		return first(
			refused(editPickup(ctx, w.Raw, w.stranger, id, 1, 700), db.NotFound),
			refused(moving(w.hidden), db.NotFound),
			moving(w.facility))
	}},
	{"EditPickup", "an edit meets a constraint of the row", func(ctx context.Context, w *fixture) error {
		at, one := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), 1.0
		id := w.pickup(ctx, func(d *db.Draft) {
			d.WindowStart, d.PickupLatitude, d.PickupLongitude = &at, &one, &one
		})
		version := int64(1)
		edit := func(set func(*db.EditPickupParams)) error {
			ask := db.EditPickupParams{TenantID: w.tenant, ID: id, Version: version, ViewerID: w.staff.UserID}
			set(&ask)
			_, err := w.EditPickup(ctx, ask)
			if err == nil {
				version++
			}
			return err
		}
		end := func(at time.Time) func(*db.EditPickupParams) {
			return func(p *db.EditPickupParams) { p.SetWindowEnd, p.WindowEnd = true, &at }
		}
		start := func(at *time.Time) func(*db.EditPickupParams) {
			return func(p *db.EditPickupParams) { p.SetWindowStart, p.WindowStart = true, at }
		}
		none := func(p *db.EditPickupParams) { p.SetPickupLatitude = true }
		late := at.Add(2 * time.Hour)
		// No row, and no error from PostgreSQL.
		return first(
			unmatched(edit(end(at))), edit(end(at.Add(time.Hour))), unmatched(edit(start(&late))),
			edit(start(nil)), edit(start(&at)),
			unmatched(edit(none)),
			edit(func(p *db.EditPickupParams) { none(p); p.SetPickupLongitude = true }),
			unmatched(edit(func(p *db.EditPickupParams) { p.SetPickupLongitude, p.PickupLongitude = true, &one })))
	}},
}

func (w *fixture) moving(ctx context.Context, name db.TransitionName, id uuid.UUID, edits ...func(*db.Transition)) act {
	return func(s *db.Raw) error { return move(ctx, s, w.dispatcher, name, id, edits...) }
}

func created(ctx context.Context, s *db.Raw, v db.Viewer, drafts []db.Draft) error {
	pickups, _, err := s.CreateDrafts(ctx, v, drafts)
	if err != nil {
		return err
	}
	for i, p := range pickups {
		if p.ID != drafts[i].ID {
			return errors.New("the answers are in another order")
		}
	}
	return nil
}

// unmatched returns an error unless a statement found no row and violated no constraint.
func unmatched(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return fmt.Errorf("got %v, want no row", err)
}

func editPickup(ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID, version, cents int64) error {
	_, err := s.EditPickup(ctx, db.EditPickupParams{
		TenantID: v.TenantID, ID: id, Version: version, PriceCents: &cents, ViewerID: v.UserID,
	})
	return err
}

func ids(all ...uuid.UUID) []uuid.UUID { return all }

func values[K comparable, V any](of map[K]V, keys []K) []V {
	out := make([]V, len(keys))
	for i, k := range keys {
		out[i] = of[k]
	}
	return out
}

// flush moves several pickups in one statement, all of which must win.
func (w *fixture) flush(
	ctx context.Context, s *db.Raw, name db.TransitionName, pickups []uuid.UUID, drivers []db.Viewer,
) error {
	return w.flushOf(ctx, s, len(pickups), name, pickups, drivers)
}

// flushOf moves several pickups in one statement, of which some must win.
func (w *fixture) flushOf(
	ctx context.Context, s *db.Raw, winners int, name db.TransitionName,
	pickups []uuid.UUID, drivers []db.Viewer, keys ...string,
) error {
	n, err := w.send(ctx, s, name, pickups, drivers, keys)
	if err == nil && n != winners {
		err = fmt.Errorf("of a flush of %d, %d won, want %d", len(pickups), n, winners)
	}
	return err
}

func (w *fixture) send(
	ctx context.Context, s *db.Raw, name db.TransitionName, pickups []uuid.UUID, drivers []db.Viewer, keys []string,
) (won int, err error) {
	return w.sendEach(ctx, s, fill(len(pickups), name), pickups, drivers, keys...)
}

// sendEach makes a transition of each pickup in one statement, and returns how many won.
func (w *fixture) sendEach(
	ctx context.Context, s *db.Raw, names []db.TransitionName, pickups []uuid.UUID,
	drivers []db.Viewer, keys ...string,
) (won int, err error) {
	asks := transitionsBy(w.dispatcher, pickups)
	for i, name := range names {
		asks.Transitions[i] = string(name)
		if drivers != nil {
			asks.DriverIds[i] = drivers[i].DriverID
		}
	}
	if keys != nil {
		asks.IdempotencyKeys = keys
	}
	rows, err := s.TransitionPickups(ctx, asks)
	return len(rows), err
}

// transitionsBy returns transitions of the pickups, one each, without a name.
func transitionsBy(v db.Viewer, pickups []uuid.UUID) db.TransitionPickupsParams {
	n := len(pickups)
	moves := make([]uuid.UUID, n)
	for i := range n {
		moves[i] = newID()
	}
	return db.TransitionPickupsParams{
		TenantIds: fill(n, v.TenantID), Ids: pickups, ViewerIds: fill(n, v.UserID),
		ViewerRoles:     fill(n, string(v.Role)),
		ViewerDriverIds: make([]uuid.UUID, n), Transitions: make([]string, n), Versions: make([]int64, n),
		IdempotencyKeys: make([]string, n), RequestDigests: fill(n, digest("batch")), MoveIds: moves,
		DriverIds: make([]uuid.UUID, n), Reasons: make([]string, n),
	}
}

func fill[T any](n int, v T) []T { return slices.Repeat([]T{v}, n) }

// A submit and a cancel race, two hundred times: no money is lost or created.
func TestSubmitAgainstCancelLeavesTheRightBalance(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	balance := int64(1_000_000)
	for range 200 {
		id := w.pickup(ctx)
		names := []db.TransitionName{db.TransitionNameSubmit, db.TransitionNameCancel}
		errs := together(2, func(i int) error { return w.moving(ctx, names[i], id)(w.Raw) })
		p := w.row(ctx, id)
		switch {
		case errs[1] != nil: // a cancel is legal before the submit and after it
			t.Fatal("the cancel: ", errs[1])
		case p.Status != db.PickupStatusCANCELED:
			t.Fatalf("the pickup is %s", p.Status)
		case errs[0] == nil && (p.Version != 3 || p.RefundedCents != 500):
			t.Fatalf("submitted and canceled: version %d, refunded %d", p.Version, p.RefundedCents)
		case errs[0] != nil && (refused(errs[0], db.IllegalTransition) != nil || p.Version != 2):
			t.Fatalf("canceled alone: version %d, %v", p.Version, errs[0])
		}
		if got := w.balance(ctx, w.account); got != balance {
			t.Fatalf("the balance is %d, want %d", got, balance)
		}
	}
}

// What a CHECK would refuse is refused before the statement, of a batch with its item: no such draft is
// sent. The CHECKs refuse the same values, for the same field.
func TestADraftThatAConstraintWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	at, one, nan := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), 1.0, math.NaN()
	far, farther := 91.0, 181.0
	within := at.Add(900 * time.Nanosecond) // the same, as it is stored
	offline := db.StoreOver(nowhere{}, func(q db.DBTX) db.DBTX { return q })
	for what, c := range map[string]struct {
		field string
		edit  func(*db.Draft)
	}{
		"a price below nothing": {"price_cents", costing(-1)},
		"a price over the most": {"price_cents", costing(1 << 53)},
		"a blank address":       {"pickup_address", func(d *db.Draft) { d.PickupAddress = "  " }},
		"a long address":        {"pickup_address", func(d *db.Draft) { d.PickupAddress = strings.Repeat("ü", 501) }},
		"no address to go to":   {"dropoff_address", func(d *db.Draft) { d.DropoffAddress = "" }},
		"a long one": {"dropoff_address",
			func(d *db.Draft) { d.DropoffAddress = strings.Repeat("x", 501) }},
		"a latitude off earth": {"pickup_latitude",
			func(d *db.Draft) { d.PickupLatitude, d.PickupLongitude = &far, &one }},
		"a longitude off earth": {"pickup_longitude",
			func(d *db.Draft) { d.PickupLatitude, d.PickupLongitude = &one, &farther }},
		"a latitude alone":       {"pickup_longitude", func(d *db.Draft) { d.PickupLatitude = &one }},
		"a longitude alone":      {"pickup_longitude", func(d *db.Draft) { d.PickupLongitude = &one }},
		"a window of no time":    {"window_end", func(d *db.Draft) { d.WindowStart, d.WindowEnd = &at, &within }},
		"a window the wrong way": {"window_end", func(d *db.Draft) { d.WindowStart, d.WindowEnd = &within, &at }},
		"a long note":            {"note", func(d *db.Draft) { d.Note = strings.Repeat("ü", 2001) }},
		"no number": {"pickup_latitude",
			func(d *db.Draft) { d.PickupLatitude, d.PickupLongitude = &nan, &one }},
	} {
		_, _, err := offline.CreateDrafts(ctx, w.staff, []db.Draft{w.draft(), w.draft(c.edit)})
		var refusal *db.Error
		if !errors.As(err, &refusal) || refusal.Code != db.ValidationFailed || refusal.Field != c.field ||
			refusal.Item != 1 {
			t.Errorf("%s: got %v", what, err)
		}
		if what == "no number" { // to the statement, it is none
			continue
		}
		_, err = w.SendDrafts(ctx, w.staff, []db.Draft{w.draft(c.edit)})
		if refusal := db.Explain(err); err == nil || refusal.Code != db.ValidationFailed || refusal.Field != c.field {
			t.Errorf("%s: the statement gave %v", what, err)
		}
	}
	if err := created(ctx, w.Raw, w.staff, []db.Draft{w.draft(func(d *db.Draft) {
		d.PickupAddress, d.Note = strings.Repeat("ü", 500), strings.Repeat("ü", 2000)
		end := at.Add(time.Microsecond)
		d.WindowStart, d.WindowEnd = &at, &end
	})}); err != nil {
		t.Errorf("the longest: %v", err)
	}
}

// nowhere is a database that must not be queried.
type nowhere struct{ db.DBTX }

func (nowhere) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return nil, errors.New("a statement was sent")
}

func (nowhere) QueryRow(context.Context, string, ...any) pgx.Row {
	return failing{errors.New("a statement was sent")}
}

func (nowhere) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errors.New("a statement was sent")
}
