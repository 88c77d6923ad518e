package db_test

import (
	"testing"

	"waybill/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }
