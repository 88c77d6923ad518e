package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"waybill/cmd/waybill/prove"
	"waybill/db/dbtest"
)

// Callers of the program are answered well, until something is done to the schema that the program cannot bear.
func TestCallersNoticeWhatIsDoneToTheSchema(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "another process")
	d := dbtest.New(t)
	in, lines := io.Pipe()
	p := startWith(t, in, []string{"DATABASE_URL=" + d.AppURL, "OWNER_DATABASE_URL=" + d.OwnerURL},
		"prove", "callers", "--callers", "3", "--pause", "1ms")
	said := func(n int) []string {
		eventually(t, "the callers answer", func() bool {
			select {
			case <-p.done:
				t.Fatal("the callers have ended")
			default:
			}
			return strings.Count(p.out.String(), "\n") >= n
		})
		return strings.Split(strings.TrimSpace(p.out.String()), "\n")
	}
	if got := said(1); got[0] != "calling" {
		t.Fatalf("said %v", got)
	}
	lap := func(n int) (a prove.Answers) {
		if _, err := io.WriteString(lines, "\n"); err != nil {
			t.Fatal(err)
		}
		line := said(n)[n-1]
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		return a
	}
	before := lap(2)
	for status := range before.Answers {
		if !slices.Contains([]int{200, 201}, status) {
			t.Errorf("nothing was done, and the answers are %v (%v)", before.Answers, before.Failed)
		}
	}
	// Of the round that had begun, part was told before.
	if before.Answers[200] < 3*readsPerRound || before.Answers[201] < 3*createsPerRound {
		t.Errorf("a whole round of three callers is %v", before.Answers)
	}
	const rename = "ALTER TABLE patients RENAME COLUMN given_name TO first_name"
	if _, err := d.Owner().Exec(t.Context(), rename); err != nil {
		t.Fatal(err)
	}
	after := lap(3)
	if after.Answers[500] < 3 || after.Answers[200] == 0 {
		t.Errorf("a column was renamed, and the answers are %v", after.Answers)
	}
	for operation := range after.Failed {
		if !strings.HasPrefix(operation, "500 ") || !strings.Contains(operation, "/v1/") {
			t.Errorf("failed: %s", operation)
		}
	}
	lines.Close()
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A caller makes that many creates in a round, and more reads.
const createsPerRound, readsPerRound = 4, 8

func TestCallersNeedADatabase(t *testing.T) {
	t.Parallel()
	code, _, errors := ended(t, "", nil, "prove", "callers")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, errors, "OWNER_DATABASE_URL")
}
