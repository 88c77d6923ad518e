package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

var ledgerEntryRaces = []check{
	{"CreateLedgerEntries", "charges at once take more than the balance", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 100)
		if err := first(
			w.loses(ctx, db.InsufficientFunds, w.charging(ctx, account, 60), w.charging(ctx, account, 60)),
			w.wins(ctx, rollback, w.charging(ctx, account, 40), w.charging(ctx, account, 40)),
			w.expectBalance(ctx, account, 0),
		); err != nil {
			return err
		}
		// A deposit that is not committed yet counts for the charge that waits for it.
		if err := first(
			w.wins(ctx, commit, w.depositing(ctx, account, 1000), w.charging(ctx, account, 300)),
			w.expectBalance(ctx, account, 700),
		); err != nil {
			return err
		}
		errs := together(manyCallers, func(int) error { return w.charging(ctx, account, 350)(w.Raw) })
		return first(someWin(2, errs, db.InsufficientFunds), w.expectBalance(ctx, account, 0))
	}},
	{"CreateLedgerEntries", "a repeated charge is taken twice", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 100)
		same := func(e db.Entry) act {
			return func(s *db.Raw) error {
				_, replayed, err := s.Enter(ctx, w.admin, e)
				if err == nil && !replayed {
					return errTaken
				}
				return err
			}
		}
		e := charge(account, 70)
		taking := func(s *db.Raw) error { _, _, err := s.Enter(ctx, w.admin, e); return err }
		if err := first(
			w.wins(ctx, commit, taking, same(e)), // replayed, though the money is gone by now
			w.expectBalance(ctx, account, 30),
		); err != nil {
			return err
		}
		e = charge(account, 10)
		if err := w.wins(ctx, rollback, taking, same(e)); !errors.Is(err, errTaken) {
			return fmt.Errorf("the first was rolled back, and the second: %w", err)
		}
		e = charge(account, 5)
		taken := 0
		for _, err := range together(manyCallers, func(int) error { return same(e)(w.Raw) }) {
			if errors.Is(err, errTaken) {
				taken++
			} else if err != nil {
				return err
			}
		}
		if taken != 1 {
			return fmt.Errorf("taken %d times", taken)
		}
		return w.expectBalance(ctx, account, 15)
	}},
	{"CreateLedgerEntries", "an entry that waited is dated before the one that it waited for",
		func(ctx context.Context, w *fixture) error {
			accounts := []uuid.UUID{w.fundedAccount(ctx, 100), w.fundedAccount(ctx, 100)}
			sortIDs(accounts)
			busy, shared := accounts[0], accounts[1]
			early := charge(shared, 30)
			// It begins before the other charge of the shared account, and waits for the busy one meanwhile.
			both := func(s *db.Raw) error {
				_, err := enterAll(ctx, s, w.admin, []db.Entry{charge(busy, 1), early})
				return err
			}
			waited, errs := w.behind(ctx, commit, w.charging(ctx, busy, 1), both, w.charging(ctx, shared, 40))
			if err := first(errs...); err != nil || !waited[0] || waited[1] {
				return fmt.Errorf("waited: %v; %w", waited, err)
			}
			// The server's clock goes back.
			must(w.owner.Exec(ctx, `UPDATE accounts SET entered_at = entered_at + interval '1 hour'
				WHERE tenant_id = $1 AND id = $2`, w.tenant, shared))
			must(w.owner.Exec(ctx, `UPDATE ledger_entries SET created_at = created_at + interval '1 hour'
				WHERE tenant_id = $1 AND account_id = $2`, w.tenant, shared))
			late := deposit(shared, 7)
			w.must(first(w.enterBy(ctx, late)))
			return w.expectStatement(ctx, shared, 100, 60, 30, 37)
		}},
	{"CreateLedgerEntries", "two batches deadlock on accounts", func(ctx context.Context, w *fixture) error {
		var accounts []uuid.UUID
		for range 6 {
			accounts = append(accounts, w.fundedAccount(ctx, 100))
		}
		return w.locksInOrder(ctx, "accounts", "id", accounts, func(s *db.Raw, order []uuid.UUID) error {
			var entries []db.Entry
			for _, account := range order {
				entries = append(entries, charge(account, 1))
			}
			_, err := enterAll(ctx, s, w.admin, entries)
			return err
		})
	}},
	{"CreateLedgerEntries", "two batches deadlock on the same ids", func(ctx context.Context, w *fixture) error {
		// They share no account, so that only the ids make them wait.
		all := make([]uuid.UUID, 8)
		for i := range all {
			all[7-i] = newID()
		}
		flush := func(account uuid.UUID, ids ...uuid.UUID) act {
			return func(s *db.Raw) error {
				var entries []db.Entry
				for _, id := range ids {
					e := charge(account, 1)
					e.ID = id
					entries = append(entries, e)
				}
				_, err := enterAll(ctx, s, w.admin, entries)
				return err
			}
		}
		held, one, other := w.fundedAccount(ctx, 100), w.fundedAccount(ctx, 100), w.fundedAccount(ctx, 100)
		// A batch that waits for the lowest must not have inserted another: the next one gets them at
		// once.
		waited, errs := w.behind(ctx, rollback, flush(held, all[7:]...), flush(one, all...), flush(other, all[:7]...))
		if !waited[0] || waited[1] {
			return fmt.Errorf("waited: %v", waited)
		}
		return first(errs...)
	}},
}

