package main

import (
	"encoding/json"
	"testing"

	"waybill/db/dbtest"
)

// The worker of a backfill is killed (SIGKILL) at any moment, and the next one goes on: every row is done once.
func TestABackfillWhoseProcessIsKilledDoesEveryRowOnce(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "processes")
	d := dbtest.New(t)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL}, "bench", "backfill", "--json",
		"--rows", "20000", "--rate", "20", "--window", "2s", "--kills", "2")
	var r struct {
		Rows, Batches, Kills int
		Ratio                float64 `json:"p99_ratio"`
		Overall              float64 `json:"p99_ratio_overall"`
		Once                 int     `json:"rows_done_once"`
		Recorded             int     `json:"rows_recorded"`
		Failed               int     `json:"failed_requests"`
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	if r.Once != 20_000 || r.Recorded != 20_000 || r.Batches < 3 || r.Kills != 2 || r.Failed > 0 || r.Overall <= 0 {
		t.Errorf("%s", out)
	}
}

func TestJobsBackfillsListsStopsAndResumes(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.AppURL},
			append([]string{"jobs", "backfills"}, args...)...)
		if code != want {
			t.Errorf("%v: exit code %d: %s", args, code, errors)
		}
		return out + errors
	}
	has(t, run(0), "no backfills")
	if _, err := d.Owner().Exec(t.Context(),
		"INSERT INTO backfills (name, table_name, held) VALUES ('colours', 'pickups', 'a replica lags')"); err != nil {
		t.Fatal(err)
	}
	has(t, run(0), "colours", "pickups", "RUNNING", "a replica lags")
	has(t, run(0, "stop", "colours"), "backfill colours: stopped")
	has(t, run(0), "STOPPED")
	has(t, run(1, "stop", "colours"), "there is no such backfill")
	has(t, run(0, "resume", "colours"), "resumed")
	has(t, run(1, "resume", "others"), "there is no such backfill")
	has(t, run(1, "stop"), "stop NAME")
	has(t, run(1, "forget", "colours"), "stop NAME")
}
