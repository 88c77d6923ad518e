package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/report"
	"waybill/cmd/sqlguard/rules"
)

// command holds the parsed command line.
type command struct {
	out, problems io.Writer

	path          string
	format        string
	colour        string
	config        string
	baseline      string
	writeBaseline bool
	verdicts      bool
	version       bool
	proven        string // the query to prove
}

const usage = `usage: sqlguard [folder or sqlc.yaml] [flags]
       sqlguard prove QUERY [folder or sqlc.yaml] [flags]

Finds lost updates and other races between concurrent callers in the queries of
a sqlc project. Exit status 0: nothing found; 1: errors or warnings; 2: something
could not be read. prove runs the race of one query on a throwaway PostgreSQL,
without and with the suggested change.

`

// parseFlags parses the command line. It returns nil and an exit status when there is nothing left to
// do.
func parseFlags(args []string, out, problems io.Writer) (*command, int) {
	c := &command{out: out, problems: problems, path: "."}
	explain := ""
	set := flag.NewFlagSet("sqlguard", flag.ContinueOnError)
	set.SetOutput(problems)
	set.StringVar(&c.format, "format", "text", "text, json, sarif or github")
	set.StringVar(&c.colour, "color", "auto", "auto, always or never: colour in text")
	set.StringVar(&c.config, "config", "",
		"settings file (default: sqlguard.yaml next to sqlc.yaml, or in the given folder)")
	set.StringVar(&c.baseline, "baseline", "", "file of known findings, which are not reported")
	set.BoolVar(&c.writeBaseline, "write-baseline", false, "write the findings to the file of --baseline")
	set.BoolVar(&c.verdicts, "verdicts", false, "print the verdict of every write; findings do not fail the run")
	set.BoolVar(&c.version, "version", false, "print the version of sqlguard")
	set.StringVar(&explain, "explain", "", "print the page of a rule")
	set.Usage = func() { fmt.Fprint(problems, usage); set.PrintDefaults() }
	rest, err := parseAnywhere(set, args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, clean
		}
		return nil, unreadable
	}
	if explain != "" {
		return nil, c.explain(explain)
	}
	if c.version {
		fmt.Fprintln(out, version())
		return nil, clean
	}
	if len(rest) > 0 && rest[0] == "prove" {
		if rest = rest[1:]; len(rest) == 0 {
			fmt.Fprintln(problems, "sqlguard: prove QUERY [folder or sqlc.yaml]")
			return nil, unreadable
		}
		c.proven, rest = rest[0], rest[1:]
	}
	return c, c.check(rest)
}

// parseAnywhere parses flags before, between and after the other arguments, and returns those.
func parseAnywhere(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		left := set.Args()
		if parsed := len(args) - len(left); parsed > 0 && args[parsed-1] == "--" {
			return append(rest, left...), nil // everything after -- is an argument
		}
		if len(left) == 0 {
			return rest, nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// check validates the combination of flags and arguments. On an error it clears c.path.
func (c *command) check(args []string) int {
	if len(args) > 0 {
		c.path = args[0]
	}
	switch {
	case len(args) > 1:
		c.path = ""
		fmt.Fprintln(c.problems, "sqlguard: expected one folder or sqlc.yaml")
	case report.Formats[c.format] == nil:
		c.path = ""
		fmt.Fprintf(c.problems, "sqlguard: --format %s: text, json, sarif or github\n", c.format)
	case c.writeBaseline && c.baseline == "":
		c.path = ""
		fmt.Fprintln(c.problems, "sqlguard: --write-baseline needs --baseline FILE")
	}
	return clean
}

func (c *command) explain(id string) int {
	r := rules.ByID(id)
	if r == nil {
		var ids []string
		for _, r := range rules.All {
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		fmt.Fprintf(c.problems, "sqlguard: unknown rule %s; the rules are %s\n", id, strings.Join(ids, ", "))
		return unreadable
	}
	fmt.Fprint(c.out, r.Page())
	return clean
}

// colours reports whether to print in colour: by default on a terminal, unless NO_COLOR is set.
func (c *command) colours() bool {
	if c.colour != "auto" {
		return c.colour == "always"
	}
	file, ok := c.out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