var ledgerEntryRules = []check{
	{"CreateLedgerEntries", "a replay in a batch spends another request's money",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 150)
			paid := charge(account, 60)
			w.must(w.enter(ctx, paid))
			made, err := enterAll(ctx, w.Raw, w.admin, []db.Entry{paid, charge(account, 40)})
			if err == nil && len(made) != 1 {
				err = fmt.Errorf("made %d of one", len(made))
			}
			return err
		}},
	{"CreateLedgerEntries", "a refused request fails its whole batch", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 120)
		made, err := enterAll(ctx, w.Raw, w.admin,
			[]db.Entry{charge(account, 100), charge(account, 30), charge(account, 15)})
		if err == nil && len(made) != 2 {
			err = fmt.Errorf("made %d of two", len(made))
		}
		return first(err, w.expectBalance(ctx, account, 5))
	}},
	{"CreateLedgerEntries", "a charge that was refused uses up its id", func(ctx context.Context, w *fixture) error {
		account := w.fundedAccount(ctx, 10)
		e := charge(account, 60)
		_, _, err := w.Enter(ctx, w.admin, e)
		if err := refused(err, db.InsufficientFunds); err != nil {
			return err
		}
		w.must(w.depositing(ctx, account, 50)(w.as))
		_, replayed, err := w.Enter(ctx, w.admin, e)
		if err == nil && replayed {
			err = errors.New("it was reported as a replay")
		}
		return err
	}},
	{"CreateLedgerEntries", "an id is taken for another request", func(ctx context.Context, w *fixture) error {
		e := charge(w.account, 60)
		w.must(w.enter(ctx, e))
		e.Digest = digest("other")
		_, _, err := w.Enter(ctx, w.admin, e)
		return refused(err, db.IDReused)
	}},
	{"CreateLedgerEntries", "a balance grows past what clients can count", func(ctx context.Context, w *fixture) error {
		const most = 1<<53 - 1
		account := w.fundedAccount(ctx, most-10)
		return first(
			refused(w.depositing(ctx, account, 11)(w.Raw), db.BalanceTooLarge),
			w.depositing(ctx, account, 10)(w.Raw),
			refused(w.depositing(ctx, account, most)(w.Raw), db.BalanceTooLarge),
			w.charging(ctx, account, most)(w.Raw))
	}},
	{"CreateLedgerEntries", "an account that is not there", func(ctx context.Context, w *fixture) error {
		return refused(w.charging(ctx, newID(), 1)(w.Raw), db.NotFound)
	}},
}

var errTaken = errors.New("booked anew, not replayed")

func charge(account uuid.UUID, cents int64) db.Entry {
	return db.Entry{ID: newID(), AccountID: account, Kind: db.EntryKindCharge,
		AmountCents: cents, Digest: digest("charge")}
}

