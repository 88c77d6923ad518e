package sqltext

import (
	"strconv"
	"strings"
)

// Params maps the number of a placeholder to the parameter's name.
type Params map[int]string

// Number replaces each @name by $n, so that PostgreSQL's grammar reads a parameter and not the prefix
// operator @ before a column. Byte offsets stay the same: @kennel_id becomes "$1000 ".
func Number(text string) (string, Params) {
	if !strings.Contains(text, "@") {
		return text, nil
	}
	n := numbering{numbers: map[string]int{}, names: Params{}, wide: 1000, narrow: 10}
	var out strings.Builder
	at := 0
	for t := range Tokens(text) {
		sign, ok := paramSign(text, t)
		if !ok {
			continue
		}
		end := sign + 1 + span(text[sign+1:], isIdent)
		out.WriteString(text[at:sign])
		out.WriteString(n.param(text[sign+1:end], end-sign))
		at = end
	}
	out.WriteString(text[at:])
	return out.String(), n.names
}

// paramSign finds the @ of a parameter: alone, or directly after a comparison operator (where sqlc
// would miss the parameter).
func paramSign(text string, t Token) (int, bool) {
	if t.Kind != Operator || t.End >= len(text) || !isIdentStart(text[t.End]) {
		return 0, false
	}
	switch text[t.Start:t.End] {
	case "@", "=@", "<=@", ">=@", "<>@", "!=@":
		return t.End - 1, true
	}
	return 0, false
}

type numbering struct {
	numbers      map[string]int
	names        Params
	wide, narrow int
}

// param returns the placeholder of a name, padded to width. A one-letter name has room for one digit
// only.
func (n *numbering) param(name string, width int) string {
	number, ok := n.numbers[name]
	if !ok {
		number = n.next(width)
		n.numbers[name] = number
		n.names[number] = name
	}
	s := "$" + strconv.Itoa(number)
	if len(s) > width {
		s = s[:width]
	}
	return s + strings.Repeat(" ", width-len(s))
}

func (n *numbering) next(width int) int {
	switch {
	case width > 4:
		n.wide++
		return n.wide
	case width > 2:
		n.narrow++
		return n.narrow
	}
	return len(n.names) % 10
}
