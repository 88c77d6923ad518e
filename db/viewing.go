package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Reader reads patients and appointments for one viewer: see Store.As.
type Reader struct{ patientStatements }

// As returns the reads of patients under the row level security of one viewer: without a viewer, the policies
// of the tables with patient data hide all rows and reject all writes. Each statement is sent in one round
// trip with SetViewer and in one implicit transaction: the setting ends with the transaction, so that no
// later user of the connection inherits it. Unless the viewer only reads, its session is confirmed after the
// statement. The statements return Unauthenticated for a viewer that was not authenticated.
func (s *Store) As(v Viewer) Reader { return Reader{s.as(v)} }

// as returns all statements, under the same row level security as As.
func (s *Store) as(v Viewer) *Queries { return New(s.viewing(v, nil)) }

// writing returns the queries that write the patient: like As, but a write is rejected if the viewer
// does not see the patient afterwards (see notSeen). It returns Unauthenticated if the viewer may not
// write.
func (s *Store) writing(v Viewer, patientID uuid.UUID) (*Queries, error) {
	after := []queued{{confirmPatient, []any{v.TenantID, patientID, v.UserID}}}
	return New(s.viewing(v, after)), v.mayWrite()
}

// viewing sends each statement after the viewer's setting.
type viewing struct {
	DBTX   // without a viewer, for CopyFrom: PostgreSQL does not copy into a table with policies
	take   taker
	viewer Viewer
	after  []queued
}

func (p pooled) as(v Viewer, after []queued) DBTX { return viewing{p, p.take, v, after} }

// Exec implements DBTX.
func (q viewing) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return executed(q.Query(ctx, sql, args...))
}

// Query implements DBTX.
func (q viewing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := q.viewer.mayRead(); err != nil {
		return nil, err
	}
	c := confirmationOf(q.viewer)
	pending, err := c.claims.pending()
	if err != nil {
		return nil, err
	}
	before := []queued{{setViewer, []any{q.viewer.TenantID, q.viewer.UserID}}}
	if known := confirmationIn(ctx); known != nil && known.lockTimeout != "" {
		before = append(before, queued{setLockTimeout, []any{known.lockTimeout}})
	}
	return q.take.send(ctx, pipeline{pending, before, queued{sql, args}, append(c.after(), q.after...)})
}

// QueryRow implements DBTX.
func (q viewing) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := q.Query(ctx, sql, args...)
	return oneRow{rows, err}
}
