package db_test

import (
	"context"
	"errors"
	"fmt"
)

var eventHistoryRaces = []check{
	{"BeginEventHistory", "two processes begin one history twice", func(ctx context.Context, w *world) error {
		must(w.owner.Exec(ctx, "DELETE FROM event_histories"))
		err := errors.Join(together(manyCallers, func(int) error { return w.BeginEventHistory(ctx) })...)
		n := scan[int](ctx, w.owner, "SELECT count(*) FROM event_histories")
		if err == nil && n != 1 {
			err = fmt.Errorf("there are %d histories", n)
		}
		return err
	}},
}
