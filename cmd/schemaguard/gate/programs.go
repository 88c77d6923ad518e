package gate

import (
	"context"
	"fmt"

	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/server"
)

// tryPrograms adds what the programs of the base make of the change: its tests, which have run beside what was asked
// before, and its servers. They cost the most: what is refused already is not tried.
func (j *judgement) tryPrograms(ctx context.Context) error {
	refused := j.refused()
	if err := j.takeTests(); err != nil {
		return err
	}
	if len(j.change.New) == 0 {
		j.skip("the base's servers and race tests: no migration is new")
	} else if err := j.tryServers(ctx, refused); err != nil {
		return err
	}
	for _, t := range j.tests() {
		j.try(t.what, t.possible, refused)
	}
	if j.change.Settings.Document != "" && !j.documentDiffers() {
		j.skip("the base's clients: the API's document is the base's")
	}
	return nil
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
