package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// locksInOrder locks one of some rows, sends a batch that needs all of them, and checks that it waits with
// the rows below locked and none above; for each row in turn. Batches that lock in key order cannot
// deadlock.
func (w *fixture) locksInOrder(
	ctx context.Context, table, key string, ids []uuid.UUID, flush func(s *db.Raw, order []uuid.UUID) error,
) error {
	ids = slices.Clone(ids)
	sortIDs(ids)
	for _, plan := range plans {
		for held := range ids {
			order := slices.Clone(ids)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			free, err := w.freeBehind(ctx, table, key, ids, ids[held], plan,
				func(s *db.Raw) error { return flush(s, order) })
			if err != nil {
				return err
			}
			if !slices.Equal(free, ids[held+1:]) {
				return fmt.Errorf("of %s, waiting for number %d, it had left free %d", table, held, len(free))
			}
		}
	}
	return nil
}

// plans are settings that make PostgreSQL return the rows in another order: the order must come from the
// statement, not from a plan that happens to have it.
var plans = []string{
	"SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off",
	"SET LOCAL enable_mergejoin = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_sort = off",
}

// freeBehind returns the rows that are not locked while the batch waits for the one held.
func (w *fixture) freeBehind(
	ctx context.Context, table, key string, ids []uuid.UUID, held uuid.UUID, plan string, flush act,
) (free []uuid.UUID, err error) {
	return w.freeWhileWaiting(ctx, table, key, held, table, key, ids, plan, flush)
}

// freeWhileWaiting returns those of another table's rows that are not locked meanwhile.
func (w *fixture) freeWhileWaiting(
	ctx context.Context, table, key string, held uuid.UUID, other, otherKey string,
	ids []uuid.UUID, plan string, flush act,
) (free []uuid.UUID, err error) {
	rowsOf := func(table, key string) string {
		return fmt.Sprintf("SELECT %s FROM %s WHERE tenant_id = $1 AND %[1]s = ANY ($2) ORDER BY %[1]s FOR UPDATE",
			key, table)
	}
	holder := must(w.owner.Begin(ctx))
	defer holder.Rollback(context.WithoutCancel(ctx))
	must(holder.Exec(ctx, rowsOf(table, key), w.tenant, []uuid.UUID{held}))

	tx := must(w.pool.Begin(ctx)) // what the flush did is undone, for the next round
	defer tx.Rollback(context.WithoutCancel(ctx))
	must(tx.Exec(ctx, plan+"; SET LOCAL jit = off")) // a disabled node has a high estimated cost
	pid, done := tx.Conn().PgConn().PID(), make(chan struct{})
	go func() {
		defer close(done)
		err = flush(w.over(tx))
	}()
	waited := w.waits(ctx, pid, []uint32{holder.Conn().PgConn().PID()}, done)
	if waited {
		probe := must(w.owner.Begin(ctx))
		defer probe.Rollback(context.WithoutCancel(ctx))
		free = must(pgx.CollectRows(must(probe.Query(ctx, rowsOf(other, otherKey)+" SKIP LOCKED", w.tenant, ids)),
			pgx.RowTo[uuid.UUID]))
		w.must(probe.Rollback(ctx))
	}
	w.must(holder.Rollback(ctx))
	<-done
	if !waited && err == nil {
		err = errors.New("the flush did not wait for the row")
	}
	return free, err
}
