package shape

import (
	"fmt"
	"slices"
	"strings"

	"waybill/cmd/schemaguard/finding"
)

// SeveralLocks is the rule that a transaction takes the lock for which everybody waits on one table.
var SeveralLocks = finding.Rule{
	Name: "several-exclusive-locks",
	Load: "the first table stays locked while the second lock waits, and callers that use both in another order " +
		"deadlock with the migration",
	Safe: "a migration a table, or -- +goose NO TRANSACTION with statements that can run again",
}

func severalLocks(f *file) (all []finding.Finding) {
	if f.NoTransaction {
		return nil
	}
	var locked []string
	for _, s := range f.steps {
		if !s.used() || s.lock != AccessExclusive || slices.Contains(locked, s.table) || f.isIndex(s) {
			continue
		}
		if locked = append(locked, s.table); len(locked) > 1 {
			all = append(all, f.at(SeveralLocks, s, s.table, fmt.Sprintf("one transaction takes ACCESS EXCLUSIVE on %s",
				strings.Join(locked, " and "))))
		}
	}
	return all
}

// isIndex reports whether a step drops an index, whose table its text does not say.
func (f *file) isIndex(s step) bool {
	return s.node.GetDropStmt() != nil && f.facts.types[s.table+".tenant_id"] == ""
}

// LongUnderLock is the rule that nothing takes long while others wait.
var LongUnderLock = finding.Rule{
	Name: "long-work-under-lock",
	Load: "the lock is held to the end of the transaction: everybody waits as long as the later statement takes",
	Safe: "-- +goose NO TRANSACTION, so that each statement gives its lock back; statements that can run again",
}

func longUnderLock(f *file) (all []finding.Finding) {
	if f.NoTransaction {
		return nil
	}
	holder := ""
	for _, s := range f.steps {
		if holder != "" && s.long && s.grown() && !ruledElsewhere(s) {
			all = append(all, f.at(LongUnderLock, s, s.table, fmt.Sprintf(
				"the transaction holds a lock of %s while it reads or writes all of %s", holder, s.table)))
		}
		if s.used() && s.lock.Waits() && holder == "" {
			holder = s.table
		}
	}
	return all
}

// ruledElsewhere reports whether a step is refused on its own, whatever was locked before.
func ruledElsewhere(s step) bool { return s.lock.Waits() || s.node.GetIndexStmt() != nil }
