package bench

import (
	"fmt"
	"os"
)

// statusLine is a line of standard error that is written over, where that is a terminal:
// elsewhere nothing is shown.
type statusLine struct{ on, shown bool }

// newStatusLine is silent where only JSON is wanted.
func (e *Env) newStatusLine() *statusLine {
	info, err := os.Stderr.Stat()
	return &statusLine{on: !e.json && err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (p *statusLine) show(format string, args ...any) {
	if p.on {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
		p.shown = true
	}
}

// clear makes room for what is printed.
func (p *statusLine) clear() {
	if p.shown {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
		p.shown = false
	}
}
