package db

import (
	"bytes"
	"errors"

	"github.com/jackc/pgx/v5"
)

// NoRow reports whether a statement matched no row.
func NoRow(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// created tells what became of an INSERT. Where it made nothing, or a constraint
// refused it, a fresh read by id says whether an earlier try of the same request
// made the row. IDReused, if another request did.
func created[T any](row T, err error, digest []byte, known func() (T, []byte, error)) (_ T, replayed bool, _ error) {
	if err == nil {
		return row, false, nil
	}
	var none T
	if !NoRow(err) && isServers(Explain(err).Code) {
		return none, false, err
	}
	earlier, of, unknown := known()
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

// edited tells what became of an edit that compared a version: where it matched no row, a
// fresh read says whether there is one. StaleVersion, if there is.
func edited(err error, read func() error) error {
	if !NoRow(err) {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	return refuse(StaleVersion, "version")
}

// removed tells what became of a removal: what was not there is NotFound.
func removed(n int64, err error) error {
	if err == nil && n == 0 {
		return refuse(NotFound, "")
	}
	return err
}
