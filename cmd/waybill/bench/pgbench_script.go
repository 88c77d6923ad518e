package bench

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"waybill/sql"
)

// scripts are pgbench's, one for each workload. A line "\run Name" stands for the query of that name in
// sql/queries; the lines after it set its parameters, as SQL with pgbench variables.
//
//go:embed pgbench/*.sql
var scripts embed.FS

// scalars are the scripts with statements that change one row, written by hand: what the project's own
// statements, which take arrays, are compared with. They have the same effects, at the same guards.
//
//go:embed scalar/*.sql
var scalars embed.FS

// scalarScript returns the script with the scalar statement of a workload, followed by end.
func scalarScript(name, end string) (string, error) {
	text, err := scalars.ReadFile("scalar/" + name + ".sql")
	return strings.TrimSuffix(strings.TrimSpace(string(text)), ";") + end + "\n", err
}

// hasScalar reports whether a workload has a scalar statement.
func hasScalar(name string) bool {
	_, err := fs.Stat(scalars, "scalar/"+name+".sql")
	return err == nil
}

// script generates a pgbench script from a file: the unchanged text of each query with its parameters
// replaced, followed by end.
func script(name, end string) (string, error) {
	text, err := scripts.ReadFile("pgbench/" + name + ".sql")
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var out strings.Builder
	for i := 0; i < len(lines); {
		query, runs := strings.CutPrefix(lines[i], `\run `)
		if i++; !runs {
			fmt.Fprintln(&out, lines[i-1])
			continue
		}
		parameters := map[string]string{}
		for ; i < len(lines) && !strings.HasPrefix(lines[i], `\`); i++ {
			name, value, _ := strings.Cut(lines[i], " = ")
			parameters[name] = value
		}
		statement, err := withParameters(query, parameters)
		if err != nil {
			return "", fmt.Errorf("pgbench/%s.sql: %w", name, err)
		}
		fmt.Fprintln(&out, statement+end)
	}
	return out.String(), nil
}

var (
	parameter = regexp.MustCompile(`@(\w+)`)
	embedded  = regexp.MustCompile(`sqlc\.embed\((\w+)\)`)
	variable  = regexp.MustCompile(`^:\w+$`)
)

// withParameters replaces the parameters of a query by values. Every parameter must have one.
func withParameters(name string, values map[string]string) (string, error) {
	text, err := query(name)
	if err != nil {
		return "", err
	}
	left := maps.Clone(values)
	text = parameter.ReplaceAllStringFunc(text, func(p string) string {
		value, given := values[p[1:]]
		if !given {
			err = fmt.Errorf("%s has the parameter %s", name, p)
		}
		delete(left, p[1:])
		if variable.MatchString(value) {
			return value
		}
		return "(" + value + ")"
	})
	if unknown := slices.Sorted(maps.Keys(left)); err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%s has no parameter %s", name, strings.Join(unknown, ", "))
	}
	return text, err
}

// query returns the text of a query in sql/queries, as sqlc executes it.
func query(name string) (string, error) {
	files, err := sql.Queries.ReadDir("queries")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := sql.Queries.ReadFile("queries/" + f.Name())
		if err != nil {
			return "", err
		}
		_, found, ok := strings.Cut(string(text), "\n-- name: "+name+" ")
		if !ok {
			continue
		}
		_, found, _ = strings.Cut(found, "\n") // the rest of the line with its name
		found, _, _ = strings.Cut(found, ";\n")
		return embedded.ReplaceAllString(found, "$1.*"), nil
	}
	return "", fmt.Errorf("there is no query %s", name)
}
