package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/db/dbtest"
)

// crowdSide is the effect on the other tenant.
type crowdSide struct {
	Requests, Submits struct{ Count int }
	Logins            *struct{ Count int }
	Late              struct{ Count int } `json:"events_late"`
	Missed            int                 `json:"events_missed"`
	Refused           int
	First             string `json:"first_refused"`
}

// crowdLine is the printed result of a phase.
type crowdLine struct {
	Benchmark, Phase string
	Alone, Beside    crowdSide
	Crowd            map[string]int
	Waiting          int
}

// smallCrowd is of a size that a busy machine can bear.
func smallCrowd(more ...string) []string {
	return append([]string{
		"bench", "crowd", "--json", "--duration", "300ms", "--rate", "20", "--events", "10", "--bcrypt-cost", "4",
		"--guessers", "4", "--streams", "16", "--feeds", "4", "--lists", "16", "--batches",
		"4", "--batch-items", "20", "--records", "200",
	}, more...)
}

func crowdLines(t *testing.T, out string) (lines []crowdLine) {
	t.Helper()
	for text := range strings.Lines(out) {
		var line crowdLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, line)
	}
	return lines
}

// Whatever one caller or one tenant requests, another tenant has no request refused and no event lost.
func TestNoCrowdCostsAnotherTenantARefusal(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		smallCrowd("--serve", "--acquire-timeout=2s")...)
	if code != 0 || errors != "" {
		t.Errorf("exit code %d: %s%s", code, out, errors)
	}
	// The statuses that the crowd may get, and the status that it must get for exceeding its share.
	want := map[string]struct{ may, must string }{
		"guesses":   {"401 429 503", "429"},
		"streams":   {"200 429", "429"},
		"feeds":     {"429", "429"},
		"lists":     {"200 429 503", "200"},
		"batches":   {"201 429 503", "201"},
		"long-feed": {"200", "200"},
	}
	lines := crowdLines(t, out)
	for _, l := range lines {
		for _, side := range []crowdSide{l.Alone, l.Beside} {
			if side.Refused != 0 || side.Missed != 0 || side.Requests.Count < 6 || side.Submits.Count < 3 ||
				side.Late.Count != side.Submits.Count {
				t.Errorf("%s: %+v", l.Phase, side)
			}
			if (side.Logins != nil) != (l.Phase == "guesses") || side.Logins != nil && side.Logins.Count < 2 {
				t.Errorf("%s: %+v log in", l.Phase, side.Logins)
			}
		}
		for status := range l.Crowd {
			if !strings.Contains(want[l.Phase].may, status) {
				t.Errorf("%s: the crowd got %v", l.Phase, l.Crowd)
			}
		}
		if l.Crowd[want[l.Phase].must] == 0 {
			t.Errorf("%s: the crowd got %v", l.Phase, l.Crowd)
		}
		switch {
		case l.Phase == "streams" && l.Crowd["200"] < 8:
			t.Errorf("a user has streams: %v", l.Crowd)
		case l.Phase == "feeds" && l.Waiting < 2:
			t.Errorf("a user has %d feeds", l.Waiting) // a feed being refused may be counted
		}
		delete(want, l.Phase)
	}
	if len(want) > 0 {
		t.Errorf("the report lacks %v", want)
	}
}

// A server that leaves the others nothing does not pass.
func TestCrowdBenchFailsWhereAnotherTenantIsRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		smallCrowd("--phase", "streams", "--serve", "--streams=8 --acquire-timeout=2s --streams-per-tenant=8")...)
	lines := crowdLines(t, out)
	if code != 1 || len(lines) != 1 || lines[0].Beside.Refused == 0 || lines[0].Alone.Refused != 0 {
		t.Errorf("exit code %d: %s%s", code, out, errors)
	}
	has(t, errors, "requests of the other tenant were refused")
}
