// Command waybill is the server and what goes with it. See "waybill help".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// command is one of the program's.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"dev", "find or fetch PostgreSQL, start it, migrate, load a demo tenant, and serve", runDev},
		{"serve", "serve a migrated database", runServe},
		{"work", "work the jobs of a migrated database: send the texts, dispatch", runWork},
		{"jobs", "list | retry ID | retry --all | resume QUEUE: show the jobs and texts that failed or wait, run " +
			"them again", runJobs},
		{"setup", "print the SQL that makes the database and its roles, for psql as a superuser", runSetup},
		{"migrate", "up | down | status | version: move the schema", runMigrate},
		{"tenant", "create a tenant with its first admin; tenant admin: give one an admin with a new password",
			runTenant},
		{"version", "say which version this is, of the program, the document and the schema", runVersion},
		{"openapi", "print the OpenAPI document", runOpenAPI},
		{"prove", "replay bad stories against a running server, and print what held", runProve},
		{"bench", "measure, on a database of its own", runBench},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end; a second one gets the default: the end.
	context.AfterFunc(ctx, stop)
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp): // asked for, and given
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "waybill:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		help(out)
		if len(args) == 0 {
			return errUsage
		}
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out)
		}
	}
	return fmt.Errorf("there is no such command%s; see: waybill help", shown(args[0]))
}

// shown is a word of the command line that should not be there, after a colon: nothing of one
// that may hold a password, such as a URL, a setting or a secret.
func shown(word string) string {
	if strings.ContainsAny(word, ":/=@") || strings.HasPrefix(word, "whsec_") {
		return ""
	}
	return ": " + strconv.Quote(word)
}

// flagError is package flag's error in this program's words, where it is not clear.
func flagError(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		return "there is no flag " + name
	}
	return err.Error()
}

// errUsage: no command was given, and help instead.
var errUsage = errors.New("no command")

func help(out io.Writer) {
	fmt.Fprintln(out, "Usage: waybill <command> [flags]")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-8s  %s\n", c.name, c.summary)
	}
	fmt.Fprintln(out, "Flags of a command: waybill <command> -h. A flag that has an environment variable says so.")
}

// newFlags makes the flags of a command, whose help goes to out.
func newFlags(name string, out io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("waybill "+name, flag.ContinueOnError)
	flags.Usage = func() {
		command, _, _ := strings.Cut(name, " ")
		for _, c := range commands() {
			if c.name == command {
				usage(flags, c.summary, out)
			}
		}
	}
	return flags
}

func usage(flags *flag.FlagSet, summary string, out io.Writer) {
	flags.SetOutput(out)
	fmt.Fprintf(out, "Usage: %s [flags]\n  %s\n", flags.Name(), summary)
	flags.PrintDefaults()
}

// parse reads the flags; words left over are a mistake, and so is a variable that is almost
// a setting's. What is wrong is said once, by
// main: package flag would say it too, with all of the help.
func parse(flags *flag.FlagSet, args []string) error {
	usage := flags.Usage
	flags.Usage = func() {}
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage()
		return err
	}
	if err != nil {
		return fmt.Errorf("%s; see: %s -h", flagError(err), flags.Name())
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument%s; see: %s -h", shown(flags.Arg(0)), flags.Name())
	}
	return checkVariables(os.Environ())
}
