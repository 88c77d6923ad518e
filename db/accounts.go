package db

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// maxBalance is what accounts_balance_limit_check allows.
const maxBalance = 1<<53 - 1

// CreateAccount creates the account of p, of v's tenant. replayed says that an earlier
// attempt of the same request did. It returns IDReused if another request did.
func (s *Store) CreateAccount(ctx context.Context, v Viewer, p CreateAccountParams) (Account, bool, error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateAccount(ctx, p)
	return created(ctx, s, row, err, p.RequestDigest, func() (Account, []byte, error) {
		known, err := s.q.GetAccount(ctx, accountOf(v, p.ID))
		return known, known.RequestDigest, err
	})
}

// EditAccount edits the account of p, of v's tenant. It returns NotFound or StaleVersion if
// it was lost.
func (s *Store) EditAccount(ctx context.Context, v Viewer, p EditAccountParams) (Account, error) {
	p.TenantID = v.TenantID
	row, err := s.q.EditAccount(ctx, p)
	return row, edited(ctx, s, err, func() error {
		_, err := s.q.GetAccount(ctx, accountOf(v, p.ID))
		return err
	})
}

// accountOf are the parameters to get an account that v sees.
func accountOf(v Viewer, id uuid.UUID) GetAccountParams {
	return GetAccountParams{TenantID: v.TenantID, ID: id, ViewerID: v.UserID, ViewerRole: v.Role}
}

// AddAccountFacility lists a facility for an account of v's tenant. It does nothing if it is there.
func (s *Store) AddAccountFacility(ctx context.Context, v Viewer, p AddAccountFacilityParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.AddAccountFacility(ctx, p)
	return s.changed(ctx, n, err)
}

// RemoveAccountFacility removes a facility from the list of an account of v's tenant. It returns NotFound if it is
// not there.
func (s *Store) RemoveAccountFacility(ctx context.Context, v Viewer, p RemoveAccountFacilityParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.RemoveAccountFacility(ctx, p)
	return s.removed(ctx, n, err)
}

// Entry is a request for one charge or deposit.
type Entry struct {
	ID          uuid.UUID // chosen by the caller, so that a repetition has no effect
	AccountID   uuid.UUID
	Kind        EntryKind
	AmountCents int64
	Note        string // empty for none
	Digest      []byte // of the request, to recognize a replay
}

// entry is an Entry with its viewer.
type entry struct {
	Entry
	viewer Viewer
}

func (e entry) by() Viewer { return e.viewer }

func (e entry) pickupIDs() []uuid.UUID { return nil }

// Enter books one charge or deposit. replayed reports that an earlier try of the same request booked
// it. It returns NotFound, IDReused, InsufficientFunds or BalanceTooLarge.
func (s *Store) Enter(ctx context.Context, v Viewer, e Entry) (booked LedgerEntry, replayed bool, err error) {
	err = retryWrite(ctx, func(attempt int) error {
		made, err := s.entries.retried(ctx, entry{e, v}, attempt)
		switch {
		case err != nil:
			return Explain(err)
		case made.ok:
			booked = made.row
			return nil
		}
		booked, replayed, err = s.explainEntry(ctx, v, e)
		if replayed && err == nil {
			err = s.replicated(ctx)
		}
		return err
	})
	return booked, replayed, err
}

// enterPastLocks skips entries of locked accounts.
func (s *Store) enterPastLocks(
	ctx context.Context, p CreateLedgerEntriesParams,
) ([]CreateLedgerEntriesRow, error) {
	rows, err := s.q.CreateLedgerEntriesSkipLocked(ctx, CreateLedgerEntriesSkipLockedParams(p))
	return mapSlice(rows,
		func(r CreateLedgerEntriesSkipLockedRow) CreateLedgerEntriesRow { return CreateLedgerEntriesRow(r) }), err
}

