//go:build !race

// These tests run SQL in PostgreSQL, which the race detector does not see.

package races_test

import (
	"context"
	"testing"
	"time"

	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/rules"
	"waybill/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Empty{}, dbtest.Parallel(2))) }

// TestPagesTellTheTruth runs each page's race as it is lost, and as the page's rewrite closes it.
func TestPagesTellTheTruth(t *testing.T) {
	t.Parallel()
	for _, r := range rules.All {
		for _, kind := range []string{"race lost", "race closed"} {
			t.Run(r.ID+"/"+kind, func(t *testing.T) {
				t.Parallel()
				perform(t, r.Block("race setup"), r.Block(kind))
			})
		}
	}
}

func perform(t *testing.T, setup, race string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	d := dbtest.New(t)
	for _, text := range []string{setup, race} {
		lines, err := races.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			t.Fatal("no example to run")
		}
		p := &play{t, ctx, d.Owner(), map[string]*session{}}
		p.run(lines)
		if text == setup { // its connection goes back
			p.sessions["setup"].conn.Close(ctx)
		}
	}
}
