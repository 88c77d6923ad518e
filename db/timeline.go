package db

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// NotWritable is the reason why a server is not written to, in a sentence for operators and for /readyz.
type NotWritable string

// Error implements error.
func (n NotWritable) Error() string { return string(n) }

// The reasons for which a database takes no writes.
const (
	Standby NotWritable = "The database server is a standby, which takes no writes: use the address of the " +
		"primary, or of all servers."
	ReadOnly      NotWritable = "The database takes no writes: default_transaction_read_only is on."
	FormerPrimary NotWritable = "The database server is a former primary: another server was promoted since, " +
		"and what is written here would be lost."
	OtherCluster NotWritable = "The database server belongs to another cluster than the one this process has " +
		"used: restart the process if the database was moved there."
	StorageIsFull NotWritable = "The storage of the database is full."
	Unreachable   NotWritable = "The database cannot be reached."
	Busy          NotWritable = "No connection to the database became free: all are in use."
)

// Lineage is the newest history of the cluster that a process has seen. A server of an older one is a former
// primary that has returned: its connections are refused. The zero value has seen nothing; the stores of one
// process share one.
type Lineage struct {
	mu       sync.Mutex
	system   string
	timeline uint64
}

// timelineKey is the key of a connection's timeline in its custom data.
const timelineKey = "waybill.timeline"

// validate is a pgconn.ValidateConnectFunc: it refuses a standby, a former primary, and another cluster.
// A primary's timeline changes only when it restarts, so that it is a property of the connection.
func (l *Lineage) validate(ctx context.Context, conn *pgconn.PgConn) error {
	system, text, err := timelineOf(ctx, conn)
	switch {
	case err != nil:
		return err
	case text == "":
		return Standby
	}
	timeline, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return errors.New("the server does not tell its timeline")
	}
	conn.CustomData()[timelineKey] = timeline
	return l.admit(system, timeline)
}

// timelineOf returns a server's system identifier and timeline; "" for the timeline of a standby.
func timelineOf(ctx context.Context, conn *pgconn.PgConn) (system, timeline string, err error) {
	result := conn.ExecParams(ctx, getTimeline, nil, nil, nil, nil).Read()
	if result.Err != nil {
		return "", "", result.Err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 2 {
		return "", "", errors.New("the server does not tell its timeline")
	}
	return string(result.Rows[0][0]), string(result.Rows[0][1]), nil
}

// admit records a newer timeline, and refuses an older one.
func (l *Lineage) admit(system string, timeline uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.system != "" && l.system != system:
		return OtherCluster
	case timeline < l.timeline:
		return FormerPrimary
	}
	l.system, l.timeline = system, timeline
	return nil
}

// isNewest reports whether a connection's server is still the newest primary that was seen.
func (l *Lineage) isNewest(conn *pgx.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return conn.PgConn().CustomData()[timelineKey] == l.timeline
}
