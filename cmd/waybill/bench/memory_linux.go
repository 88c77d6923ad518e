package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// forgetPeak resets a process's peak memory to its current memory.
func forgetPeak(pid int) { os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// peakOf returns the peak resident memory of a process in MiB; 0 if unknown.
func peakOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return roundSignificant(kib / 1024)
		}
	}
	return 0
}
