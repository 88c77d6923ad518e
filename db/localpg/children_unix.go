//go:build unix && !linux

package localpg

import (
	"bytes"
	"fmt"
	"os/exec"
)

// childrenOf returns the pids of a process's children.
func childrenOf(parent int) ([]int, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range bytes.Lines(out) {
		var pid, of int
		if _, err := fmt.Sscan(string(line), &pid, &of); err == nil && of == parent {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// gone reports whether a process has ended.
func gone(pid int) bool { return !alive(pid) }
