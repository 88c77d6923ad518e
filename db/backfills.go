package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backfills are rows that a migration leaves to the workers: see sql/backfills/README.md.

// BackfillBatch is the outcome of a batch.
type BackfillBatch struct {
	Rows int64         // that were changed
	Done bool          // nothing was left
	Took time.Duration // the statement, without the round trip and the commit
}

// ErrBackfillNotRunning means that a backfill was stopped, or is done, or was never declared.
var ErrBackfillNotRunning = errors.New("the backfill is not running")

// BackfillStatement returns the statement of a backfill from a folder such as sql/backfills.
func BackfillStatement(folder fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(folder, name+".sql")
	if err != nil {
		return "", fmt.Errorf("this program does not have the statement of the backfill %s", name)
	}
	return string(text), nil
}

// RunBackfill runs one batch of a backfill, of size rows at most, and records where it ended in the same
// transaction. It returns ErrBackfillNotRunning if there is nothing to do.
func (s *System) RunBackfill(ctx context.Context, name, statement string, size int) (BackfillBatch, error) {
	return runBackfill(ctx, s.Pool(), name, statement, size)
}

// beginner begins transactions: a connection, or a pool.
type beginner interface {
	Begin(context.Context) (pgx.Tx, error)
}

func runBackfill(ctx context.Context, on beginner, name, statement string, size int) (b BackfillBatch, err error) {
	err = pgx.BeginFunc(ctx, on, func(tx pgx.Tx) error {
		q := New(tx)
		position, err := q.LockBackfill(ctx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrBackfillNotRunning
		}
		if err != nil {
			return err
		}
		var next []byte
		began := time.Now()
		// As jsonb in text: in whichever mode the connection sends it, and NULL before the first batch.
		if err := tx.QueryRow(ctx, statement, position, size).Scan(&next, &b.Rows); err != nil {
			return err
		}
		b.Done, b.Took = next == nil, time.Since(began)
		began = time.Now()
		n, err := q.AdvanceBackfill(ctx, AdvanceBackfillParams{Name: name, Next: next, RowsChanged: b.Rows})
		b.Took = max(b.Took-time.Since(began), 0) // that was a small write, and a round trip
		if err == nil && n == 0 {
			return ErrBackfillNotRunning
		}
		return err
	})
	return b, err
}
