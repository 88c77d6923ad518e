package rules

import (
	"slices"
	"strings"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/verdict"
)

// hint names a query of the project that locks the written row by the same key: if it runs earlier in
// the same transaction, a waiver is the answer.
func (c *check) hint(f *Finding, w *verdict.Write) {
	if w.Function != "" || w.Clause > 0 {
		return
	}
	for _, q := range c.lockers[w.Target.Table] {
		if q != c.query && q.Name != "" && locksByKey(q, w) {
			f.Lines = append(f.Lines,
				"If "+q.Name+", which locks the row, runs before it in the same transaction, add above it: -- @write "+
					strings.TrimPrefix(string(w.Verdict), "upsert-")+` reason="…" locked-by=`+q.Name)
			return
		}
	}
}

// lockers returns the queries that lock rows, by table.
func lockers(db *verdict.Database) map[*catalog.Table][]*verdict.Query {
	all := map[*catalog.Table][]*verdict.Query{}
	for _, q := range db.Queries {
		for _, s := range q.Statements {
			for _, r := range s.Root.Relations {
				if r.Locked {
					all[r.Table] = append(all[r.Table], q)
				}
			}
		}
	}
	return all
}

// locksByKey reports whether a query is a SELECT that locks the row by a key that the write uses too,
// and waits for the lock.
func locksByKey(q *verdict.Query, w *verdict.Write) bool {
	for _, s := range q.Statements {
		b := s.Root
		if b.Node.GetSelectStmt() == nil || b.SkipLocked {
			continue
		}
		for _, r := range b.Relations {
			if r.Table == w.Target.Table && r.Locked && slices.ContainsFunc(keysOf(w), func(k *catalog.Key) bool {
				return k.Covered(func(column string) bool { return asksFor(s, b, r, column) })
			}) {
				return true
			}
		}
	}
	return false
}

// keysOf returns the keys by which a write finds its row.
func keysOf(w *verdict.Write) []*catalog.Key {
	if w.Op != reading.Upsert {
		return w.Keys
	}
	return []*catalog.Key{{Columns: w.Conflict}}
}

func asksFor(s *reading.Statement, b *reading.Block, r *reading.Relation, column string) bool {
	return slices.ContainsFunc(b.Conditions, func(c reading.Condition) bool {
		return slices.ContainsFunc(s.Direct(c.Node, b),
			func(from reading.Source) bool { return from.Relation == r && from.Column == column })
	})
}