func deposit(account uuid.UUID, cents int64) db.Entry {
	e := charge(account, cents)
	e.Kind = db.EntryKindDeposit
	return e
}

func (w *fixture) enter(ctx context.Context, e db.Entry) error {
	_, _, err := w.as.Enter(ctx, w.admin, e)
	return err
}

// enterBy is enter with the statements under test.
func (w *fixture) enterBy(ctx context.Context, e db.Entry) error {
	_, _, err := w.Raw.Enter(ctx, w.admin, e)
	return err
}

func (w *fixture) charging(ctx context.Context, account uuid.UUID, cents int64) act {
	return func(s *db.Raw) error { _, _, err := s.Enter(ctx, w.admin, charge(account, cents)); return err }
}

func (w *fixture) depositing(ctx context.Context, account uuid.UUID, cents int64) act {
	return func(s *db.Raw) error { _, _, err := s.Enter(ctx, w.admin, deposit(account, cents)); return err }
}

// enterAll books entries in one statement, and returns the ids of those it made.
func enterAll(ctx context.Context, s *db.Raw, v db.Viewer, entries []db.Entry) (made []uuid.UUID, err error) {
	var p db.CreateLedgerEntriesParams
	for _, e := range entries {
		p.TenantIds = append(p.TenantIds, v.TenantID)
		p.Ids = append(p.Ids, e.ID)
		p.AccountIds = append(p.AccountIds, e.AccountID)
		p.Kinds = append(p.Kinds, string(e.Kind))
		p.AmountsCents = append(p.AmountsCents, e.AmountCents)
		p.Notes = append(p.Notes, e.Note)
		p.ActorIds = append(p.ActorIds, v.UserID)
		p.RequestDigests = append(p.RequestDigests, e.Digest)
	}
	rows, err := s.CreateLedgerEntries(ctx, p)
	for _, r := range rows {
		made = append(made, r.LedgerEntry.ID)
	}
	return made, err
}

func TestOfThreeChargesAtOnceThoseThatFitAreTaken(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for range 20 {
		w := d.fixture(ctx)
		account := w.fundedAccount(ctx, 110)
		amounts := []int64{100, 30, 15}
		left := int64(110)
		for i, err := range together(3, func(i int) error { return w.charging(ctx, account, amounts[i])(w.Raw) }) {
			if err == nil {
				left -= amounts[i]
			} else if err := refused(err, db.InsufficientFunds); err != nil {
				t.Fatal(err)
			}
		}
		// Either the large one, or both small ones: each refused one did not fit.
		if left != 10 && left != 65 || w.balance(ctx, account) != left {
			t.Fatalf("the balance is %d, but should be %d after the entries booked", w.balance(ctx, account), left)
		}
	}
}

// A batch books the entries that would have been booked one by one.
func TestAFlushOfEntriesDoesWhatTheyWouldDoOneByOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 100 {
		balances := map[uuid.UUID]int64{}
		var accounts []uuid.UUID
		for range 1 + random.IntN(3) {
			cents := random.Int64N(200)
			account := w.fundedAccount(ctx, cents)
			accounts, balances[account] = append(accounts, account), cents
		}
		var entries []db.Entry
		var fit []uuid.UUID
		for range 1 + random.IntN(12) {
			account, amount := accounts[random.IntN(len(accounts))], 1+random.Int64N(120)
			e, delta := charge(account, amount), -amount
			if random.IntN(3) == 0 {
				e, delta = deposit(account, amount), amount
			}
			if entries = append(entries, e); balances[account]+delta >= 0 {
				balances[account] += delta
				fit = append(fit, e.ID)
			}
		}
		made, err := enterAll(ctx, w.Raw, w.admin, entries)
		sortIDs(made)
		sortIDs(fit)
		if err != nil || !slices.Equal(made, fit) {
			t.Fatalf("seed %d, round %d: made %v, want %v, %v", seed, round, made, fit, err)
		}
		for account, want := range balances {
			if got := w.balance(ctx, account); got != want {
				t.Fatalf("seed %d, round %d: the balance is %d, want %d", seed, round, got, want)
			}
		}
	}
}

func sortIDs(ids []uuid.UUID) {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}
