package db_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

var accountFacilityRaces = []check{
	{"AddAccountFacility", "a facility listed for an account twice", func(ctx context.Context, w *fixture) error {
		return w.countedOnce(func(s *db.Raw) (int64, error) { return w.listFacility(ctx, s, w.account, w.facility) })
	}},
	{"AddAccountFacility", "an account lists an unknown facility", func(ctx context.Context, w *fixture) error {
		_, noAccount := w.listFacility(ctx, w.Raw, newID(), w.facility)
		_, noFacility := w.listFacility(ctx, w.Raw, w.account, newID())
		return first(refused(noAccount, db.NotFound), refused(noFacility, db.FacilityNotFound))
	}},
	{"RemoveAccountFacility", "a facility taken from an account twice", func(ctx context.Context, w *fixture) error {
		must(w.listFacility(ctx, w.as, w.account, w.facility))
		return w.countedOnce(func(s *db.Raw) (int64, error) { return w.takeFacility(ctx, s, w.account, w.facility) })
	}},
	{"TransitionPickups", "staff charge an account from which their facility was taken meanwhile",
		func(ctx context.Context, w *fixture) error {
			for _, cents := range []int64{500, 0} {
				if err := w.takenMeanwhile(ctx, cents); err != nil {
					return fmt.Errorf("a price of %d: %w", cents, err)
				}
			}
			return nil
		}},
	{"TransitionPickups", "staff charge an account that was closed to their facility meanwhile",
		func(ctx context.Context, w *fixture) error {
			for _, cents := range []int64{500, 0} {
				account := w.fundedAccount(ctx, 2000)
				of := func() act { return w.staffSubmitting(ctx, w.pickup(ctx, costing(cents), paidBy(account))) }
				one, other, third := of(), of(), of()
				if err := w.loses(ctx, db.AccountNotForFacility, w.opening(ctx, account, false), one); err != nil {
					return fmt.Errorf("a price of %d: %w", cents, err)
				}
				if err := first(
					w.expectBalance(ctx, account, 2000),
					w.opening(ctx, account, true)(w.as), one(w.Raw),
					w.wins(ctx, rollback, w.opening(ctx, account, false), other),
					w.wins(ctx, commit, third, w.opening(ctx, account, false)),
					w.expectBalance(ctx, account, 2000-3*cents)); err != nil {
					return fmt.Errorf("a price of %d: %w", cents, err)
				}
			}
			return nil
		}},
}

// takenMeanwhile returns an error unless a submit and the removal of its facility from the account happen one
// after the other.
func (w *fixture) takenMeanwhile(ctx context.Context, cents int64) error {
	account := w.closedAccount(ctx, w.facility)
	of := func() act { return w.staffSubmitting(ctx, w.pickup(ctx, costing(cents), paidBy(account))) }
	taking := func(s *db.Raw) error {
		n, err := w.takeFacility(ctx, s, account, w.facility)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d facilities are taken", n)
		}
		return err
	}
	one, other, third := of(), of(), of()
	if err := first(
		w.wins(ctx, rollback, taking, one),
		w.loses(ctx, db.AccountNotForFacility, taking, other),
		w.expectBalance(ctx, account, 2000-cents),
	); err != nil {
		return err
	}
	must(w.listFacility(ctx, w.as, account, w.facility))
	return first(
		w.wins(ctx, commit, other, taking),
		refused(third(w.Raw), db.AccountNotForFacility),
		w.expectBalance(ctx, account, 2000-2*cents))
}

