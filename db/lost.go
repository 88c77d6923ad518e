package db

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// NoRow reports whether a statement matched no row.
func NoRow(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// created returns the outcome of an INSERT. If it inserted nothing, or violated a constraint, a fresh read by
// id finds out whether an earlier attempt of the same request created the row. It returns IDReused if another
// request did.
func created[T any](
	ctx context.Context, s *Store, row T, err error, digest []byte, known func() (T, []byte, error),
) (_ T, replayed bool, _ error) {
	if err == nil {
		return row, false, nil
	}
	var none T
	if !NoRow(err) && isServers(Explain(err).Code) {
		return none, false, err
	}
	earlier, of, unknown := known()
	if unknown == nil {
		unknown = s.replicated(ctx)
	}
	switch {
	case NoRow(unknown) && NoRow(err):
		return none, false, refuse(Overloaded, "") // created and deleted in between
	case NoRow(unknown):
		return none, false, err
	case unknown != nil:
		return none, false, unknown
	case bytes.Equal(of, digest):
		return earlier, true, nil
	case NoRow(err):
		return none, false, refuse(IDReused, "id")
	}
	return none, false, err
}

// isServers reports whether an error is about the server, and not about the request.
func isServers(code Code) bool {
	switch code {
	case Unavailable, StorageFull, Overloaded, Timeout, Internal:
		return true
	}
	return false
}

// edited returns the outcome of an edit that compared a version. If it matched no row, a fresh read finds out
// whether the row exists: it returns StaleVersion if so, otherwise NotFound. read returns the row's version, and
// the counter of its other changes if it has one.
func edited(ctx context.Context, s *Store, err error, read func() ([]int64, error)) error {
	if !NoRow(err) {
		return err
	}
	now, err := read()
	if err != nil {
		return err
	}
	return cmp.Or(s.replicated(ctx), error(stale(now...))) // it may be the caller's own edit
}

// removed returns the outcome of a removal of n rows: NotFound if there were none.
func (s *Store) removed(ctx context.Context, n int64, err error) error {
	if err = s.changed(ctx, n, err); err == nil && n == 0 {
		return refuse(NotFound, "")
	}
	return err
}

// changed tells what became of a write of n rows, which changes nothing where all is as it asks: that was
// written before.
func (s *Store) changed(ctx context.Context, n int64, err error) error {
	if err == nil && n == 0 {
		return s.replicated(ctx)
	}
	return err
}
