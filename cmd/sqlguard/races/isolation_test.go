//go:build !race

package races_test

import (
	"context"
	"testing"
	"time"

	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/rules"
	"waybill/db/dbtest"
)

// TestMootRacesAreRefusedByPostgreSQL runs the lost race of each rule that is not reported at a level of
// isolation: there the second statement fails with 40001.
func TestMootRacesAreRefusedByPostgreSQL(t *testing.T) {
	t.Parallel()
	played := 0
	for _, r := range rules.All {
		for _, level := range r.Moot {
			played++
			t.Run(r.ID+"/"+string(level), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				defer cancel()
				pool := dbtest.New(t).Owner()
				for _, l := range lines(t, r.Block("race setup")) {
					if _, err := pool.Exec(ctx, l.SQL); err != nil {
						t.Fatal(err)
					}
				}
				first, second := meeting(t, r.Block("race lost"))
				out, err := races.DuelAt(ctx, pool, string(level), races.Statement{Query: first},
					races.Statement{Query: second})
				if err != nil {
					t.Fatal(err)
				}
				if got := sqlState(out.Err); got != "40001" {
					t.Errorf("%s\n%s\nthe second ended with %q (%+v)", first, second, got, out)
				}
			})
		}
	}
	if played == 0 {
		t.Error("no rule is moot anywhere")
	}
}

func lines(t *testing.T, text string) []races.Line {
	t.Helper()
	all, err := races.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// meeting returns the statement that waits, and the one of the other session before it.
func meeting(t *testing.T, race string) (first, second string) {
	t.Helper()
	for _, l := range lines(t, race) {
		switch {
		case l.Want == "waits":
			return first, l.SQL
		case l.SQL != "BEGIN;":
			first = l.SQL
		}
	}
	t.Fatal("no statement waits")
	return "", ""
}
