package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"waybill/cmd/waybill/bench"
)

// runBench runs one benchmark and stops everything that it started, even when it is interrupted.
func runBench(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		benchHelp(out)
		if len(args) == 0 {
			return errUsage
		}
		return nil
	}
	for _, b := range bench.All() {
		if b.Name == args[0] {
			return measure(untilParentEnds(ctx), b, args[1:], out)
		}
	}
	return fmt.Errorf("unknown benchmark %q; see: waybill bench help", args[0])
}

func measure(ctx context.Context, b bench.Benchmark, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("waybill bench "+b.Name, flag.ContinueOnError)
	flags.Usage = func() { usage(flags, b.Summary, out) }
	env := bench.NewEnv(out, flags, os.Getenv("DATABASE_URL"), func(args []string) error { return parse(flags, args) })
	err := b.Run(ctx, env, args)
	if ctx.Err() != nil {
		err = errors.New("interrupted: nothing was measured")
	}
	return errors.Join(err, env.Close())
}

func benchHelp(out io.Writer) {
	fmt.Fprintln(out, "Usage: waybill bench <name> [flags]")
	for _, b := range bench.All() {
		fmt.Fprintf(out, "  %-12s  %s\n", b.Name, b.Summary)
	}
	fmt.Fprintln(
		out, "Flags of a benchmark: waybill bench <name> -h. All have --json, and all but replicas use DATABASE_URL "+
			"if it is set.")
}
