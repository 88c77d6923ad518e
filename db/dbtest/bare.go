package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
)

// Bare returns a new empty database, created with the given options of CREATE DATABASE: an encoding or
// locale other than the server's.
func Bare(t testing.TB, options string) *DB {
	t.Helper()
	c, err := shared.open()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	name := "waybill_test_bare_" + strings.ToLower(rand.Text()[:8])
	if _, err := c.admin.Exec(context.Background(), fmt.Sprintf(
		"CREATE DATABASE %s TEMPLATE template0 OWNER %s %s", name, c.owner(), options)); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	d := newDB(t, c, name)
	t.Cleanup(func() { d.finish(nil) })
	return d
}
