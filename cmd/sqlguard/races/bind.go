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

// Bind is a query as PostgreSQL takes it: sqlc's parameters become $1, $2 …, in the order
// of the names that it returns. A parameter that the query counts itself has its number
// for a name: "1", "2" ….
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
		if !ok { // beside names
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

// Statement is a query with the values of its parameters, by name.
type Statement struct {
	Query string
	Args  map[string]any
	Then  string // asked after the first statement of a duel, before the second begins; it gives one text
}

// bound gives the SQL and its arguments in their order.
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
