// Package baseline suppresses known findings, so that an existing project can adopt sqlguard: findings
// listed in a file are not reported, new ones are.
package baseline

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/rules"
)

const header = "# Findings that existed when sqlguard was adopted. Remove lines, never add any.\n"

// line identifies a finding in a baseline file. It contains no position, so that it stays valid when
// queries move; a finding that occurs twice has two lines.
func line(f rules.Finding) string {
	return fmt.Sprintf("%s\t%s\t%s\t%s", f.Rule.ID, f.Query.File.Name, f.Query.Name, f.Table)
}

// Write writes the findings to a baseline file.
func Write(path string, found []rules.Finding) error {
	var lines []string
	for _, f := range found {
		lines = append(lines, line(f)+"\n")
	}
	slices.Sort(lines)
	return os.WriteFile(path, []byte(header+strings.Join(lines, "")), 0o644)
}

// Apply removes the findings that the file lists. It returns the remaining findings, and the lines of
// the file that match no finding any more.
func Apply(path string, found []rules.Finding) (left []rules.Finding, gone []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	known := map[string]int{}
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimRight(l, "\r\n"); l != "" && !strings.HasPrefix(l, "#") {
			known[l]++
		}
	}
	for _, f := range found {
		if known[line(f)] > 0 {
			known[line(f)]--
			continue
		}
		left = append(left, f)
	}
	for l, n := range known {
		for range n {
			gone = append(gone, l)
		}
	}
	slices.Sort(gone)
	return left, gone, nil
}
