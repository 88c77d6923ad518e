package seed

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// Sender takes several statements in one round trip, and begins a transaction: a pool, a
// connection, or a transaction, which begins one within it.
type Sender interface {
	db.DBTX
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
	Begin(context.Context) (pgx.Tx, error)
}

// batch is where statements go that are to be sent together. It answers each with no row: what
// they return is looked at when they are sent.
type batch struct {
	statements pgx.Batch
	want       int64 // rows of the next statement
}

// send sends them. Whether each made its rows is known after all of them: hence a transaction
// that is still open then, unless there is one alone.
func (b *batch) send(ctx context.Context, conn Sender) error {
	if b.statements.Len() == 1 {
		return conn.SendBatch(ctx, &b.statements).Close()
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b.statements).Close() })
}

func (b *batch) add(sql string, args []any) {
	want := b.want
	b.statements.Queue(sql, args...).Exec(func(done pgconn.CommandTag) error {
		if n := done.RowsAffected(); n != want {
			return fmt.Errorf("seed: %d rows, not %d, by %s", n, want, name(sql))
		}
		return nil
	})
}

// name is the first line: of a generated query, "-- name: CreateUser :one".
func name(sql string) string {
	line, _, _ := strings.Cut(sql, "\n")
	return line
}

// Exec implements db.DBTX.
func (b *batch) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	b.add(sql, args)
	return pgconn.CommandTag{}, nil
}

// Query implements db.DBTX.
func (b *batch) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	b.add(sql, args)
	return noRows{}, nil
}

// QueryRow implements db.DBTX.
func (b *batch) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	b.add(sql, args)
	return noRows{}
}

// noRows are the rows of a statement that was not sent yet.
type noRows struct{ pgx.Rows }

func (noRows) Close()            {}
func (noRows) Err() error        { return nil }
func (noRows) Next() bool        { return false }
func (noRows) Scan(...any) error { return nil }
