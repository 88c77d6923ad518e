package finding

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"waybill/cmd/sqlguard/sqltext"
)

// Waiver allows the findings of one rule for a reason, until a day:
//
//	-- gate:allow RULE [OBJECT] until 2027-03-31: reason
//
// It stands in the file of the finding, or in the project's file of waivers. With an object it allows the
// findings about that object alone; without one, those of the statement below it.
type Waiver struct {
	Rule, Object string
	Until        time.Time
	Reason       string
	File         string
	Line         int
	First, Last  int  // the lines of the file that it is about; 0, 0 for those of any file
	Merged       bool // its file is merged: nobody can remove it
	used         bool // it allowed something
}

var (
	waives = regexp.MustCompile(`(?s)^\s*gate:allow\b(.*)`)
	parts  = regexp.MustCompile(`(?s)^\s+([a-z0-9-]+)(?:\s+(\S+))?\s+until\s+(\d{4}-\d\d-\d\d)\s*:(.*)$`)
)

// BadWaiver is the rule of the waivers themselves.
var BadWaiver = Rule{
	Name: "bad-waiver",
	Load: "what the waiver covers is not looked at again by anybody",
	Safe: "-- gate:allow RULE [OBJECT] until YYYY-MM-DD: why this is safe here, in a sentence with its facts",
}

// furthest is how long a waiver can be good for: it is to be thought of again.
const furthest = 2 * 366 * 24 * time.Hour

// Waivers reads the waivers among a file's comments. Adjacent lines of comment are one comment. ends returns
// the last line of the statement that begins at or after a line.
func Waivers(file, text string, today time.Time, ends func(line int) int) (all []*Waiver, bad []Finding) {
	lines := sqltext.NewLines(text)
	for _, c := range joined(text) {
		m := waives.FindStringSubmatch(c.text)
		if m == nil {
			continue
		}
		line, _ := lines.Position(c.start)
		w, why := readWaiver(m[1], today)
		if why != "" {
			bad = append(bad, BadWaiver.At(file, line, w.Rule, why))
			continue
		}
		w.File, w.Line, w.First = file, line, line
		w.Last = ends(line)
		all = append(all, &w)
	}
	return all, bad
}

type comment struct {
	start int
	text  string
}

// joined returns the comments, of which each begins at a "gate:allow" or goes on with the line before.
func joined(text string) (all []comment) {
	end := -1
	for _, s := range sqltext.Comments(text) {
		content := strings.TrimSuffix(strings.TrimLeft(text[s.Start:s.End], "-/* \t"), "*/")
		next := end >= 0 && strings.TrimSpace(text[end:s.Start]) == "" && strings.Count(text[end:s.Start], "\n") == 1
		if next && !strings.HasPrefix(content, "gate:") && !strings.HasPrefix(content, "+goose") {
			all[len(all)-1].text += "\n" + content
		} else {
			all = append(all, comment{s.Start, content})
		}
		end = s.End
	}
	return all
}

// readWaiver reads what follows "gate:allow", and returns what is wrong with it.
func readWaiver(text string, today time.Time) (w Waiver, why string) {
	m := parts.FindStringSubmatch(text)
	if m == nil {
		return w, "a waiver names its rule, its last day and its reason"
	}
	w.Rule, w.Object, w.Reason = m[1], m[2], strings.Join(strings.Fields(m[4]), " ")
	until, err := time.Parse(time.DateOnly, m[3])
	w.Until = until
	switch {
	case err != nil:
		return w, fmt.Sprintf("there is no day %s", m[3])
	case until.Before(today.Truncate(24 * time.Hour)):
		return w, fmt.Sprintf("the waiver of %s ended on %s", w.Rule, m[3])
	case until.After(today.Add(furthest)):
		return w, fmt.Sprintf("the waiver of %s has no end that anybody here will see (%s)", w.Rule, m[3])
	}
	if why := Hollow(w.Reason); why != "" {
		return w, fmt.Sprintf("the reason of the waiver of %s says nothing: %s", w.Rule, why)
	}
	return w, ""
}

// Allow removes the findings that the waivers allow, and, if all rules have been asked, adds one for each
// waiver that allows nothing.
func Allow(all []Finding, waivers []*Waiver, complete bool) (left []Finding) {
	for _, f := range all {
		if !allowed(f, waivers) {
			left = append(left, f)
		}
	}
	for _, w := range waivers {
		if complete && !w.used && !w.Merged {
			left = append(left, BadWaiver.At(w.File, w.Line, w.Rule, fmt.Sprintf(
				"the waiver of %s allows nothing: the rule finds nothing here; remove it, or it hides the next mistake",
				w.Rule)))
		}
	}
	return left
}

func allowed(f Finding, waivers []*Waiver) (yes bool) {
	for _, w := range waivers {
		here := w.Last == 0 || f.File == w.File && f.Line >= w.First && f.Line <= w.Last
		if f.Rule != w.Rule || w.Object != "" && w.Object != f.Object || w.Object == "" && w.Last == 0 ||
			w.Object == "" && !here || w.Object != "" && w.Last != 0 && f.File != w.File {
			continue
		}
		w.used, yes = true, true
	}
	return yes
}
