package gate

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"waybill/cmd/schemaguard/finding"
)

// shownAlike is how many findings of one group people are shown.
const shownAlike = 3

// group has findings that are alike. What refuses is alike only where its rule says so, by a kind: each other has a
// line to be mended. Notes of one rule are.
type group []finding.Finding

// groups puts findings that are alike together: notes first, in the order of their rules, then what refuses.
func groups(all []finding.Finding) (groups []group) {
	at := map[string]int{}
	for _, f := range all {
		key := fmt.Sprint(f.Rule, " ", f.Kind, " ", f.Note)
		i, known := at[key]
		if !known || !f.Note && f.Kind == "" {
			i, at[key] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		if a[0].Note != b[0].Note {
			return map[bool]int{true: -1, false: 1}[a[0].Note]
		}
		if !a[0].Note {
			return 0 // in the order of the files
		}
		return cmp.Or(cmp.Compare(a[0].Rule, b[0].Rule), cmp.Compare(len(b), len(a)))
	})
	return groups
}

// examples returns findings of the group, each of another line, and how many of the group its line has.
func (g group) examples() (shown group, here []int) {
	type place struct {
		file string
		line int
	}
	at := map[place]int{}
	for _, f := range g {
		p := place{f.File, f.Line}
		i, known := at[p]
		switch {
		case known:
			here[i]++
		case len(shown) < shownAlike:
			at[p] = len(shown)
			shown, here = append(shown, f), append(here, 1)
		}
	}
	return shown, here
}

// print prints some findings of the group, or all of them, with what holds for several once. It returns how many it
// leaves out.
func (g group) print(out io.Writer, all bool) (left int) {
	first := g[0]
	if len(g) == 1 {
		kind := "refused"
		if first.Note {
			kind = "note"
		}
		fmt.Fprintf(out, "\n%s:%d: %s (%s)\n  %s\n", first.File, first.Line, first.Rule, kind, first.Message)
		explain(out, first)
		return 0
	}
	kind := fmt.Sprintf("%d refused", len(g))
	if first.Note {
		kind = count(len(g), "note")
	}
	if first.Kind != "" {
		kind += ": " + first.Kind
	}
	fmt.Fprintf(out, "\n%s (%s)\n", first.Rule, kind)
	shown, here := g.examples()
	if all {
		shown, here = g, slices.Repeat([]int{1}, len(g))
	}
	for i, f := range shown {
		more := ""
		if here[i] > 1 {
			more = fmt.Sprintf(" (and %d more on this line)", here[i]-1)
		}
		fmt.Fprintf(out, "  %s:%d: %s%s\n", f.File, f.Line, f.Message, more)
		if last := i == len(shown)-1; last || shown[i+1].Load != f.Load || shown[i+1].Safe != f.Safe {
			explain(out, f)
		}
		left += here[i]
	}
	if left = len(g) - left; left > 0 {
		fmt.Fprintf(out, "  and %d more on other lines\n", left)
	}
	return len(g) - len(shown)
}

// explain says what happens under load, and what to write instead, if the finding does.
func explain(out io.Writer, f finding.Finding) {
	if f.Load != "" {
		fmt.Fprintf(out, "  under load: %s\n", f.Load)
	}
	if f.Safe != "" {
		fmt.Fprintf(out, "  instead:    %s\n", f.Safe)
	}
}
