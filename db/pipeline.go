package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// batches sends several statements in one round trip.
type batches interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// taker acquires a connection, and returns a function that releases it and returns the outcome of what
// was done, by its error.
type taker func(context.Context) (_ batches, end func(error) error, _ error)

// queued is a statement of a pipeline.
type queued struct {
	sql  string
	args []any
}

// pipeline is a statement with the statements to send before and after it.
type pipeline struct {
	claims    claims // confirmed first
	before    []queued
	statement queued
	after     []queued
}

// batch returns the statements in their order, and the number of those before the one whose rows are read.
func (p pipeline) batch() (*pgx.Batch, int) {
	batch := &pgx.Batch{}
	queue := func(q queued) { batch.Queue(q.sql, q.args...) }
	if len(p.claims) > 0 {
		queue(p.claims.require())
	}
	for _, q := range p.before {
		queue(q)
	}
	if mode, ok := p.statement.mode(); ok { // a batch takes no mode
		if mode != replanned {
			panic("a pipeline's statement cannot be sent in this mode")
		}
		queue(queued{sql: planForArguments})
		p.statement.args = p.statement.args[1:]
	}
	first := batch.Len()
	queue(p.statement)
	for _, q := range p.after {
		queue(q)
	}
	return batch, first
}

// mode returns the statement's query mode, if that is not pgx's default.
func (q queued) mode() (mode pgx.QueryExecMode, ok bool) {
	if len(q.args) > 0 {
		mode, ok = q.args[0].(pgx.QueryExecMode)
	}
	return mode, ok
}

// send sends a statement with others before and after it, in one round trip and one implicit transaction: if
// one fails, all are rolled back. It returns the statement's rows, which are not final before they are closed
// without an error.
func (take taker) send(ctx context.Context, p pipeline) (pgx.Rows, error) {
	conn, end, err := take(ctx)
	if err != nil {
		return nil, err
	}
	batch, first := p.batch()
	p.claims.sent()
	results := conn.SendBatch(ctx, batch)
	for i := range first {
		_, err := results.Exec()
		if i == 0 {
			p.claims.answered(err)
		}
		if err != nil {
			results.Close()
			return nil, end(err)
		}
	}
	rows, err := results.Query()
	if err != nil {
		results.Close()
		return nil, end(err)
	}
	return &ending{Rows: rows, end: func() error { return end(results.Close()) }}, nil
}

// executed returns the command tag of a statement whose rows are not read.
func executed(rows pgx.Rows, err error) (pgconn.CommandTag, error) {
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// ending ends an operation with its rows, and releases the connection. Its transaction ends then too:
// only then are the rows an answer.
type ending struct {
	pgx.Rows
	end func() error // nil once it was called
	err error
}

// Close implements pgx.Rows.
func (e *ending) Close() {
	e.Rows.Close()
	if e.end != nil {
		e.err = e.end()
		e.end = nil
	}
}

// Next implements pgx.Rows.
func (e *ending) Next() bool {
	if e.Rows.Next() {
		return true
	}
	e.Close()
	return false
}

// Err implements pgx.Rows.
func (e *ending) Err() error {
	if err := e.Rows.Err(); err != nil {
		return err
	}
	return e.err
}
