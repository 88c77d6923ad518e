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

	"waybill/db/dbtest"
)

// guardingReads are reads that decide who is let in.
var guardingReads = map[string]bool{"GetSessions": true, "RequireSessions": true, "ConfirmSessions": true,
	"ConfirmSessionOrItsEnd": true, "ConfirmPickups": true, "ConfirmPatient": true}

// spared are the parts whose loss no test can see, each with the reason.
var spared = map[string]string{
	"CreateLedgerEntries: ORDER BY s.ord": "the window beneath leaves this " +
		"order, as long as PostgreSQL shares the sort",
	"EditDriver: FOR NO KEY UPDATE OF s": "the order alone: against a " +
		"dispatch that checks the key of a driver whose login is changed",
	"EditUser: ORDER BY u.id": "the key's index is in this order, " +
		"as long as PostgreSQL scans it",
	"DeactivateUser: ORDER BY u.id": "like in EditUser",
	"ListAppointments: ORDER BY a.starts_at, a.id": "the index is in this order, as " +
		"long as PostgreSQL scans it",
	"ListAppointments: ORDER BY f.starts_at, f.id": "the rows come in the order in " +
		"which they were found",
	"ListAppointments: ORDER BY s.starts_at, s.id": "the rows come in the order in " +
		"which they were found",
	"ListAppointments: " + seesTheFacility: "row level security leaves no other " +
		"row; kept like in its siblings",
	"ListPatients: ORDER BY f.patient_id": "the index is in this order, as " +
		"long as PostgreSQL scans it",
	"ListPatients: ORDER BY k.patient_id": "DISTINCT leaves this order, as " +
		"long as PostgreSQL sorts for it",
	"ListPatients: ORDER BY p.id": "the patients are looked up in this " +
		"order, as long as PostgreSQL joins by a loop",
	"ListPatients: ORDER BY patients.id": "the rows come in the order in " +
		"which they were found",
	"GetPatient: " + seesThePatient: "row level security leaves no other " +
		"row; kept like in its siblings",
	"EditPatient: f.allowed": "row level security leaves no other " +
		"row; kept like in its siblings",
	"DispatchPickup: " + textOwed: "a dispatch always owes a text: the " +
		"statement's half that serves all transitions",
	"ConfirmPickups: w.xmin = pg_current_xact_id_if_assigned()::xid": "who asks for what they do not see " +
		"is told so anyhow: it spares the neighbours a flush in halves",
	"SyncAppointments: a.starts_at > ($3::timestamptz) - longest_appointment()": "what it leaves out is found one by " +
		"one: the time it takes alone, which the plan check sees",
	"SyncAppointments: k.id IS NULL": "what was found is found again: the " +
		"time it takes alone",
	"ListPickups: ORDER BY CASE WHEN $6::pickup_status IS NOT NULL THEN p.status END DESC, p.created_at DESC, " +
		"p.id DESC": "the indexes are in this order, as long as PostgreSQL scans one",
	"ListPickups: ORDER BY f.created_at DESC, " +
		"f.id DESC": "the rows come in the order in which they were found",
	"ListPickups: ORDER BY pickups.created_at DESC, " +
		"pickups.id DESC": "the rows come in the order in which they were found",
	"ExplainTransition: ORDER BY " +
		"n.transition": "the dictionary was written in this order",
	"DispatchPickup: w.seen": "who dispatches sees the pickup still: the statement's half that serves all transitions",
}

const (
	textOwed       = "w.text IS NOT NULL"
	seesThePatient = "EXISTS ( SELECT FROM patient_viewers AS v" +
		" WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = $4::uuid)"
	seesTheFacility = "EXISTS ( SELECT FROM facility_viewers AS v" +
		" WHERE v.tenant_id = $3 AND v.facility_id = $4 AND v.user_id = $2)"
)

var update = flag.Bool("update", false, "write testdata/guards.txt anew")

// killers names, for each guard, the race or rule that failed without it when it was last
// written. That one is tried first, which saves the others; one that no longer fails, as
// races go by chance, costs no more than its time.
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

// first has the guard's killer before the other checks.
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

// TestAQueryWithoutItsGuardFails takes each guard out of each query and runs that
// query's races and rules: one of them must fail, or it proves nothing.
func TestAQueryWithoutItsGuardFails(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "what is changed is SQL")
	d := openUnchecked(t)
	checks := map[string][]check{}
	for _, c := range slices.Concat(rules(), races()) {
		checks[c.query] = append(checks[c.query], c)
	}
	used := map[string]bool{}
	known, found := readKillers(t), killers{}
	var mu sync.Mutex // of found
	times := map[string]int{}
	total := 0
	t.Run("mutants", func(t *testing.T) {
		for _, m := range mutants(t) {
			key := m.query + ": " + m.what
			if reason, ok := spared[key]; ok {
				used[key] = true
				t.Logf("spared    %s (%s)", key, reason)
				continue
			}
			total++
			if times[key]++; times[key] > 1 { // the same words in another part of the query
				key = fmt.Sprintf("%s (%d)", key, times[key])
			}
			t.Run(key, func(t *testing.T) {
				t.Parallel()
				if _, err := d.owner.Exec(t.Context(), "PREPARE mutant AS "+m.to+"; DEALLOCATE mutant",
					pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("not a statement: %v\n%s", err, m.to)
				}
				killer, err := d.kill(t.Context(), m, known.first(key, checks[m.query]))
				if err == nil {
					t.Fatalf("survived %d checks, %d times", len(checks[m.query]), tries)
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
	}
	for key := range spared {
		if !used[key] {
			t.Errorf("spared and not there: %s", key)
		}
	}
}

// kill runs the checks on a mutant, each in a world of its own, until one of them finds
// something, or leaves an invariant broken. It gives that one's name.
func (d *database) kill(ctx context.Context, m *mutant, checks []check) (killer string, err error) {
	for range tries {
		for _, c := range checks {
			w := d.world(ctx).on(m)
			err := c.try(ctx, w)
			if err == nil {
				if err = checkInvariantsOf(ctx, w.owner, &w.tenant); err != nil {
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

// tries are how often a mutant must survive: six rows of random ids are in the right
// order by luck once in 720 times, and a race may find everybody in step.
const tries = 3
