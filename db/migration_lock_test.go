package db_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"waybill/db"
	"waybill/db/dbtest"
)

// named returns a URL whose sessions have the application_name.
func named(databaseURL, name string) string {
	u := must(url.Parse(databaseURL))
	query := u.Query()
	query.Set("application_name", name)
	u.RawQuery = query.Encode()
	return u.String()
}

// A migrator that waits has no transaction open between its tries: CREATE INDEX CONCURRENTLY of the one that it
// waits for waits to the end of each transaction that had a snapshot when it looked, and that could be a try.
func TestAMigratorThatWaitsHasNoTransactionBetweenItsTries(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const name = "waiting_migrator"
	err := db.WithMigrationLock(t.Context(), d.OwnerURL, func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		waits := false
		waiting, err := db.NewMigratorWith(named(d.OwnerURL, name), db.MigratorConfig{Tell: func(line string) {
			waits = strings.HasPrefix(line, "waiting for another migrator")
			sessions, open := 0, 0
			must(0, d.Owner().QueryRow(ctx, `SELECT count(*), count(xact_start) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = $1`, name).Scan(&sessions, &open))
			if sessions == 0 || open > 0 {
				t.Errorf("between two tries %d of its %d sessions have a transaction open", open, sessions)
			}
			cancel()
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer waiting.Close()
		if _, err := waiting.Up(ctx); !errors.Is(err, context.Canceled) || !waits {
			t.Errorf("it waited: %t, %v", waits, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
