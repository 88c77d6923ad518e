package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// As gives the queries with the row level security of one viewer: without it, the
// tables that hold patient data show nothing and take nothing. Each statement goes in
// one round trip with SetViewer and in one implicit transaction, with which the
// setting ends, so that no later user of the connection inherits it.
func (s *Store) As(v Viewer) *Queries { return New(s.viewing(v)) }

// viewing sends each statement behind the viewer's setting.
type viewing struct {
	DBTX   // without a viewer, for CopyFrom: PostgreSQL does not copy into a table with policies
	take   func(context.Context) (batches, func(), error)
	viewer Viewer
}

// batches takes several statements in one round trip.
type batches interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

func (p pooled) as(v Viewer) DBTX {
	return viewing{p, func(ctx context.Context) (batches, func(), error) {
		conn, err := p.conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		return conn, conn.Release, nil
	}, v}
}

func (q viewing) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

func (q viewing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, release, err := q.take(ctx)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(setViewer, q.viewer.TenantID, q.viewer.UserID)
	batch.Queue(sql, args...)
	results := conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		results.Close()
		release()
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		results.Close()
		release()
		return nil, err
	}
	return &closing{rows, results, release, nil}, nil
}

func (q viewing) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := q.Query(ctx, sql, args...)
	return oneRow{rows, err}
}

// closing ends the batch with its rows, and gives the connection back. The
// transaction ends with the batch: only then are the rows an answer.
type closing struct {
	pgx.Rows
	batch   pgx.BatchResults
	release func()
	err     error
}

func (c *closing) Close() {
	c.Rows.Close()
	if c.release != nil {
		c.err = c.batch.Close()
		c.release()
		c.release = nil
	}
}

func (c *closing) Next() bool {
	if c.Rows.Next() {
		return true
	}
	c.Close()
	return false
}

func (c *closing) Err() error {
	if err := c.Rows.Err(); err != nil {
		return err
	}
	return c.err
}
