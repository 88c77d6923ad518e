package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"waybill/cmd/waybill/replicas"
)

// errStale means that a client read what was too old, or that the control was not found.
var errStale = errors.New("the histories are not as they must be")

func runProveReplicas(ctx context.Context, args []string, out io.Writer) error {
	var o replicas.Options
	flags := newFlags("prove replicas", out)
	flags.IntVar(&o.Reads, "reads", 20_000, "number of reads, such as 1000000")
	flags.IntVar(&o.Clients, "clients", 8, "number of concurrent clients: of four, three keep their position, one of "+
		"them as staff")
	flags.Uint64Var(&o.Seed, "seed", 0, "what happens at random repeats with the same seed; 0 chooses one")
	flags.BoolVar(&o.Control, "control", false, "serve reads whatever the replicas have replayed: it must be found")
	asJSON := flags.Bool("json", false, "print only a line of JSON")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.Clients < 4 || o.Reads < 1 {
		return errors.New("--clients must be at least 4, --reads at least 1")
	}
	if o.Seed == 0 {
		o.Seed = 1 + rand.Uint64N(1_000_000)
	}
	tell := func(format string, args ...any) { fmt.Fprintf(out, format, args...) }
	if *asJSON {
		tell = func(string, ...any) {}
	}
	tell("seed %d, %d clients\n", o.Seed, o.Clients)
	r, err := replicas.Run(untilParentEnds(ctx), o, tell)
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(out).Encode(r)
	} else {
		tell("%d reads in %.0f s, of which %d by replicas; %d appends; %d stale, %d long forks, %d other anomalies; "+
			"%d answers failed\noutcomes: %v\n", r.Reads, r.Seconds, r.Outcomes["replica"],
			r.Appends, r.Stale, r.LongForks,
			r.Others, r.Failed, r.Outcomes)
	}
	if err == nil && !r.Held() {
		err = fmt.Errorf("%w; again: waybill prove replicas --seed %d --clients %d --reads %d", errStale, o.Seed,
			o.Clients, o.Reads)
	}
	return err
}
