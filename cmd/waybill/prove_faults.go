package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"

	"waybill/cmd/waybill/faults"
)

// errLost means that the faults happened, and something was lost, doubled or an internal error.
var errLost = errors.New("not every fault was survived")

func runProveFaults(ctx context.Context, args []string, out io.Writer) error {
	var o faults.Options
	flags := newFlags("prove faults", out)
	flags.BoolVar(&o.Short, "short", false, "each fault once, briefly, as in CI")
	flags.IntVar(&o.Callers, "callers", 16, "number of concurrent callers")
	flags.Uint64Var(&o.Seed, "seed", 0, "what happens at random repeats with the same seed; 0 chooses one")
	names := flags.String("fault", "", "only these, separated by commas: "+strings.Join(faults.Names(), ", "))
	asJSON := flags.Bool("json", false, "print only a line of JSON for each fault")
	verbose := flags.Bool("verbose", false, "print the servers' errors")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.Callers < 1 {
		return errors.New("--callers must be at least 1")
	}
	if *names != "" {
		o.Faults = strings.Split(*names, ",")
	}
	if o.Seed == 0 {
		o.Seed = 1 + rand.Uint64N(1_000_000)
	}
	if *verbose {
		o.Log = os.Stderr
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	o.Program = []string{program}
	if os.Getenv(testProgram) != "" { // the test's binary is the program only if it is told so
		o.Env = []string{testProgram + "=1"}
	}
	return reportFaults(untilParentEnds(ctx), o, *asJSON, out)
}

// testProgram is the variable by which a test's binary runs as the program.
const testProgram = "WAYBILL_TEST_AS_PROGRAM"

// reportFaults has the faults happen and prints each result.
func reportFaults(ctx context.Context, o faults.Options, asJSON bool, out io.Writer) error {
	encoder := json.NewEncoder(out)
	if !asJSON {
		fmt.Fprintf(out, "seed %d, %d callers\n", o.Seed, o.Callers)
		faults.Head(out)
	}
	var failed []string
	err := faults.Run(ctx, o, func(r faults.Result) {
		if !r.Held() {
			failed = append(failed, r.Fault)
		}
		if asJSON {
			encoder.Encode(r)
			return
		}
		r.Line(out)
	})
	if err != nil {
		return err
	}
	if len(failed) == 0 {
		return nil
	}
	short := map[bool]string{true: " --short"}[o.Short]
	return fmt.Errorf("%w; again: waybill prove faults%s --seed %d --callers %d --fault %s",
		errLost, short, o.Seed, o.Callers, strings.Join(failed, ","))
}
