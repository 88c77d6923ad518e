package db

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// skipping sends the statements of the transitions with SKIP LOCKED. A wait for one pickup's
// lock would delay the other requests of the batch, and the batches behind it. A request
// whose pickup was skipped is retried unbatched, in the form that waits.
type skipping struct{ DBTX }

func (q skipping) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return q.DBTX.Query(ctx, skippingForm[sql], args...)
}

var skippingForm = func() map[string]string {
	forms := map[string]string{}
	for _, sql := range []string{transitionPickups} {
		const lock = "FOR NO KEY UPDATE OF p\n"
		if strings.Count(sql, lock) != 1 {
			panic("a transition locks its pickups otherwise")
		}
		forms[sql] = strings.Replace(sql, lock, "FOR NO KEY UPDATE OF p SKIP LOCKED\n", 1)
	}
	return forms
}()
