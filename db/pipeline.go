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

// taker acquires a connection, and returns a function that releases it.
type taker func(context.Context) (_ batches, release func(), _ error)

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
	conn, release, err := take(ctx)
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
			release()
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		results.Close()
		release()
		return nil, err
	}
	return &closing{rows, results, release, nil}, nil
}

// executed returns the command tag of a statement whose rows are not read.
func executed(rows pgx.Rows, err error) (pgconn.CommandTag, error) {
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// closing ends the batch with its rows, and releases the connection. The transaction ends with the
// batch: only then are the rows an answer.
type closing struct {
	pgx.Rows
	batch   pgx.BatchResults
	release func()
	err     error
}

// Close implements pgx.Rows.
func (c *closing) Close() {
	c.Rows.Close()
	if c.release != nil {
		c.err = c.batch.Close()
		c.release()
		c.release = nil
	}
}

// Next implements pgx.Rows.
func (c *closing) Next() bool {
	if c.Rows.Next() {
		return true
	}
	c.Close()
	return false
}

// Err implements pgx.Rows.
func (c *closing) Err() error {
	if err := c.Rows.Err(); err != nil {
		return err
	}
	return c.err
}
