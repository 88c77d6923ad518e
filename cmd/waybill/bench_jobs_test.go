package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/cmd/waybill/bench"
	"waybill/db/dbtest"
)

func TestBenchJobsPrintsOneLine(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "what a benchmark prints")
	d := dbtest.New(t) // it takes jobs that must not be worked
	env := []string{"DATABASE_URL=" + d.OwnerURL}
	args := []string{"bench", "jobs", "--json", "--duration", "10ms", "--callers", "4", "--warm", "100", "--set",
		"20", "--backlog", "200", "--workers", "20", "--starts", "3"}
	code, out, errors := ended(t, "", env, args...)
	type rate struct {
		How       string
		PerSecond float64 `json:"per_second"`
	}
	var r struct {
		Benchmark string
		Enqueued  []rate          `json:"enqueued_per_second"`
		Worked    []rate          `json:"worked_per_second"`
		Starts    []bench.Summary `json:"commit_to_start"`
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || strings.Count(out, "\n") != 1 ||
		errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	if r.Benchmark != "jobs" || len(r.Enqueued) != 6 || len(r.Worked) != 3 || len(r.Starts) != 2 {
		t.Errorf("%s", out)
	}
	for _, rate := range append(r.Enqueued, r.Worked...) {
		if rate.PerSecond <= 0 {
			t.Errorf("%s: %v", rate.How, rate.PerSecond)
		}
	}
	// The benchmark must not mark these jobs as sent.
	w := newFixture(t)
	w.submit(t, w.inProcess(t).URL)
	if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + w.db.OwnerURL}, args...); code != 1 ||
		!strings.Contains(errors, "use another one") {
		t.Errorf("with a pending job: %d %s", code, errors)
	}
}

func TestSoakPrintsWhatPilesUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		"bench", "jobs-soak", "--json", "--duration", "1s", "--rate", "100", "--spike-rate", "200", "--spike", "100ms",
		"--set", "10", "--every", "500ms", "--workers", "8", "--warm", "100")
	var r struct {
		Enqueued, Sent int
		Samples        []struct {
			Start bench.Summary `json:"commit_to_start"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	started := 0
	for _, sample := range r.Samples {
		started += sample.Start.Count
	}
	if r.Enqueued < 10 || r.Sent != r.Enqueued || len(r.Samples) < 2 || started == 0 {
		t.Errorf("%s", out)
	}
}
