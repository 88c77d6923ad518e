package localpg

import (
	"os/exec"
	"testing"
)

func inShell(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("/bin/sh", "-c", line).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

func TestShellQuotes(t *testing.T) {
	t.Parallel()
	words := []string{"/plain/path", "two words", "it's", "$HOME", ""}
	line := shell(append([]string{"printf", "<%s>"}, words...)...)
	out, err := exec.Command("/bin/sh", "-c", line).Output()
	if want := "</plain/path><two words><it's><$HOME><>"; err != nil || string(out) != want {
		t.Errorf("%s printed %q, want %q (%v)", line, out, want, err)
	}
}
