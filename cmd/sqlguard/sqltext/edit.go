package sqltext

import (
	"cmp"
	"slices"
	"strings"
)

// Edit replaces text[Start:End].
type Edit struct {
	Start, End int
	Text       string
}

// Apply applies the edits, which must not overlap; several at one offset are applied in order.
func Apply(text string, edits []Edit) string {
	var out strings.Builder
	at := 0
	for _, e := range slices.SortedStableFunc(slices.Values(edits), byStart) {
		out.WriteString(text[at:e.Start])
		out.WriteString(e.Text)
		at = e.End
	}
	return out.String() + text[at:]
}

func byStart(a, b Edit) int { return cmp.Compare(a.Start, b.Start) }
