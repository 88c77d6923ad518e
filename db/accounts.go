package db

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Entry asks for one charge or deposit.
type Entry struct {
	ID          uuid.UUID // the caller's: it makes a repeat harmless
	AccountID   uuid.UUID
	Kind        EntryKind
	AmountCents int64
	Note        string // "" for none
	Digest      []byte // of the request, to know a repeat
}

// Enter books one charge or deposit. replayed says that an earlier try of the same
// request did. Refused with NotFound, IDReused, InsufficientFunds or BalanceTooLarge.
func (s *Store) Enter(ctx context.Context, v Viewer, e Entry) (entry LedgerEntry, replayed bool, err error) {
	rows, err := s.CreateLedgerEntries(ctx, CreateLedgerEntriesParams{
		TenantIds:      []uuid.UUID{v.TenantID},
		Ids:            []uuid.UUID{e.ID},
		AccountIds:     []uuid.UUID{e.AccountID},
		Kinds:          []string{string(e.Kind)},
		AmountsCents:   []int64{e.AmountCents},
		Notes:          []string{e.Note},
		ActorIds:       []uuid.UUID{v.UserID},
		RequestDigests: [][]byte{e.Digest},
	})
	if err != nil {
		return LedgerEntry{}, false, Explain(err)
	}
	if len(rows) == 1 {
		return rows[0].LedgerEntry, false, nil
	}
	return s.explainEntry(ctx, v, e)
}

// explainEntry says why an entry was not made, from reads of its own. The id comes
// first: a charge that was paid is paid, however empty the account is by now.
func (s *Store) explainEntry(ctx context.Context, v Viewer, e Entry) (LedgerEntry, bool, error) {
	entry, err := s.GetLedgerEntry(ctx, GetLedgerEntryParams{TenantID: v.TenantID, ID: e.ID})
	switch {
	case err == nil && bytes.Equal(entry.RequestDigest, e.Digest):
		return entry, true, nil
	case err == nil:
		return LedgerEntry{}, false, refuse(IDReused, "id")
	case !errors.Is(err, pgx.ErrNoRows):
		return LedgerEntry{}, false, Explain(err)
	}
	if _, err := s.GetAccount(ctx, GetAccountParams{TenantID: v.TenantID, ID: e.AccountID}); err != nil {
		return LedgerEntry{}, false, Explain(err)
	}
	if e.Kind == EntryKindCharge {
		return LedgerEntry{}, false, refuse(InsufficientFunds, "")
	}
	return LedgerEntry{}, false, refuse(BalanceTooLarge, "amount_cents")
}
