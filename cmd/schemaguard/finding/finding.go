// Package finding has what the rules of schemaguard find, and the waivers that allow it.
package finding

import (
	"cmp"
	"slices"
)

// Rule is a rule of the gate: its name, and what holds for every finding of it.
type Rule struct {
	Name string
	Load string // what would happen under load, or in production
	Safe string // the safe way to write it
}

// Finding is one mistake of a change, or, as a note, something that its author must know.
type Finding struct {
	Rule    string `json:"rule"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"` // the reason
	Load    string `json:"under_load,omitempty"`
	Safe    string `json:"instead,omitempty"`
	Note    bool   `json:"note,omitempty"` // told, not refused
	Kind    string `json:"kind,omitempty"` // of many findings of the rule, which are alike; people are shown some

	Object string `json:"object,omitempty"` // the table, constraint, index or query; a waiver may name it
}

// At returns a finding of the rule.
func (r Rule) At(file string, line int, object, message string) Finding {
	return Finding{Rule: r.Name, File: file, Line: line, Message: message, Load: r.Load, Safe: r.Safe, Object: object}
}

// Told returns f as a note.
func (f Finding) Told() Finding {
	f.Note = true
	return f
}

// Of returns f as one of a kind.
func (f Finding) Of(kind string) Finding {
	f.Kind = kind
	return f
}

// Sort orders findings by file, line and rule, and removes repetitions.
func Sort(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(all)
}

// Refused reports whether one of the findings is more than a note.
func Refused(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return !f.Note })
}
