package db_test

import (
	"testing"

	"waybill/db/dbtest"
)

// Many wait for rows that others hold.
func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Parallel(2))) }