var accountFacilityRules = []check{
	{"TransitionPickups", "staff charge an account of another facility", func(ctx context.Context, w *fixture) error {
		for _, listed := range [][]uuid.UUID{{w.hidden}, nil} {
			account := w.fundedAccount(ctx, 2000)
			one, free := w.pickup(ctx, paidBy(account)), w.pickup(ctx, costing(0), paidBy(account))
			w.close(ctx, account, listed...)
			w.closedAccount(ctx, w.facility) // the list of another account does not count
			if err := first(
				refused(w.staffSubmitting(ctx, one)(w.Raw), db.AccountNotForFacility),
				refused(w.staffSubmitting(ctx, free)(w.Raw), db.AccountNotForFacility),
				w.moving(ctx, "submit", one)(w.Raw), // a dispatcher charges any account
				move(ctx, w.Raw, w.staff, "cancel", one),
				move(ctx, w.Raw, w.staff, "cancel", free),
				w.expectBalance(ctx, account, 2000)); err != nil {
				return err
			}
		}
		return w.staffSubmitting(ctx, w.pickup(ctx, paidBy(w.closedAccount(ctx, w.facility))))(w.Raw)
	}},
	{"TransitionPickups", "a charge of another account fails its whole batch",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 2000)
			asks := transitionsBy(w.staff, ids(
				w.pickup(ctx, paidBy(account)), w.pickup(ctx, paidBy(w.closedAccount(ctx, w.facility))), w.pickup(ctx)))
			w.close(ctx, account)
			asks.Transitions = fill(3, "submit")
			rows, err := w.TransitionPickups(ctx, asks)
			if err == nil && len(rows) != 2 {
				err = fmt.Errorf("%d of 3 are submitted", len(rows))
			}
			return err
		}},
	{"CreatePickups", "staff name an account that is not for their facility",
		func(ctx context.Context, w *fixture) error {
			w.make(ctx, func(r *seed.Rows) { r.Shows(w.seeded.Group, w.hidden) })
			unseen, here, there := w.closedAccount(ctx), w.closedAccount(ctx,
				w.facility), w.closedAccount(ctx, w.hidden)
			create := func(v db.Viewer, account uuid.UUID) error {
				return created(ctx, w.Raw, v, []db.Draft{w.draft(), w.draft(paidBy(account))})
			}
			before := w.countPickups(ctx)
			if err := first(refused(create(w.staff, unseen), db.AccountNotFound),
				refused(create(w.staff, there), db.AccountNotForFacility)); err != nil {
				return err
			}
			if n := w.countPickups(ctx); n != before {
				return fmt.Errorf("%d pickups are created by refused requests", n-before)
			}
			return first(create(w.staff, here), create(w.dispatcher, unseen))
		}},
	{"EditPickup", "staff move a pickup to an account that is not for its facility",
		func(ctx context.Context, w *fixture) error {
			w.make(ctx, func(r *seed.Rows) { r.Shows(w.seeded.Group, w.hidden) })
			unseen, here, there := w.closedAccount(ctx), w.closedAccount(ctx,
				w.facility), w.closedAccount(ctx, w.hidden)
			id := w.pickup(ctx)
			edit := func(version int64, account, facility *uuid.UUID) error {
				_, err := w.Raw.Store.EditPickup(ctx, w.staff, db.EditPickupParams{
					ID: id, Version: version, AccountID: account, FacilityID: facility,
				})
				return err
			}
			return first(
				refused(edit(1, &unseen, nil), db.AccountNotFound),
				refused(edit(1, ptr(newID()), nil), db.AccountNotFound),
				refused(edit(1, &there, nil), db.AccountNotForFacility),
				edit(1, &here, nil),
				refused(edit(2, nil, &w.hidden), db.AccountNotForFacility),
				edit(2, &there, &w.hidden))
		}},
}

func ptr[T any](v T) *T { return &v }

// closedAccount makes an account of 2000 cents that is not open to all facilities, but to those listed.
func (w *fixture) closedAccount(ctx context.Context, facilities ...uuid.UUID) uuid.UUID {
	account := w.fundedAccount(ctx, 2000)
	w.close(ctx, account, facilities...)
	return account
}

func (w *fixture) close(ctx context.Context, account uuid.UUID, facilities ...uuid.UUID) {
	w.must(w.opening(ctx, account, false)(w.as))
	for _, f := range facilities {
		must(w.listFacility(ctx, w.as, account, f))
	}
}

// opening opens an account to all facilities, or to those listed alone.
func (w *fixture) opening(ctx context.Context, account uuid.UUID, all bool) act {
	return func(s *db.Raw) error {
		now := must(w.as.GetAccount(ctx, db.GetAccountParams{TenantID: w.tenant, ID: account, ViewerRole: "admin"}))
		_, err := s.EditAccount(ctx,
			db.EditAccountParams{TenantID: w.tenant, ID: account, Version: now.Version, AllFacilities: &all})
		return err
	}
}

func (w *fixture) listFacility(ctx context.Context, s *db.Raw, account, facility uuid.UUID) (int64, error) {
	return s.AddAccountFacility(ctx,
		db.AddAccountFacilityParams{TenantID: w.tenant, AccountID: account, FacilityID: facility})
}

func (w *fixture) takeFacility(ctx context.Context, s *db.Raw, account, facility uuid.UUID) (int64, error) {
	return s.RemoveAccountFacility(ctx,
		db.RemoveAccountFacilityParams{TenantID: w.tenant, AccountID: account, FacilityID: facility})
}

