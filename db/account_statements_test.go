package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// statement reads the account's statement by pages of so many lines. It returns an error if a line's balance
// is not that of the line before and its own change, or is negative.
func (w *fixture) statement(
	ctx context.Context, account uuid.UUID, from, to time.Time, page int32,
) (opening int64, lines []db.ListStatementLinesRow, err error) {
	start := must(w.GetAccountStatement(ctx,
		db.GetAccountStatementParams{TenantID: w.tenant, ID: account, ViewerRole: db.UserRoleAdmin,
			FromTime: from, ToTime: to}))
	next := db.ListStatementLinesParams{TenantID: w.tenant, AccountID: account, Until: start.Until, MaxRows: page,
		AfterCreatedAt: from, AfterDeltaCents: 1 << 53, BalanceCents: start.OpeningCents}
	for {
		rows := must(w.ListStatementLines(ctx, next))
		for _, r := range rows {
			if r.BalanceCents != next.BalanceCents+r.DeltaCents || r.BalanceCents < 0 {
				return 0, nil, fmt.Errorf("%d after %d and %d", r.BalanceCents, next.BalanceCents, r.DeltaCents)
			}
			next.AfterCreatedAt, next.AfterDeltaCents, next.AfterID = r.CreatedAt, r.DeltaCents, r.ID
			next.BalanceCents = r.BalanceCents
		}
		if lines = append(lines, rows...); len(rows) < int(page) {
			return start.OpeningCents, lines, nil
		}
	}
}

// expectStatement returns an error unless these are the balances of the whole statement.
func (w *fixture) expectStatement(ctx context.Context, account uuid.UUID, balances ...int64) error {
	opening, lines, err := w.statement(ctx, account, time.Time{}, endOfTime.Add(-time.Hour), 2)
	if err != nil {
		return err
	}
	// What is booked in the future, after the clock has gone back, is in no statement yet.
	future := must(w.ListStatementLines(ctx, db.ListStatementLinesParams{TenantID: w.tenant, AccountID: account,
		AfterDeltaCents: 1 << 53, Until: endOfTime, MaxRows: 100, BalanceCents: opening}))
	var got []int64
	for _, l := range future {
		got = append(got, l.BalanceCents)
	}
	if opening != 0 || len(lines) > len(future) || !slices.Equal(got, balances) {
		return fmt.Errorf("it begins with %d, and the balances are %v, want %v", opening, got, balances)
	}
	return nil
}

// Many callers charge, deposit, submit and cancel at once. Each line's balance is the one that the account had
// then: it covers every charge, wherever a statement begins and ends.
func TestARunningBalanceIsTheOneThatTheAccountHad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, batching := range map[string]bool{"one by one": false, "batched": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := opened(t, dbtest.New(t, checkInvariants), batching)
			w := d.fixture(ctx)
			account := w.fundedAccount(ctx, 300)
			together(16, func(int) error {
				for range 8 {
					switch rand.IntN(3) {
					case 0:
						w.charging(ctx, account, 1+rand.Int64N(90))(w.Raw)
					case 1:
						w.depositing(ctx, account, 1+rand.Int64N(60))(w.Raw)
					default:
						id := w.pickup(ctx,
							func(d *db.Draft) { d.AccountID, d.PriceCents = account, 1+rand.Int64N(90) })
						if w.moving(ctx, "submit", id)(w.Raw) == nil && rand.IntN(2) == 0 {
							w.moving(ctx, "cancel", id)(w.Raw)
						}
					}
				}
				return nil
			})
			_, all, err := w.statement(ctx, account, time.Time{}, endOfTime, 7)
			if err != nil || all[len(all)-1].BalanceCents != w.balance(ctx, account) {
				t.Fatalf("%v; the account has %d", err, w.balance(ctx, account))
			}
			for range 30 {
				i, j := rand.IntN(len(all)), rand.IntN(len(all))
				from, to := all[min(i, j)].CreatedAt, all[max(i, j)].CreatedAt
				opening, lines, err := w.statement(ctx, account, from, to, 1+rand.Int32N(9))
				before := slices.IndexFunc(all,
					func(l db.ListStatementLinesRow) bool { return !l.CreatedAt.Before(from) })
				after := slices.IndexFunc(all, func(l db.ListStatementLinesRow) bool { return !l.CreatedAt.Before(to) })
				want := int64(0)
				if before > 0 {
					want = all[before-1].BalanceCents
				}
				if err != nil || opening != want || len(lines) != after-before ||
					len(lines) > 0 && lines[len(lines)-1].BalanceCents != all[after-1].BalanceCents {
					t.Fatalf("%v; lines %d to %d: it begins with %d, want %d, and has %d lines", err, before, after,
						opening, want, len(lines))
				}
			}
		})
	}
}

// Entries of an earlier version do not have the balance before them: they are added up.
func TestAStatementBeginsAmongEntriesOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 100)
	for range 3 {
		w.must(w.charging(ctx, account, 10)(w.Raw))
	}
	must(w.owner.Exec(ctx, "UPDATE ledger_entries SET balance_before_cents = NULL WHERE account_id = $1", account))
	w.must(w.charging(ctx, account, 10)(w.Raw))
	_, all, err := w.statement(ctx, account, time.Time{}, endOfTime, 50)
	w.must(err)
	for i := range all {
		opening, lines, err := w.statement(ctx, account, all[i].CreatedAt, endOfTime, 50)
		if want := all[i].BalanceCents - all[i].DeltaCents; err != nil || opening != want || len(lines) != len(all)-i {
			t.Errorf("from line %d it begins with %d, want %d; %v", i, opening, want, err)
		}
	}
}
