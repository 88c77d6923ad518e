package db

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// migrationConnector opens goose's connections.
type migrationConnector struct {
	driver.Connector
	m *Migrator
}

func newMigrationConnector(m *Migrator) migrationConnector {
	check := func(_ context.Context, conn *pgx.Conn) error { return CheckEncoding(conn.PgConn()) }
	return migrationConnector{stdlib.GetConnector(*m.pgx, stdlib.OptionAfterConnect(check)), m}
}

// Connect opens a connection.
func (c migrationConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &migrationConn{Conn: conn.(*stdlib.Conn), m: c.m}, nil
}

// migrationConn is a connection of goose's, which runs a whole migration on one. It gives each statement
// of the migration to the Migrator.
type migrationConn struct {
	*stdlib.Conn
	m    *Migrator
	inTx bool
}

// ExecContext runs a statement. Those of a migration have no arguments; those in which goose records
// what was applied have.
func (c *migrationConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (
	driver.Result, error) {
	if c.m.step == nil || len(args) > 0 {
		return c.Conn.ExecContext(ctx, query, args)
	}
	return driver.ResultNoRows, c.m.exec(ctx, c, query)
}

// BeginTx begins a transaction.
func (c *migrationConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return migrationTx{tx, c}, nil
}

// migrationTx is a transaction of goose's.
type migrationTx struct {
	driver.Tx
	conn *migrationConn
}

// Commit looks at the locks that the transaction holds, and commits it.
func (t migrationTx) Commit() error {
	t.conn.inTx = false
	if m := t.conn.m; m.step != nil && !m.pooled {
		m.sample(m.step, t.conn.pid())
	}
	return t.Tx.Commit()
}

// Rollback rolls back.
func (t migrationTx) Rollback() error {
	t.conn.inTx = false
	return t.Tx.Rollback()
}

func (c *migrationConn) pid() int32 { return int32(c.Conn.Conn().PgConn().PID()) }
