// Command waybill is the server and its tools. See "waybill help".
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

// command is a subcommand of the program.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"dev", "find or download PostgreSQL, start it, migrate, load a demo tenant, and serve", runDev},
		{"serve", "serve a migrated database", runServe},
		{"work", "run the job workers of a migrated database: send texts and webhooks, dispatch, carry out backfills",
			runWork},
		{"jobs", "list | retry ID | retry --all | resume QUEUE: show the jobs and texts that failed or wait, run " +
			"them again; backfills [stop NAME | resume NAME]: show what migrations left to the workers", runJobs},
		{"setup", "print the SQL that creates the database and its roles, for psql as a superuser", runSetup},
		{"pooler", "print the SQL with which sessions through a connection pooler get their settings", runPooler},
		{"migrate", "up | down | status | version: migrate the schema; check: refuse a change of it that is not safe " +
			"to deploy", runMigrate},
		{"tenant", "create a tenant with its first admin; tenant reset-admin: create an admin, or reset the password",
			runTenant},
		{"version", "print the versions of the program, the OpenAPI document and the schema", runVersion},
		{"openapi", "print the OpenAPI document", runOpenAPI},
		{"prove", "replay known concurrency bugs against a running server, and print the results; prove faults: have " +
			"clusters of its own fail under load; prove replicas: check what clients read from standbys; prove " +
			"deploys: restart servers and workers under load", runProve},
		{"bench", "run a benchmark on a temporary database", runBench},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal starts a graceful shutdown; a second one terminates the process, which is the
	// default.
	context.AfterFunc(ctx, stop)
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp): // help was requested and printed
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
	return fmt.Errorf("unknown command%s; see: waybill help", quoted(args[0]))
}

// quoted returns an unexpected command-line argument for an error message, after a colon. It leaves
// out arguments that may contain a password: URLs, settings, secrets.
func quoted(word string) string {
	if strings.ContainsAny(word, ":/=@") || strings.HasPrefix(word, "whsec_") {
		return ""
	}
	return ": " + strconv.Quote(word)
}

// flagError returns the message of a package flag error, in clearer words where needed.
func flagError(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		return "unknown flag " + name
	}
	return err.Error()
}

// errUsage means that no command was given, and the help was printed instead.
var errUsage = errors.New("no command")

func help(out io.Writer) {
	fmt.Fprintln(out, "Usage: waybill <command> [flags]")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-8s  %s\n", c.name, c.summary)
	}
	fmt.Fprintln(out, "Flags of a command: waybill <command> -h. It also lists the environment variables.")
}

// newFlags returns the flag set of a command, whose help goes to out.
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

// parse parses the flags. It refuses further arguments, and environment variables that look like a
// misspelled setting. Errors are printed once, by main, without package flag's full usage.
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
		return fmt.Errorf("unexpected argument%s; see: %s -h", quoted(flags.Arg(0)), flags.Name())
	}
	return checkVariables(os.Environ())
}
