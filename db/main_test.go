package db_test

import (
	"os"
	"testing"

	"waybill/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }
