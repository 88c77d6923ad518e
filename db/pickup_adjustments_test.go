package db_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"waybill/db"
)

var adjustmentRaces = []check{
	{"AdjustPickup", "two callers refund more than was charged", func(ctx context.Context, w *fixture) error {
		one, other := w.paid(ctx, 500), w.paid(ctx, 500)
		return first(
			w.loses(ctx, db.RefundTooLarge, w.refunding(ctx, one, 300), w.refunding(ctx, one, 201)),
			someWin(4, together(manyCallers, func(int) error { return w.refunding(ctx, other, 120)(w.Raw) }),
				db.RefundTooLarge),
			w.expectMoney(ctx, one, 500, 200, 300), w.expectMoney(ctx, other, 500, 20, 480),
			w.expectBalance(ctx, w.account, 1_000_000-200-20))
	}},
	{"AdjustPickup", "a cancel misses the price that it waited for", func(ctx context.Context, w *fixture) error {
		dearer, cheaper, partly := w.paid(ctx, 500), w.paid(ctx, 500), w.paid(ctx, 500)
		return first(
			w.wins(ctx, commit, w.repricing(ctx, dearer, 700), w.moving(ctx, "cancel", dearer)),
			w.wins(ctx, commit, w.repricing(ctx, cheaper, 300), w.moving(ctx, "cancel", cheaper)),
			w.wins(ctx, commit, w.refunding(ctx, partly, 100), w.moving(ctx, "cancel", partly)),
			w.expectMoney(ctx, dearer, 700, 0, 700), w.expectMoney(ctx, cheaper, 300, 0, 300),
			w.expectMoney(ctx, partly, 500, 0, 500), w.expectBalance(ctx, w.account, 1_000_000))
	}},
	{"AdjustPickup", "a refund or a price of a pickup that was canceled meanwhile",
		func(ctx context.Context, w *fixture) error {
			one, other, done := w.paid(ctx, 500), w.paid(ctx, 500), w.pickupIn(ctx, db.PickupStatusSHIPPED, uuid.Nil)
			deliver := func(s *db.Raw) error { return move(ctx, s, w.hub, "deliver", done) }
			return first(
				w.loses(ctx, db.IllegalTransition, w.moving(ctx, "cancel", one), w.refunding(ctx, one, 1)),
				w.loses(ctx, db.IllegalTransition, w.moving(ctx, "cancel", other), w.repricing(ctx, other, 600)),
				w.loses(ctx, db.IllegalTransition, deliver, w.repricing(ctx, done, 600)),
				w.refunding(ctx, done, 500)(w.Raw), // a delivered one is refunded
				w.expectMoney(ctx, one, 500, 0, 500), w.expectMoney(ctx, other, 500, 0, 500),
				w.expectMoney(ctx, done, 500, 0, 500), w.expectBalance(ctx, w.account, 1_000_000))
		}},
	{"AdjustPickup", "two callers reprice one pickup by the same difference",
		func(ctx context.Context, w *fixture) error {
			id, other := w.paid(ctx, 500), w.paid(ctx, 500)
			return first(
				w.wins(ctx, commit, w.repricing(ctx, id, 700), w.repricing(ctx, id, 650)),
				w.loses(ctx, db.StaleVersion, w.repricing(ctx, other, 700, 2), w.repricing(ctx, other, 650, 2)),
				first(together(manyCallers, func(int) error { return w.repricing(ctx, id, 800)(w.Raw) })...),
				w.expectMoney(ctx, id, 800, 800, 0), w.expectMoney(ctx, other, 700, 700, 0),
				w.expectBalance(ctx, w.account, 1_000_000-800-700))
		}},
	{"AdjustPickup", "a reprice takes more than the balance", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 1000)
		of := func() uuid.UUID {
			id := w.pickup(ctx, func(d *db.Draft) { d.AccountID, d.PriceCents = account, 300 })
			w.must(w.moving(ctx, "submit", id)(w.as))
			return id
		}
		one, other, third := of(), of(), of() // 100 are left
		return first(
			w.loses(ctx, db.InsufficientFunds, w.repricing(ctx, one, 380), w.repricing(ctx, other, 321)),
			w.loses(ctx, db.InsufficientFunds, w.charging(ctx, account, 15), w.repricing(ctx, other, 306)),
			w.wins(ctx, commit, w.refunding(ctx, third, 10), w.repricing(ctx, other, 315)),
			w.expectBalance(ctx, account, 0), w.expectMoney(ctx, one, 380, 380, 0),
			w.expectMoney(ctx, other, 315, 315, 0), w.expectMoney(ctx, third, 300, 290, 10))
	}},
	{"AdjustPickup", "a late duplicate refunds a second time", func(ctx context.Context, w *fixture) error {
		id, other := w.paid(ctx, 500), w.paid(ctx, 500)
		w.must(w.adjusting(ctx, w.refund(id, 100, "key"))(w.as))
		_, replayed, err := w.Raw.Store.AdjustPickup(ctx, w.dispatcher, w.refund(id, 100, "key"))
		if err != nil || !replayed {
			return fmt.Errorf("a duplicate: replayed %t, %w", replayed, err)
		}
		another := w.refund(id, 101, "key")
		another.Digest = digest("another")
		return first(
			refused(w.adjusting(ctx, another)(w.Raw), db.IdempotencyKeyReused),
			first(together(manyCallers,
				func(int) error { return w.adjusting(ctx, w.refund(other, 100, "key"))(w.Raw) })...),
			w.expectMoney(ctx, id, 500, 400, 100), w.expectMoney(ctx, other, 500, 400, 100),
			w.expectBalance(ctx, w.account, 1_000_000-800))
	}},
}

