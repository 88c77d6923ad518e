package races

import (
	"fmt"
	"regexp"
	"strconv"

	"waybill/cmd/sqlguard/sqltext"
)

var (
	macro = regexp.MustCompile(`sqlc\.n?arg\(\s*'?(\w+)'?\s*\)`)
	embed = regexp.MustCompile(`sqlc\.embed\(\s*("?\w+"?)\s*\)`)
)

// Bind translates sqlc's parameters into $1, $2, … and returns their names in that order. A parameter
// that is already numbered has its number for a name.
func Bind(query string) (sql string, names []string) {
	query = embed.ReplaceAllString(macro.ReplaceAllString(query, "@$1"), "$1.*")
	text, params := sqltext.Number(query)
	if len(params) == 0 {
		return query, counted(query)
	}
	number := map[string]int{}
	sql = placeholder.ReplaceAllStringFunc(text, func(p string) string {
		i, _ := strconv.Atoi(p[1:])
		name, ok := params[i]
		if !ok { // mixed with named parameters
			name = p[1:]
		}
		if number[name] == 0 {
			names = append(names, name)
			number[name] = len(names)
		}
		return "$" + strconv.Itoa(number[name])
	})
	return sql, names
}

var placeholder = regexp.MustCompile(`\$[0-9]+`)

func counted(query string) []string {
	most := 0
	for _, p := range placeholder.FindAllString(query, -1) {
		n, _ := strconv.Atoi(p[1:])
		most = max(most, n)
	}
	var names []string
	for i := range most {
		names = append(names, strconv.Itoa(i+1))
	}
	return names
}

// Statement is a query with its arguments by name.
type Statement struct {
	Query string
	Args  map[string]any
	Then  string // a query that returns one text, run between the first statement of a duel and the second
}

// bound returns the SQL and its arguments in order.
func (s Statement) bound() (string, []any, error) {
	sql, names := Bind(s.Query)
	var args []any
	for _, name := range names {
		value, ok := s.Args[name]
		if !ok {
			return "", nil, fmt.Errorf("no value for the parameter %s", name)
		}
		args = append(args, value)
	}
	return sql, args, nil
}
