package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db/dbtest"
)

// slowPgbench stands for pgbench on a slow machine: it fails one script, and its first report comes late.
const slowPgbench = `#!/bin/sh
case "$*" in
*/transition.sql*) echo "pgbench: error: client 0 aborted" >&2; exit 2 ;;
*"-t 1 -n"*) exit 0 ;;
esac
echo "progress: 9.0 s, 1.0 tps, lat 1.0 ms"
echo "tps = 50.0 (without initial connection time)"
`

func TestHTTPBenchSurvivesASlowOrFailingPgbench(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "pgbench"), []byte(slowPgbench), 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"DATABASE_URL=" + d.OwnerURL, "WAYBILL_PG_BIN=" + programs}
	code, out, errors := ended(t, "", env, "bench", "http", "--json", "--seconds", "1", "--rounds", "1",
		"--callers", "2", "--work", "transition,get", "--accounts", "2", "--pickups", "100")
	first, second, _ := strings.Cut(out, "\n")
	if code != 1 || strings.Count(out, "\n") != 2 {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	has(t, first, `"work":"transition"`, `"one_by_one_per_second":null`, `"unexpected":0`, `client 0 aborted`)
	hasNot(t, first, `"operations":0`)
	has(t, second, `"work":"get"`, `"one_by_one_per_second":50`, `"unexpected":0`)
	hasNot(t, second, "failed")
	has(t, errors, "waybill: transition with 2 callers: one by one: pgbench for transition")
}

// A server on which one workload cannot be prepared costs that line, not the others.
func TestHTTPBenchPassesOverAWorkThatFails(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	var batches atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/pickups/batch" && batches.Add(1) > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, `{"id":"1","token":"t"}`)
	}))
	defer other.Close()
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL}, "bench", "http",
		"--seconds", "0.05", "--rounds", "1", "--rate", "40", "--callers", "2", "--work", "transition,get",
		"--accounts", "2", "--pickups", "100", "--compare", other.URL, "--tenant", "t", "--token", "t")
	if code != 1 {
		t.Errorf("exit code %d: %s%s", code, out, errors)
	}
	failed, measured := -1, -1
	for i, line := range strings.Split(out, "\n") {
		switch {
		case strings.HasPrefix(line, "transition") && strings.Contains(line, "failed: ") &&
			strings.Contains(line, "503 Service Unavailable"):
			failed = i
		case strings.HasPrefix(line, "get") && !strings.Contains(line, "failed"):
			measured = i
		}
	}
	if failed < 0 || measured != failed+1 {
		t.Errorf("%s%s", out, errors)
	}
}

// Each operation is for its own tenant, whichever process it reaches, and the mix has its proportions.
func TestHTTPBenchSpreadsWorkAmongTenantsAndProcesses(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL}, "bench", "http", "--json",
		"--seconds", "0.5", "--rounds", "1", "--rate", "1000", "--callers", "4", "--work", "submit,mix",
		"--accounts", "2", "--pickups", "100", "--tenants", "3", "--processes", "2")
	if code != 0 || strings.Count(out, "\n") != 2 {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	for line := range strings.Lines(out) {
		has(t, line, `"tenants":3`, `"processes":2`, `"unexpected":0`, `"one_by_one_per_second":null`)
	}
	type share struct{ Submits, Cancels, Charges int }
	rows, err := d.Owner().Query(t.Context(), `SELECT
			(SELECT count(*) FROM pickup_events AS e WHERE e.tenant_id = t.id AND e.transition = 'submit') AS submits,
			(SELECT count(*) FROM pickup_events AS e WHERE e.tenant_id = t.id AND e.transition = 'cancel') AS cancels,
			(
				SELECT count(*) FROM ledger_entries AS l
				WHERE l.tenant_id = t.id AND l.kind = 'charge' AND l.pickup_id IS NULL
			) AS charges
		FROM tenants AS t
		ORDER BY charges DESC`)
	if err != nil {
		t.Fatal(err)
	}
	shares, err := pgx.CollectRows(rows, pgx.RowToStructByName[share])
	if err != nil || len(shares) != 3 {
		t.Fatalf("%+v, %v", shares, err)
	}
	for _, s := range shares {
		// In turn: no tenant has many more than another.
		if s.Submits < shares[0].Submits-9 || s.Submits > shares[0].Submits+9 || s.Cancels < s.Charges ||
			s.Charges == 0 {
			t.Errorf("%+v of %+v", s, shares)
		}
	}
	if shares[0].Charges < 2*shares[2].Charges {
		t.Errorf("no skew: %+v", shares)
	}
}
