package gate

import (
	"context"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/queries"
	"waybill/cmd/schemaguard/server"
)

// A project that begins to use the gate has faults already. With old_faults: told, they are no reason to refuse a
// change that did not make them.

// asBase returns the base as a change of nothing.
func asBase(c *change.Change) *change.Change { return change.Of(c.Settings, c.Base, c.Base, c.Today) }

// faultsOfBase returns what the rules about the schema and the statements find in the base, on a database of it, if
// the settings want that told.
func faultsOfBase(ctx context.Context, c *change.Change, d *server.Database) ([]finding.Finding, error) {
	if c.Settings.OldFaults == "" {
		return nil, nil
	}
	return onHead(ctx, asBase(c), d)
}

// checkTexts runs the rules about the texts of statements.
func checkTexts(c *change.Change) []finding.Finding {
	if c.Settings.OldFaults == "" {
		return queries.CheckTexts(c)
	}
	return told(queries.CheckTexts(c), queries.CheckTexts(asBase(c)))
}

// told makes notes of those findings that are among the old ones, wherever they stood.
func told(all, old []finding.Finding) []finding.Finding {
	type fault struct{ rule, object, message string }
	known := map[fault]bool{}
	for _, f := range old {
		known[fault{f.Rule, f.Object, f.Message}] = true
	}
	for i, f := range all {
		if known[fault{f.Rule, f.Object, f.Message}] {
			all[i] = f.Told()
			all[i].Message += "; so it was in the base"
		}
	}
	return all
}
