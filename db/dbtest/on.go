package dbtest

import (
	"testing"

	"waybill/db/localpg"
)

// On returns the database of a server of the test's own, such as a cluster's primary, as the server has it:
// neither migrated nor cloned. Nothing is checked when the test ends.
func On(t testing.TB, server *localpg.Server) *DB {
	t.Helper()
	d := newDB(t, &cluster{login: local{server}}, localpg.Database)
	t.Cleanup(d.closePools)
	return d
}
