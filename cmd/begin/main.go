// Command begin writes the first lines of each file of a recipe of ARCHITECTURE.md:
//
//	go run ./cmd/begin column gate_code         # of pickups
//	go run ./cmd/begin transition return
//	go run ./cmd/begin noun vehicles
//
// What is left to do stands where it is to be done, after the word UNFINISHED: a test fails until none is
// left (TestNoRecipeIsUnfinished, in cmd/waybill).
package main

import (
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

//go:embed recipes/*.txt
var recipes embed.FS

func main() {
	if err := run(".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "begin:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: begin column NAME (of pickups) | transition NAME | noun NAME (in the plural)")

// run writes the recipe's lines into the repository at root. It writes all of them, or none.
func run(root string, args []string, out io.Writer) error {
	if len(args) != 2 {
		return errUsage
	}
	text, err := recipes.ReadFile("recipes/" + args[0] + ".txt")
	if err != nil {
		return errUsage
	}
	n, err := newNames(root, args[1])
	if err != nil {
		return err
	}
	steps, err := parse(string(text), n)
	if err != nil {
		return err
	}
	changed := map[string]string{}
	for _, s := range steps {
		if err := s.apply(root, changed); err != nil {
			return err
		}
	}
	for path, text := range changed {
		if filepath.Ext(path) == ".go" {
			formatted, err := format.Source([]byte(text)) // lines that were inserted are aligned with others
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			changed[path] = string(formatted)
		}
	}
	for path, text := range changed {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, s := range steps {
		fmt.Fprintf(out, "%-6s  %s\n", s.verb, s.path)
	}
	fmt.Fprintf(
		out, "\nNext: do what stands after the word UNFINISHED; \"task generate\" after the SQL, and again after "+
			"api/.\nThe document's examples: go test ./cmd/waybill -run TestExamples -update; "+
			"\"task generate\" again\nWhat is left: go test ./cmd/waybill -run TestNoRecipeIsUnfinished\n")
	return nil
}

// names are what the templates call the thing.
type names struct {
	Number   string // of the next migration
	Name     string // as given: gate_code, vehicles
	Type     string // of Go, in the singular: GateCode, Vehicle
	Types    string // in the plural: Vehicles
	Local    string // of a variable: gateCode, vehicle
	Singular string // vehicle
	Kebab    string // in the singular: delivery-van
	Kebabs   string

	Compatible string // from which migration on older programs may serve, as the others say: 00057

	migrations []file
}

// file is a migration that is there.
type file struct{ name, up string }

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func newNames(root, name string) (n names, err error) {
	if !nameForm.MatchString(name) {
		return n, fmt.Errorf("%q is no name in snake_case", name)
	}
	n = names{Name: name, Singular: singular(name), Types: camel(name), Type: camel(singular(name))}
	n.Local = strings.ToLower(n.Type[:1]) + n.Type[1:]
	n.Kebab, n.Kebabs = strings.ReplaceAll(n.Singular, "_", "-"), strings.ReplaceAll(name, "_", "-")
	if err := n.readMigrations(root); err != nil {
		return n, err
	}
	n.Number, err = nextMigration(root)
	return n, err
}

var compatible = regexp.MustCompile(`(?m)^-- \+waybill compatible_from: (\d{5})$`)

// readMigrations reads the parts of the migrations that go up, in their order.
func (n *names) readMigrations(root string) error {
	paths, err := filepath.Glob(filepath.Join(root, "sql/migrations/*.sql"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		n.migrations = append(n.migrations, file{filepath.Base(path), up})
		if from := compatible.FindStringSubmatch(up); from != nil {
			n.Compatible = max(n.Compatible, from[1])
		}
	}
	return nil
}

// Newest returns the name of the last migration that goes up by what matches the pattern.
func (n names) Newest(pattern string) (string, error) {
	what, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	for i := len(n.migrations) - 1; i >= 0; i-- {
		if what.MatchString(n.migrations[i].up) {
			return n.migrations[i].name, nil
		}
	}
	return "", fmt.Errorf("no migration has %s any more: the recipe is out of date", pattern)
}

// singular returns a regular noun in the singular, as sqlc calls a row of its table.
func singular(plural string) string {
	switch {
	case strings.HasSuffix(plural, "ies"):
		return strings.TrimSuffix(plural, "ies") + "y"
	case strings.HasSuffix(plural, "ses"), strings.HasSuffix(plural, "xes"), strings.HasSuffix(plural, "ches"):
		return strings.TrimSuffix(plural, "es")
	case strings.HasSuffix(plural, "s") && !strings.HasSuffix(plural, "ss"):
		return strings.TrimSuffix(plural, "s")
	}
	return plural
}

// camel returns a name as sqlc writes it in Go.
func camel(snake string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if word == "id" {
			out.WriteString("ID")
			continue
		}
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

func nextMigration(root string) (string, error) {
	paths, err := filepath.Glob(filepath.Join(root, "sql/migrations/*.sql"))
	if err != nil || len(paths) == 0 {
		return "", errors.New("no sql/migrations here: run it in the root of the repository")
	}
	digits, _, _ := strings.Cut(filepath.Base(paths[len(paths)-1]), "_") // Glob sorts
	last, err := strconv.Atoi(digits)
	return fmt.Sprintf("%05d", last+1), err
}

// step creates a file, or inserts lines into one.
type step struct {
	verb  string // create, after or before
	path  string
	where *regexp.Regexp // the line after the last of which, or before the first of which, they go
	text  string
}

// heads are the lines of a recipe that begin a step: "=== create PATH", "=== after PATH REGEXP".
var heads = regexp.MustCompile(`(?m)^=== (create|after|before) (\S+) ?(.*)\n`)

func parse(text string, n names) (steps []step, err error) {
	t, err := template.New("").Delims("<<", ">>").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var filled strings.Builder
	if err := t.Execute(&filled, n); err != nil {
		return nil, err
	}
	text = filled.String()
	all := heads.FindAllStringSubmatchIndex(text, -1)
	for i, at := range all {
		end := len(text)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		s := step{verb: text[at[2]:at[3]], path: text[at[4]:at[5]], text: text[at[1]:end]}
		if s.verb != "create" {
			if s.where, err = regexp.Compile(text[at[6]:at[7]]); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// apply makes the step in changed, the files that are to be written.
func (s step) apply(root string, changed map[string]string) error {
	text, ok := changed[s.path]
	if !ok {
		content, err := os.ReadFile(filepath.Join(root, s.path))
		switch {
		case s.verb == "create" && err == nil:
			return fmt.Errorf("%s is there already", s.path)
		case s.verb != "create" && err != nil:
			return err
		}
		text = string(content)
	}
	if s.verb == "create" {
		changed[s.path] = s.text
		return nil
	}
	lines, at := strings.SplitAfter(text, "\n"), -1
	for i, line := range lines {
		if s.where.MatchString(strings.TrimSuffix(line, "\n")) {
			at = i
			if s.verb == "before" {
				break
			}
		}
	}
	if at < 0 {
		return fmt.Errorf("%s has no line like %s any more: the recipe is out of date", s.path, s.where)
	}
	if s.verb == "after" {
		at++
	}
	changed[s.path] = strings.Join(lines[:at], "") + s.text + strings.Join(lines[at:], "")
	return nil
}
