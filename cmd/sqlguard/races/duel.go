package races

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Outcome is the result of a duel's two statements.
type Outcome struct {
	A, B   int64  // rows affected
	Waited bool   // the second statement waited for the first
	Seen   string // the result of First.Then
	Err    error  // the error of the second statement
}

// Duel runs two statements concurrently: the first runs in a transaction that stays open until the
// second has finished or is blocked, and then commits. It returns an error if the first statement
// fails, or the duel itself.
func Duel(ctx context.Context, pool *pgxpool.Pool, first, second Statement) (Outcome, error) {
	return DuelAt(ctx, pool, string(pgx.ReadCommitted), first, second)
}

// DuelAt is Duel at another isolation level.
func DuelAt(ctx context.Context, pool *pgxpool.Pool, level string, first, second Statement) (Outcome, error) {
	var out Outcome
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Release()
	defer conn.Exec(context.WithoutCancel(ctx), "RESET default_transaction_isolation")
	if _, err := conn.Exec(ctx, "SELECT set_config('default_transaction_isolation', $1, false)", level); err != nil {
		return out, err
	}
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(level)})
	if err != nil {
		return out, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if out.A, err = run(ctx, tx.Query, first); err != nil {
		return out, err
	}
	if first.Then != "" {
		if err := tx.QueryRow(ctx, first.Then).Scan(&out.Seen); err != nil {
			return out, err
		}
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		out.B, err = run(ctx, conn.Query, second)
		ended <- err
	}()
	var waits bool
	waits, out.Err, err = settles(ctx, pool, conn.Conn().PgConn().PID(), ended)
	out.Waited = waits
	if err == nil {
		err = tx.Commit(ctx)
	}
	if waits {
		out.Err = <-ended
	}
	return out, err
}

// settles waits until a statement has finished, or PostgreSQL reports it as blocked.
func settles(ctx context.Context, pool *pgxpool.Pool, pid uint32, ended chan error) (waits bool, result, err error) {
	for {
		select {
		case err := <-ended:
			return false, err, nil
		case <-ctx.Done():
			return true, nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
		var blocked bool
		if err := pool.QueryRow(ctx, "SELECT cardinality(pg_blocking_pids($1)) > 0", int32(pid)).
			Scan(&blocked); err != nil {
			return true, nil, err
		}
		if blocked {
			return true, nil, nil
		}
	}
}

// run executes a statement and returns the number of rows that it wrote or returned.
func run(
	ctx context.Context, query func(context.Context, string, ...any) (pgx.Rows, error), s Statement,
) (int64, error) {
	sql, args, err := s.bound()
	if err != nil {
		return 0, err
	}
	rows, err := query(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	rows.Close()
	return rows.CommandTag().RowsAffected(), errors.Join(rows.Err())
}
