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

// command is what the command line asks for.
type command struct {
	out, problems io.Writer

	path          string
	format        string
	colour        string
	config        string
	baseline      string
	writeBaseline bool
	verdicts      bool
}

const usage = `usage: sqlguard [flags] [folder or sqlc.yaml]

Says of each write of a sqlc project what two callers at once can do to each
other through it. Status 0: nothing found; 1: errors or warnings; 2: something
could not be read.

`

// parseFlags gives the command, or nil and a status where nothing is left to do.
func parseFlags(args []string, out, problems io.Writer) (*command, int) {
	c := &command{out: out, problems: problems, path: "."}
	explain := ""
	set := flag.NewFlagSet("sqlguard", flag.ContinueOnError)
	set.SetOutput(problems)
	set.StringVar(&c.format, "format", "text", "text, json, sarif or github")
	set.StringVar(&c.colour, "color", "auto", "auto, always or never: colour in text")
	set.StringVar(&c.config, "config", "", "settings; without it, sqlguard.yaml beside sqlc.yaml if there is one")
	set.StringVar(&c.baseline, "baseline", "", "a file of findings that are not reported")
	set.BoolVar(&c.writeBaseline, "write-baseline", false, "write the findings to the file of --baseline")
	set.BoolVar(&c.verdicts, "verdicts", false, "print the verdict of every write, whatever is found")
	set.StringVar(&explain, "explain", "", "print the page of a rule")
	set.Usage = func() { fmt.Fprint(problems, usage); set.PrintDefaults() }
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, clean
		}
		return nil, unreadable
	}
	if explain != "" {
		return nil, c.explain(explain)
	}
	return c, c.check(set.Args())
}

// check sorts out what flags alone do not; c.path is "" where it complains.
func (c *command) check(args []string) int {
	if len(args) > 0 {
		c.path = args[0]
	}
	switch {
	case len(args) > 1:
		c.path = ""
		fmt.Fprintln(c.problems, "sqlguard: flags come first, then one folder or sqlc.yaml")
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
		fmt.Fprintf(c.problems, "sqlguard: no rule %s; there are %s\n", id, strings.Join(ids, ", "))
		return unreadable
	}
	fmt.Fprint(c.out, r.Page())
	return clean
}

// colours reports whether to colour: by default on a terminal, unless NO_COLOR is set.
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
