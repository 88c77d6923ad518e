package gate_test

import (
	"flag"
	"slices"

	"waybill/cmd/schemaguard/catalog"
	"waybill/cmd/schemaguard/contract"
	"waybill/cmd/schemaguard/gate"
	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/queries"
	"waybill/cmd/schemaguard/statements"
	"waybill/db/dbtest"
)

// whole has all checks run on every case. Otherwise a mistake is shown to the checks that are to find it, and to
// those that cost less.
var whole = flag.Bool("whole", false, "run all checks on every case")

// byDatabase are the rules that need databases, and byRows those that need rows.
var (
	byDatabase = []string{gate.Fails.Name, catalog.Keyless.Name, catalog.Tenantless.Name, catalog.Exposed.Name,
		catalog.Invalid.Name, catalog.Unvalidated.Name, catalog.Unindexed.Name, catalog.Unmapped.Name,
		catalog.Unguarded.Name, statements.Old.Name, statements.New.Name, statements.Ungranted.Name,
		statements.Broken.Name, queries.Unrecorded.Name}
	byRows = []string{load.Fails.Name, load.Rewritten.Name, load.DownFails.Name, load.DownDiffers.Name,
		load.DownLoses.Name, load.DownDrops.Name, load.UpDiffers.Name, load.HeldLong.Name, load.Locks.Name,
		load.NotGranted.Name,
		queries.WholeTable.Name, queries.WholeTenant.Name, queries.WorsePlan.Name,
		load.CallerFails.Name, load.Waits.Name,
		contract.Broken.Name, contract.Changed.Name, contract.BadBreak.Name}
)

func depthOf(rule string) gate.Depth {
	switch {
	case slices.Contains(byRows, rule):
		return gate.Whole
	case slices.Contains(byDatabase, rule):
		return gate.WithoutRows
	}
	return gate.TextsOnly
}

// depth is how deep a case is judged: as its first rule needs. A harmless change is shown to all rules, as any could
// refuse it; without rows, unless tests are to spare nothing, or it is of the document.
func (c testCase) depth() gate.Depth {
	switch {
	case *whole || c.rows || c.api() || len(c.refused) == 0 && dbtest.IsThorough():
		return gate.Whole
	case len(c.refused) == 0:
		return gate.WithoutRows
	}
	return depthOf(c.refused[0].rule)
}

// down leaves out what a lesser depth does not find.
func down(all []expected, depth gate.Depth) []expected {
	return slices.DeleteFunc(slices.Clone(all), func(e expected) bool { return depthOf(e.rule) < depth })
}

// at returns how to measure at a depth.
func at(depth gate.Depth) gate.Measure {
	m := measured
	m.Depth = depth
	return m
}

// manyRows are so many that the planner avoids to read them all.
const manyRows = 20_000

// measure returns how a case is judged.
func (c testCase) measure() gate.Measure {
	m := at(c.depth())
	if slices.ContainsFunc(c.refused, func(e expected) bool {
		return slices.Contains([]string{queries.WholeTable.Name, queries.WholeTenant.Name, queries.WorsePlan.Name},
			e.rule)
	}) || c.many {
		m.Rows = manyRows
	}
	return m
}