var adjustmentRules = []check{
	{"AdjustPickup", "an adjustment in a status that the dictionary does not list",
		func(ctx context.Context, w *fixture) error {
			for _, status := range db.AllPickupStatusValues() {
				for name, from := range map[string]db.PickupStatus{db.Reprice: "SHIPPED", db.Refund: "DELIVERED"} {
					id := w.pickupIn(ctx, status, uuid.Nil)
					a := w.refund(id, 1, "")
					if a.Name = name; name == db.Reprice {
						a.PriceCents = 600
					}
					err := w.adjusting(ctx, a)(w.Raw)
					want := db.IllegalTransition
					if all := db.AllPickupStatusValues(); status != "DRAFT" && status != "CANCELED" &&
						indexOf(all, status) <= indexOf(all, from) {
						want = ""
					}
					if code(err) != want {
						return fmt.Errorf("%s in %s: %w, want %q", name, status, err, want)
					}
				}
			}
			return nil
		}},
	{"AdjustPickup", "a price is set below what was refunded", func(ctx context.Context, w *fixture) error {
		id := w.paid(ctx, 500)
		w.must(w.refunding(ctx, id, 300)(w.as))
		return first(
			refused(w.repricing(ctx, id, 299)(w.Raw), db.PriceBelowRefunds), w.repricing(ctx, id, 300)(w.Raw),
			w.expectMoney(ctx, id, 300, 0, 300), refused(w.refunding(ctx, id, 1)(w.Raw), db.RefundTooLarge),
			w.repricing(ctx, id, 310)(w.Raw), w.moving(ctx, "cancel", id)(w.Raw), w.expectMoney(ctx, id, 310, 0, 310),
			w.expectBalance(ctx, w.account, 1_000_000))
	}},
	{"AdjustPickup", "a balance grows past what clients can count", func(ctx context.Context, w *fixture) error {
		id := w.paid(ctx, 500)
		w.must(w.depositing(ctx, w.account, 1<<53-1-1_000_000+500-100)(w.as))
		return first(refused(w.refunding(ctx, id, 101)(w.Raw), db.BalanceTooLarge), w.refunding(ctx, id, 100)(w.Raw))
	}},
	{"AdjustPickup", "a pickup is adjusted by who does not see it", func(ctx context.Context, w *fixture) error {
		id := w.paid(ctx, 500)
		_, _, err := w.Raw.Store.AdjustPickup(ctx, w.stranger, w.refund(id, 1, ""))
		return first(refused(err, db.NotFound), refused(w.refunding(ctx, newID(), 1)(w.Raw), db.NotFound),
			w.expectMoney(ctx, id, 500, 500, 0))
	}},
	{"AdjustPickup", "an adjustment is one event of its pickup", func(ctx context.Context, w *fixture) error {
		id := w.pickupIn(ctx, db.PickupStatusASSIGNED, uuid.Nil)
		before := w.row(ctx, id)
		reprice := db.Adjustment{Name: db.Reprice, PickupID: id, PriceCents: 600, Key: "key", Digest: digest("reprice")}
		if err := first(w.adjusting(ctx, reprice)(w.Raw), w.adjusting(ctx, reprice)(w.Raw),
			w.refunding(ctx, id, 20)(w.Raw), refused(w.refunding(ctx, id, 581)(w.Raw), db.RefundTooLarge)); err != nil {
			return err
		}
		events := must(w.ListPickupEvents(ctx, db.ListPickupEventsParams{TenantID: w.tenant, PickupID: id,
			AfterVersion: before.Version, ViewerID: w.admin.UserID, ViewerRole: w.admin.Role, MaxRows: 10}))
		for i, want := range []db.TransitionName{"reprice", "refund"} {
			if len(events) != 2 {
				return fmt.Errorf("%d events", len(events))
			}
			if e := events[i].PickupEvent; e.Transition != want || e.Version != before.Version+1+int64(i) ||
				e.FromStatus != "ASSIGNED" || e.ToStatus != "ASSIGNED" || e.ActorID != w.dispatcher.UserID ||
				!isUUID(e.DriverID, *before.DriverID) || !isUUID(e.FacilityID, before.FacilityID) ||
				e.IdempotencyKey != nil {
				return fmt.Errorf("the event of the %s is %+v", want, e)
			}
		}
		return nil
	}},
	{"AdjustPickup", "an adjustment has the entry that it says", func(ctx context.Context, w *fixture) error {
		id := w.paid(ctx, 500)
		moves := func() int {
			return scan[int](ctx, w.owner, "SELECT balance_version FROM accounts WHERE tenant_id = $1 AND id = $2",
				w.tenant, w.account)
		}
		before := moves()
		if err := first(w.repricing(ctx, id, 500)(w.Raw), w.repricing(ctx, id, 620)(w.Raw),
			w.refunding(ctx, id, 20)(w.Raw)); err != nil {
			return err
		}
		if n := moves() - before; n != 2 {
			return fmt.Errorf("the balance has moved %d times", n)
		}
		got := scan[string](ctx, w.owner, `SELECT string_agg(concat_ws(' ', kind, amount_cents, note), ', ' ORDER BY
			created_at) FROM ledger_entries WHERE tenant_id = $1 AND pickup_id = $2`, w.tenant, id)
		records := scan[string](ctx, w.owner,
			`SELECT string_agg(concat_ws(' ', adjustment, price_cents, delta_cents), ', '
			ORDER BY version) FROM pickup_adjustments WHERE tenant_id = $1 AND pickup_id = $2`, w.tenant, id)
		if got != "charge 500, charge 120, refund 20 late" ||
			records != "reprice 500 0, reprice 620 -120, refund 620 20" {
			return errors.New(got + "; " + records)
		}
		return nil
	}},
}

