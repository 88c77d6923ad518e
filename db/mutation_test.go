package db_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// guardingReads are reads that decide whether a caller is admitted.
var guardingReads = map[string]bool{"GetSessions": true, "RequireSessions": true, "ConfirmSessions": true,
	"ConfirmSessionOrItsEnd": true, "ConfirmPickups": true, "ConfirmPatient": true, "ConfirmMessage": true}

var update = flag.Bool("update", false, "write testdata/guards.txt anew")

// killers names, for each guard, the race or rule that failed without it when the file was last written.
// It is run first, which saves the others; one that no longer fails, since races depend on timing, costs
// only its time.
type killers map[string]string

const killersFile = "testdata/guards.txt"

func readKillers(t *testing.T) killers {
	t.Helper()
	text, err := os.ReadFile(killersFile)
	if err != nil {
		t.Fatal(err)
	}
	k, guard := killers{}, ""
	for line := range strings.Lines(string(text)) {
		if killer, ok := strings.CutPrefix(line, "\t"); ok {
			k[guard] = strings.TrimSpace(killer)
		} else {
			guard = strings.TrimSpace(line)
		}
	}
	return k
}

func (k killers) write(t *testing.T) {
	t.Helper()
	var text strings.Builder
	text.WriteString("# Each guard of the queries, and what fails without it: go test ./db -run Guard -update\n")
	for _, guard := range slices.Sorted(maps.Keys(k)) {
		fmt.Fprintf(&text, "%s\n\t%s\n", guard, k[guard])
	}
	if err := os.WriteFile(killersFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// first moves the guard's killer before the other checks.
func (k killers) first(guard string, checks []check) []check {
	var killing, others []check // a query's name may stand for several, one for each transition
	for _, c := range checks {
		if c.name == k[guard] {
			killing = append(killing, c)
		} else {
			others = append(others, c)
		}
	}
	return slices.Concat(killing, others)
}

// TestAQueryWithoutItsGuardFails removes each guard from each query and runs that query's races and rules:
// one of them must fail, or the guard is untested.
func TestAQueryWithoutItsGuardFails(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "the mutants are SQL")
	d := openUnchecked(t)
	must(d.owner.Exec(t.Context(), oneTenant))
	checks := map[string][]check{}
	for _, c := range slices.Concat(rules(), races()) {
		checks[c.query] = append(checks[c.query], c)
	}
	known, found := readKillers(t), killers{}
	gone := maps.Clone(known)
	var mu sync.Mutex // of found
	total := 0
	t.Run("mutants", func(t *testing.T) {
		for _, m := range mutants(t) {
			key := m.query + ": " + m.what
			total++
			delete(gone, key)
			t.Run(key, func(t *testing.T) {
				t.Parallel()
				if _, err := d.owner.Exec(t.Context(), "PREPARE mutant AS "+m.to+"; DEALLOCATE mutant",
					pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("not a statement: %v\n%s", err, m.to)
				}
				killer, err := d.kill(t.Context(), m, known.first(key, checks[m.query]))
				if err == nil {
					t.Fatalf("survived %d checks, %d times", len(checks[m.query]), m.tries())
				}
				t.Logf("killed by %v", err)
				mu.Lock()
				defer mu.Unlock()
				found[key] = killer
			})
		}
	})
	t.Logf("killed %d of %d", len(found), total)
	if *update && len(found) == total { // not if -run chose a few, or one survived
		found.write(t)
		return
	}
	for _, guard := range slices.Sorted(maps.Keys(gone)) {
		t.Errorf("killers of %s name a guard that no query has: %s", killersFile, guard)
	}
}

// kill runs the checks on a mutant, each in a fixture of its own, until one of them finds
// something, or leaves an invariant broken. It gives that one's name.
func (d *database) kill(ctx context.Context, m *mutant, checks []check) (killer string, err error) {
	for range m.tries() {
		for _, c := range checks {
			w := d.fixture(ctx).on(m)
			err := c.try(ctx, w)
			if err == nil {
				if err = checkInvariantsAlone(ctx, w.owner, w.tenant); err != nil {
					err = fmt.Errorf("%s: %w", c.name, err)
				}
			}
			if err != nil {
				return c.name, err
			}
		}
	}
	return "", nil
}

// tries is how often a mutant must survive: a race may find everybody in step, and two rows in
// any order are in the right one by luck every second time.
func (m *mutant) tries() int {
	if strings.Contains(m.to, anyOrder) {
		return 12
	}
	return 3
}

// What is broken of a tenant is the same by the views of its own rows, and among those of all.
func TestATenantsInvariantsAreFoundAmongItsOwnRows(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL has the invariants")
	ctx := t.Context()
	d := openUnchecked(t)
	must(d.owner.Exec(ctx, oneTenant))
	spoilt, sound := d.fixture(ctx), d.fixture(ctx)
	for _, w := range []*fixture{spoilt, sound} {
		w.fundedAccount(ctx, 1000)
		w.assigned(ctx, w.driver(ctx, 1, 1))
		w.at(ctx, db.PickupStatusDELIVERED)
	}
	must(d.owner.Exec(ctx, "ALTER TABLE users DISABLE TRIGGER USER"))
	for _, sql := range []string{
		"UPDATE accounts SET balance_cents = balance_cents + 1 WHERE tenant_id = $1",
		"UPDATE users SET name = name || ' Quetzal' WHERE tenant_id = $1",
		"DELETE FROM driver_slots WHERE tenant_id = $1",
		"DELETE FROM pickup_searches WHERE tenant_id = $1",
		"DELETE FROM river_job WHERE args ->> 'tenant_id' = $1::text",
	} {
		before := checkInvariantsAlone(ctx, d.owner, spoilt.tenant)
		if must(d.owner.Exec(ctx, sql, spoilt.tenant)).RowsAffected() == 0 {
			t.Fatalf("there are no rows: %s", sql)
		}
		alone := checkInvariantsAlone(ctx, d.owner, spoilt.tenant)
		among := checkInvariantsOf(ctx, d.owner, &spoilt.tenant)
		if fmt.Sprint(alone) != fmt.Sprint(among) || fmt.Sprint(alone) == fmt.Sprint(before) {
			t.Errorf("%s: %v; among the rows of all: %v; before: %v", sql, alone, among, before)
		}
		if err := checkInvariantsAlone(ctx, d.owner, sound.tenant); err != nil {
			t.Errorf("%s: of another tenant: %v", sql, err)
		}
	}
}
