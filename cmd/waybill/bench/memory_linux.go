package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// forgetPeak has a process's peak begin anew with the memory that it has now.
func forgetPeak(pid int) { os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// peakOf is the most memory that a process had resident, in MiB; 0 if it is not known.
func peakOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return tidy(kib / 1024)
		}
	}
	return 0
}