func indexOf(all []db.PickupStatus, status db.PickupStatus) int {
	for i, s := range all {
		if s == status {
			return i
		}
	}
	return -1
}

// paid makes a submitted pickup of that price.
func (w *fixture) paid(ctx context.Context, cents int64) uuid.UUID {
	id := w.pickup(ctx, func(d *db.Draft) { d.PriceCents = cents })
	w.must(w.moving(ctx, "submit", id)(w.as))
	return id
}

func (w *fixture) refund(id uuid.UUID, cents int64, key string) db.Adjustment {
	return db.Adjustment{Name: db.Refund, PickupID: id, AmountCents: cents, Reason: "late", Key: key,
		Digest: digest("refund")}
}

func (w *fixture) adjusting(ctx context.Context, a db.Adjustment) act {
	return func(s *db.Raw) error {
		_, _, err := s.Store.AdjustPickup(ctx, w.dispatcher, a)
		return err
	}
}

func (w *fixture) refunding(ctx context.Context, id uuid.UUID, cents int64) act {
	return w.adjusting(ctx, w.refund(id, cents, ""))
}

// repricing sets a price, of the pickup's version if one is given.
func (w *fixture) repricing(ctx context.Context, id uuid.UUID, cents int64, version ...int64) act {
	a := db.Adjustment{Name: db.Reprice, PickupID: id, PriceCents: cents, Digest: digest("reprice")}
	if len(version) > 0 {
		a.Version = version[0]
	}
	return w.adjusting(ctx, a)
}

func (w *fixture) expectMoney(ctx context.Context, id uuid.UUID, price, charged, refunded int64) error {
	got := scan[[]int64](ctx, w.owner, `SELECT ARRAY[price_cents, charged_cents, refunded_cents] FROM pickups
		WHERE tenant_id = $1 AND id = $2`, w.tenant, id)
	if got[0] != price || got[1] != charged || got[2] != refunded {
		return fmt.Errorf("price, charge and refunds are %v, want %d, %d, %d", got, price, charged, refunded)
	}
	return nil
}
