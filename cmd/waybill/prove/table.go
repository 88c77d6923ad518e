package prove

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns of the table, with their widths.
var columns = []struct {
	title string
	width int
	cell  func(Result) string
}{
	{"claim", 42, func(r Result) string { return r.Claim }},
	{"attempt", 42, func(r Result) string { return r.Attempt }},
	{"result", 46, result},
}

func result(r Result) string {
	answer := "yes"
	if !r.Held {
		answer = "NO"
	}
	return fmt.Sprintf("%s: %s (%s, %.1f s)", answer, r.Figure, r.Story, r.Took)
}

// Head writes the header of the table.
func Head(out io.Writer) {
	var titles, rules []string
	for _, c := range columns {
		titles = append(titles, pad(strings.ToUpper(c.title), c.width))
		rules = append(rules, strings.Repeat("-", c.width))
	}
	fmt.Fprintln(out, strings.TrimRight(strings.Join(titles, "  "), " "))
	fmt.Fprintln(out, strings.Join(rules, "  "))
}

// Line writes a result as a row of the table, wrapped over as many lines as necessary.
func (r Result) Line(out io.Writer) {
	var cells [][]string
	height := 0
	for _, c := range columns {
		cells = append(cells, wrap(c.cell(r), c.width))
		height = max(height, len(cells[len(cells)-1]))
	}
	for i := range height {
		var parts []string
		for j, c := range columns {
			text := ""
			if i < len(cells[j]) {
				text = cells[j][i]
			}
			parts = append(parts, pad(text, c.width))
		}
		fmt.Fprintln(out, strings.TrimRight(strings.Join(parts, "  "), " "))
	}
	fmt.Fprintln(out)
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// wrap breaks a text between words.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
