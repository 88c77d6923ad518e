package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"waybill/cmd/schemaguard/contract"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/programs"
	"waybill/cmd/schemaguard/settings"
)

// test is a test of the base that is run on what the change has made.
type test struct {
	what     string
	possible bool // the base's settings say how
	run      func(context.Context) ([]finding.Finding, error)
}

// tests are those that concern the change.
func (j *judgement) tests() (all []test) {
	if len(j.change.New) > 0 {
		all = append(all, test{"the base's race tests", len(j.base.Settings.Replay.Run) > 0, j.races})
	}
	if j.documentDiffers() {
		can := slices.ContainsFunc(j.base.Settings.Clients, func(r settings.Run) bool { return len(r.Run) > 0 })
		all = append(all, test{"the base's clients", can, j.clients})
	}
	return all
}

func (j *judgement) documentDiffers() bool {
	document := j.change.Settings.Document
	return document != "" && j.change.Base[document] != j.change.Head[document]
}

// beside are tests of the base that run while the change is judged by what measures no time. They take the longest.
type beside struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	found  [][]finding.Finding
	errs   []error
}

// beginTests begins the tests, unless the change is refused already.
func (j *judgement) beginTests(ctx context.Context) {
	if j.base == nil || j.measure.Quick || j.refused() {
		return
	}
	tests := slices.DeleteFunc(j.tests(), func(t test) bool { return !t.possible })
	b := &beside{found: make([][]finding.Finding, len(tests)), errs: make([]error, len(tests))}
	ctx, b.cancel = context.WithCancel(ctx)
	for i, t := range tests {
		b.wait.Go(func() { b.found[i], b.errs[i] = t.run(ctx) })
	}
	j.beside = b
}

// endTests returns when no test of the base runs any more: they would be measured, too. Those of a change that is
// refused are given up.
func (j *judgement) endTests() {
	if j.beside == nil {
		return
	}
	if j.refused() {
		j.beside.cancel()
	}
	j.beside.wait.Wait()
}

// stop gives up the tests that still run.
func (b *beside) stop() {
	if b != nil {
		b.cancel()
		b.wait.Wait()
	}
}

// takeTests adds what the tests have found. Where a break is declared, the failure of a client is told.
func (j *judgement) takeTests() error {
	j.endTests()
	if j.beside == nil || j.refused() {
		return nil
	}
	declared := slices.ContainsFunc(j.found, contract.IsDeclared)
	for _, f := range slices.Concat(j.beside.found...) {
		if declared && f.Rule == programs.ClientFails.Name {
			f = f.Told()
		}
		j.found = append(j.found, f)
	}
	return errors.Join(j.beside.errs...)
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

// clients tests the base's clients on the head's server.
func (j *judgement) clients(ctx context.Context) (all []finding.Finding, err error) {
	defer j.measure.clock.begin("its clients")()
	failures, err := j.base.TryClients(ctx)
	if err != nil {
		return nil, fmt.Errorf("the base's clients: %w", err)
	}
	for client, failure := range failures {
		all = append(all, programs.ClientFails.At(j.change.Settings.Document, 1, client,
			fmt.Sprintf("the client of the base in %s fails on the server of this change: %s", client, failure)))
	}
	return all, nil
}
