package dbtest_test

import (
	"testing"

	"waybill/db/dbtest"
)

func TestRounds(t *testing.T) {
	t.Setenv("WAYBILL_TEST", "thorough")
	if n := dbtest.Rounds(40); n != 40 {
		t.Errorf("all rounds of 40 are %d", n)
	}
	t.Setenv("WAYBILL_TEST", "")
	usual := 10
	if dbtest.UnderRace {
		usual = 5
	}
	if n, least := dbtest.Rounds(40), dbtest.Rounds(2); n != usual || least != 1 {
		t.Errorf("of 40 rounds %d are made, of 2 %d", n, least)
	}
	t.Setenv("WAYBILL_TEST", "many")
	defer func() {
		if recover() == nil {
			t.Error("many is taken for something")
		}
	}()
	dbtest.Rounds(1)
}
