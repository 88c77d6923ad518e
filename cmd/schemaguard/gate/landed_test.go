package gate_test

import (
	"os/exec"
	"strings"
	"testing"

	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/tree"
)

// CI judges this repository against what landed last, whole.
func TestThisRepositorySaysWhatLandedLast(t *testing.T) {
	t.Parallel()
	s, err := settings.Read("../waybill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shallow, err := exec.Command("git", "rev-parse", "--is-shallow-repository").Output()
	if err != nil || strings.TrimSpace(string(shallow)) == "true" {
		t.Skip("this clone does not have the history")
	}
	if _, err := tree.FindBase(t.Context(), s.Root, tree.Wanted{Landed: s.Landed, CI: true}); err != nil ||
		s.Landed == "" {
		t.Errorf("%q: %v", s.Landed, err)
	}
}