func (w *fixture) staffSubmitting(ctx context.Context, id uuid.UUID) act {
	return func(s *db.Raw) error { return move(ctx, s, w.staff, db.TransitionNameSubmit, id) }
}

func (w *fixture) countPickups(ctx context.Context) int {
	return scan[int](ctx, w.owner, "SELECT count(*) FROM pickups WHERE tenant_id = $1", w.tenant)
}

// Whatever accounts are open and listed, whoever has few facilities or many: a list in pages shows exactly the
// accounts that the viewer sees, and each of them can be read, with its entries' statement.
func TestStaffSeeTheAccountsOfTheirFacilities(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	many := w.user(ctx, db.UserRoleStaff)
	w.make(ctx, func(r *seed.Rows) {
		group := r.Group()
		r.Members(group, many.UserID)
		r.Shows(group, w.hidden)
		for range 60 {
			r.Shows(group, r.Facility())
		}
	})
	must(w.owner.Exec(
		ctx, `INSERT INTO accounts (tenant_id, id, name, currency, all_facilities, request_digest, created_at)
		SELECT $1, new_id(), 'Account', 'USD', n % 5 = 0, '', now() - n * interval '1 minute'
		FROM generate_series(1, 400) AS n`, w.tenant))
	must(w.owner.Exec(ctx, `INSERT INTO account_facilities (tenant_id, account_id, facility_id, account_created_at)
		SELECT a.tenant_id, a.id, f.id, a.created_at
		FROM (SELECT *, row_number() OVER (ORDER BY created_at) AS n FROM accounts WHERE tenant_id = $1) AS a
		JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM facilities WHERE tenant_id = $1) AS f
			ON (a.n + f.n) % 97 = 0 OR (a.n * f.n) % 89 = 0`, w.tenant))
	for name, v := range map[string]db.Viewer{"admin": w.admin, "dispatcher": w.dispatcher, "staff": w.staff,
		"staff of many": many, "staff of none": w.stranger, "hub": w.hub} {
		want := scan[[]uuid.UUID](ctx, w.owner,
			`SELECT coalesce(array_agg(c.id ORDER BY c.created_at DESC, c.id DESC), '{}')
			FROM accounts AS c WHERE c.tenant_id = $1 AND ($3::text IN ('admin', 'dispatcher') OR
		$3::text = 'staff' AND (
				c.all_facilities OR EXISTS (
					SELECT FROM account_facilities AS f
					JOIN facility_viewers AS v ON v.tenant_id = f.tenant_id AND v.facility_id = f.facility_id
					WHERE f.tenant_id = c.tenant_id AND f.account_id = c.id AND v.user_id = $2)))`,
			w.tenant, v.UserID, v.Role)
		if v.Role != db.UserRoleHub && len(want) < 80 {
			t.Fatalf("%s sees %d accounts", name, len(want))
		}
		if got := w.allAccounts(ctx, v, 7); !slices.Equal(got, want) {
			t.Errorf("%s lists %d accounts, and sees %d", name, len(got), len(want))
		}
		for _, id := range scan[[]uuid.UUID](ctx, w.owner, "SELECT array_agg(id) FROM accounts WHERE tenant_id = $1",
			w.tenant) {
			sees := slices.Contains(want, id)
			_, err := w.GetAccount(ctx,
				db.GetAccountParams{TenantID: w.tenant, ID: id, ViewerID: v.UserID, ViewerRole: v.Role})
			_, noStatement := w.GetAccountStatement(ctx, db.GetAccountStatementParams{
				TenantID: w.tenant, ID: id, ViewerID: v.UserID, ViewerRole: v.Role, ToTime: time.Now(),
			})
			if (err == nil) != sees || (noStatement == nil) != sees {
				t.Fatalf("%s gets an account: %v, its statement: %v; it is visible: %t", name, err, noStatement, sees)
			}
		}
	}
}

// allAccounts reads a viewer's list in pages.
func (w *fixture) allAccounts(ctx context.Context, v db.Viewer, page int32) (all []uuid.UUID) {
	p := db.ListAccountsParams{TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role,
		BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: page}
	for {
		rows := must(w.ListAccounts(ctx, p))
		for _, r := range rows {
			all = append(all, r.ID)
			p.BeforeCreatedAt, p.BeforeID = r.CreatedAt, r.ID
		}
		if len(rows) < int(page) {
			return all
		}
	}
}
