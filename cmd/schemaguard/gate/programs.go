package gate

import (
	"context"
	"fmt"
	"slices"

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
// not tried.
func (j *judgement) tryPrograms(ctx context.Context, refused bool) error {
	if len(j.change.New) == 0 {
		j.skip("the base's servers and race tests: no migration is new")
	} else if err := j.tryServers(ctx, refused); err != nil {
		return err
	} else if err := j.tryRaces(ctx, refused); err != nil {
		return err
	}
	document := j.change.Settings.Document
	switch {
	case document == "":
		return nil
	case j.change.Base[document] == j.change.Head[document]:
		j.skip("the base's clients: the API's document is the base's")
		return nil
	}
	return j.tryClients(ctx, refused)
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

// tryRaces runs the base's race tests on the new schema.
func (j *judgement) tryRaces(ctx context.Context, refused bool) error {
	if !j.try("the base's race tests", len(j.base.Settings.Replay.Run) > 0, refused) {
		return nil
	}
	defer j.measure.clock.begin("its race tests")()
	failure, err := j.base.Replay(ctx)
	if err != nil {
		return fmt.Errorf("the base's race tests: %w", err)
	}
	if failure != "" {
		j.found = append(j.found, programs.RaceFails.At(j.change.New[0].Path, 1, "",
			"the base's race tests fail on the schema of this change: "+failure))
	}
	return nil
}

// tryClients tests the base's clients on the head's server. Where a break is declared, their failure is told.
func (j *judgement) tryClients(ctx context.Context, refused bool) error {
	can := slices.ContainsFunc(j.base.Settings.Clients, func(r settings.Run) bool { return len(r.Run) > 0 })
	if !j.try("the base's clients", can, refused) {
		return nil
	}
	defer j.measure.clock.begin("its clients")()
	failures, err := j.base.TryClients(ctx)
	if err != nil {
		return fmt.Errorf("the base's clients: %w", err)
	}
	for client, failure := range failures {
		f := programs.ClientFails.At(j.change.Settings.Document, 1, client,
			fmt.Sprintf("the client of the base in %s fails on the server of this change: %s", client, failure))
		if slices.ContainsFunc(j.found, contract.IsDeclared) {
			f = f.Told()
		}
		j.found = append(j.found, f)
	}
	return nil
}
