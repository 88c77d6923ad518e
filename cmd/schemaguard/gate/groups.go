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

// group has findings that are alike: notes of one rule, and of what refuses, what one rule says of one line, as of the
// statements that a migration breaks, or what the rule says is of one kind.
type group []finding.Finding

// groups puts findings that are alike together: notes first, in the order of their rules, then what refuses.
func groups(all []finding.Finding) (groups []group) {
	at := map[string]int{}
	for _, f := range all {
		key := fmt.Sprint(f.Rule, " ", f.Kind, " ", f.Note)
		if !f.Note && f.Kind == "" {
			key += fmt.Sprint(" ", f.File, ":", f.Line)
		}
		i, known := at[key]
		if !known {
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

// examples returns some findings of the group, of different lines where it has several.
func (g group) examples() group {
	type place struct {
		file string
		line int
	}
	of := map[place][]finding.Finding{}
	var places []place
	for _, f := range g {
		p := place{f.File, f.Line}
		if of[p] == nil {
			places = append(places, p)
		}
		of[p] = append(of[p], f)
	}
	var shown group
	for n := 0; len(shown) < min(shownAlike, len(g)); n++ {
		for _, p := range places {
			if n < len(of[p]) && len(shown) < shownAlike {
				shown = append(shown, of[p][n])
			}
		}
	}
	return shown
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
	shown := g
	if !all {
		shown = g.examples()
	}
	for i, f := range shown {
		fmt.Fprintf(out, "  %s:%d: %s\n", f.File, f.Line, f.Message)
		if last := i == len(shown)-1; last || shown[i+1].Load != f.Load || shown[i+1].Safe != f.Safe {
			explain(out, f)
		}
	}
	if left = len(g) - len(shown); left > 0 {
		fmt.Fprintf(out, "  and %d more\n", left)
	}
	return left
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
