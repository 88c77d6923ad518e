package rules

import (
	"embed"
	"strings"
)

//go:embed pages/*.md
var pages embed.FS

// Page returns the documentation of a rule: the problem, the race, the solution.
func (r *Rule) Page() string {
	text, err := pages.ReadFile("pages/" + r.ID + ".md")
	if err != nil {
		return r.Summary + "\n"
	}
	return string(text)
}

// Block is a fenced code block of a page.
type Block struct {
	Kind string // "sql schema", "sql fails", "sql passes", "race lost", "race closed"
	Text string
}

// Blocks returns the fenced code blocks of a rule's page.
func (r *Rule) Blocks() []Block {
	var all []Block
	open := false
	for line := range strings.Lines(r.Page()) {
		fence, isFence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case isFence && !open:
			all, open = append(all, Block{Kind: fence}), true
		case isFence:
			open = false
		case open:
			all[len(all)-1].Text += line
		}
	}
	return all
}

// Block returns the text of the page's block of that kind.
func (r *Rule) Block(kind string) string {
	for _, b := range r.Blocks() {
		if b.Kind == kind {
			return b.Text
		}
	}
	return ""
}
