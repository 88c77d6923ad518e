package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/contract"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/programs"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/schemaguard/settings"
)

// judgement is what is known of a change.
type judgement struct {
	change  *change.Change
	server  *server.Server
	base    *programs.Source
	measure Measure
	found   []finding.Finding

	skipped  []string
	complete bool // each rule was asked that concerns the change
}

// tryPrograms adds what the programs of the base make of the change. They cost the most: what is refused already is
// not tried. Its tests are run side by side, when its servers' answers have been measured.
func (j *judgement) tryPrograms(ctx context.Context, refused bool) error {
	var tests []test
	if len(j.change.New) == 0 {
		j.skip("the base's servers and race tests: no migration is new")
	} else {
		if err := j.tryServers(ctx, refused); err != nil {
			return err
		}
		if j.try("the base's race tests", len(j.base.Settings.Replay.Run) > 0, refused) {
			tests = append(tests, j.races)
		}
	}
	can := slices.ContainsFunc(j.base.Settings.Clients, func(r settings.Run) bool { return len(r.Run) > 0 })
	switch document := j.change.Settings.Document; {
	case document == "":
	case j.change.Base[document] == j.change.Head[document]:
		j.skip("the base's clients: the API's document is the base's")
	case j.try("the base's clients", can, refused):
		tests = append(tests, j.clients)
	}
	return j.run(ctx, tests)
}

// test is a test of the base that is run on what the change has made.
type test func(ctx context.Context) ([]finding.Finding, error)

// run runs tests at once, and adds what they find.
func (j *judgement) run(ctx context.Context, tests []test) error {
	found, errs := make([][]finding.Finding, len(tests)), make([]error, len(tests))
	var wait sync.WaitGroup
	for i, do := range tests {
		wait.Go(func() { found[i], errs[i] = do(ctx) })
	}
	wait.Wait()
	j.found = append(j.found, slices.Concat(found...)...)
	return errors.Join(errs...)
}

func (j *judgement) skip(what string) { j.skipped = append(j.skipped, what) }

// try reports whether a program of the base is tried, and tells if it is not.
func (j *judgement) try(what string, possible, refused bool) bool {
	switch {
	case j.measure.Quick:
		j.complete = false
		j.skip(what + ": --quick")
	case refused:
		j.complete = false
		j.skip(what + ": the change is refused already")
	case !possible:
		j.skip(what + ": the base's settings do not say how")
	default:
		return true
	}
	return false
}

// tryServers has servers of the base called while new migrations are applied.
func (j *judgement) tryServers(ctx context.Context, refused bool) error {
	if !j.try("callers of the base's servers", len(j.base.Settings.Callers) > 0, refused) {
		return nil
	}
	defer j.measure.clock.begin("the base's servers")()
	found, err := load.CheckServers(ctx, j.change, j.base, j.measure.Options, func() (*server.Database, error) {
		return j.measure.filled(ctx, j.change, j.server)
	})
	if err != nil {
		return fmt.Errorf("callers of the base's servers: %w", err)
	}
	j.found = append(j.found, found...)
	return nil
}

// races runs the base's race tests on the new schema.
func (j *judgement) races(ctx context.Context) ([]finding.Finding, error) {
	defer j.measure.clock.begin("its race tests")()
	failure, err := j.base.Replay(ctx)
	if err != nil {
		return nil, fmt.Errorf("the base's race tests: %w", err)
	}
	if failure == "" {
		return nil, nil
	}
	return []finding.Finding{programs.RaceFails.At(j.change.New[0].Path, 1, "",
		"the base's race tests fail on the schema of this change: "+failure)}, nil
}

// clients tests the base's clients on the head's server. Where a break is declared, their failure is told.
func (j *judgement) clients(ctx context.Context) (all []finding.Finding, err error) {
	defer j.measure.clock.begin("its clients")()
	failures, err := j.base.TryClients(ctx)
	if err != nil {
		return nil, fmt.Errorf("the base's clients: %w", err)
	}
	for client, failure := range failures {
		f := programs.ClientFails.At(j.change.Settings.Document, 1, client,
			fmt.Sprintf("the client of the base in %s fails on the server of this change: %s", client, failure))
		if slices.ContainsFunc(j.found, contract.IsDeclared) {
			f = f.Told()
		}
		all = append(all, f)
	}
	return all, nil
}
