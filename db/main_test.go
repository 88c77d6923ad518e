package db_test

import (
	"testing"

	"waybill/db/dbtest"
)

// Many tests wait for rows that other sessions lock.
func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Parallel(2))) }