// entering books the entries in one statement.
func (s *Store) entering(
	enter func(context.Context, CreateLedgerEntriesParams) ([]CreateLedgerEntriesRow, error),
) func(context.Context, []entry) ([]found[LedgerEntry], error) {
	return func(ctx context.Context, asks []entry) ([]found[LedgerEntry], error) {
		rows, err := enter(plannedOnce(confirmedBy(ctx, asks), len(asks)), CreateLedgerEntriesParams{
			TenantIds:      mapSlice(asks, func(e entry) uuid.UUID { return e.viewer.TenantID }),
			Ids:            mapSlice(asks, func(e entry) uuid.UUID { return e.ID }),
			AccountIds:     mapSlice(asks, func(e entry) uuid.UUID { return e.AccountID }),
			Kinds:          mapSlice(asks, func(e entry) string { return string(e.Kind) }),
			AmountsCents:   mapSlice(asks, func(e entry) int64 { return e.AmountCents }),
			Notes:          mapSlice(asks, func(e entry) string { return e.Note }),
			ActorIds:       mapSlice(asks, func(e entry) uuid.UUID { return e.viewer.UserID }),
			RequestDigests: mapSlice(asks, func(e entry) []byte { return e.Digest }),
		})
		return byKey(asks,
			func(e entry) key { return key{e.viewer.TenantID, e.ID} },
			mapSlice(rows, func(r CreateLedgerEntriesRow) LedgerEntry { return r.LedgerEntry }),
			func(e LedgerEntry) key { return key{e.TenantID, e.ID} }), err
	}
}

// resolveEntry finds the outcome of an entry whose statement may have been committed: either its id
// exists, or it is tried again, which has no effect if it exists by then. While the first try is still
// running, a refusal for lack of funds is not final.
func (s *Store) resolveEntry(ctx context.Context, e entry) (found[LedgerEntry], error) {
	find := func() (found[LedgerEntry], error) {
		row, err := s.q.GetLedgerEntry(ctx, GetLedgerEntryParams{TenantID: e.viewer.TenantID, ID: e.ID})
		if errors.Is(err, pgx.ErrNoRows) {
			return found[LedgerEntry]{}, nil
		}
		return found[LedgerEntry]{row, err == nil && bytes.Equal(row.RequestDigest, e.Digest)}, err
	}
	if f, err := find(); f.ok || err != nil {
		return f, err
	}
	f, err := s.entries.FlushWaiting(ctx, e)
	if f.ok || err != nil {
		return f, err
	}
	if f, err = find(); !f.ok && err == nil {
		err = errUnknown
	}
	return f, err
}

// explainEntry returns why an entry was not made, using fresh reads. It looks up the id first: a charge
// that was paid is a success, even if the account is empty by now. It looks it up again at the end,
// since a duplicate may have been paid between the reads.
func (s *Store) explainEntry(ctx context.Context, v Viewer, e Entry) (LedgerEntry, bool, error) {
	booked, found, err := s.repeatedEntry(ctx, v, e)
	if found || err != nil {
		return booked, found, err
	}
	refusal := s.explainAccount(ctx, v, e)
	if errors.Is(refusal, errRetry) {
		return LedgerEntry{}, false, refusal
	}
	if booked, found, err = s.repeatedEntry(ctx, v, e); found || err != nil {
		return booked, found, err
	}
	return LedgerEntry{}, false, refusal
}

// repeatedEntry returns the entry of an earlier try of the same request, if there is one.
func (s *Store) repeatedEntry(ctx context.Context, v Viewer, e Entry) (booked LedgerEntry, found bool, err error) {
	booked, err = s.q.GetLedgerEntry(ctx, GetLedgerEntryParams{TenantID: v.TenantID, ID: e.ID})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return LedgerEntry{}, false, nil
	case err != nil:
		return LedgerEntry{}, false, Explain(err)
	case !bytes.Equal(booked.RequestDigest, e.Digest):
		return LedgerEntry{}, false, refuse(IDReused, "id")
	}
	return booked, true, nil
}

func (s *Store) explainAccount(ctx context.Context, v Viewer, e Entry) error {
	account, err := s.q.GetAccount(ctx, accountOf(v, e.AccountID))
	switch {
	case err != nil:
		return Explain(err)
	case e.Kind == EntryKindCharge && account.BalanceCents >= e.AmountCents,
		e.Kind == EntryKindDeposit && account.BalanceCents <= maxBalance-e.AmountCents:
		// The balance has changed since, or a duplicate in the same batch used up the balance.
		return errRetry
	case e.Kind == EntryKindCharge:
		return refuse(InsufficientFunds, "")
	}
	return refuse(BalanceTooLarge, "amount_cents")
}
