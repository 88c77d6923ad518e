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
		{"migrate", "up | down | status | version: move the schema", runMigrate},
		{"tenant", "create a tenant with its first admin", runTenant},
		{"openapi", "print the OpenAPI document", runOpenAPI},
		{"prove", "replay bad stories against a running server, and print what held", runProve},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "waybill:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return help(out, len(args) > 0)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out)
		}
	}
	return fmt.Errorf("there is no command %q; see: waybill help", args[0])
}

func help(out io.Writer, asked bool) error {
	fmt.Fprintln(out, "Usage: waybill <command> [flags]")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-8s  %s\n", c.name, c.summary)
	}
	fmt.Fprintln(out, "Flags of a command: waybill <command> -h. A flag that has an environment variable says so.")
	if !asked {
		return flag.ErrHelp
	}
	return nil
}

// parse reads the flags; words left over are a mistake.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
