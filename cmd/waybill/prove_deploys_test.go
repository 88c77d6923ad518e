package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"waybill/cmd/waybill/prove"
	"waybill/db/dbtest"
)

// Two servers behind haproxy are restarted under load, and two processes of workers: nothing fails. Servers that do
// not drain fail requests.
func TestDeploysFailNoRequest(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "servers that drain for seconds")
	if _, err := exec.LookPath("haproxy"); err != nil && os.Getenv("CI") == "" {
		if _, err := os.Stat("/usr/sbin/haproxy"); err != nil {
			t.Skip("haproxy is not installed; .ci/run installs it")
		}
	}
	code, out, errors := ended(t, "", nil, "prove", "deploys", "--json", "--restarts", "2", "--callers", "4",
		"--drain", "4s")
	var faults []prove.Fault
	for line := range strings.Lines(out) {
		var f prove.Fault
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !f.Held() || f.Acknowledged == 0 {
			t.Errorf("it did not hold: %s", line)
		}
		faults = append(faults, f)
	}
	if code != 0 || len(faults) != 3 || faults[0].Control || !faults[1].Control || faults[2].Control {
		t.Errorf("exit code %d: %s%s", code, out, errors)
	}
}
