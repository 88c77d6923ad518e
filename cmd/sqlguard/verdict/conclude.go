package verdict

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// verdict returns the verdict of a write.
func (j *judge) verdict(w *Write) Verdict {
	guarded := len(w.Guards()) > 0
	worst := Touch
	for _, c := range w.Columns {
		worst = max(worst, c.Class)
	}
	switch w.Op {
	case reading.Delete:
		return j.deletion(w, guarded)
	case reading.Upsert:
		return upsert(worst, guarded)
	}
	switch {
	case !j.bounded(w):
		return Unbounded
	case guarded:
		return Conditional
	case worst >= PatchSet:
		return Blind
	case worst == RelativeSet:
		return Relative
	}
	return Constant
}

func upsert(worst Class, guarded bool) Verdict {
	switch {
	case guarded:
		return UpsertConditional
	case worst >= PatchSet:
		return UpsertBlind
	case worst == RelativeSet:
		return UpsertRelative
	}
	return Constant
}

func (j *judge) deletion(w *Write, guarded bool) Verdict {
	switch {
	case !j.bounded(w):
		return DeleteUnbounded
	case guarded:
		return DeleteConditional
	case len(w.Keys) > 0:
		return DeleteKey
	}
	return DeleteOwner
}

// bounded reports whether the target has a condition that can be false.
func (j *judge) bounded(w *Write) bool {
	for i, c := range w.Conditions {
		if w.Tests[i].Class != Tautology && !c.Outer && j.mentions(c) {
			return true
		}
	}
	return false
}

// mentions reports whether a condition reads the target, directly or in a subselect.
func (j *judge) mentions(c reading.Condition) bool {
	if c.Node.GetCurrentOfExpr() != nil {
		return true
	}
	if slices.ContainsFunc(j.statement.Direct(c.Node, c.Block), j.own) {
		return true
	}
	found := false
	syntax.Walk(c.Node, func(n *pg.Node) bool {
		link := n.GetSubLink()
		if link == nil || found {
			return !found
		}
		for _, b := range reading.Upstream(j.statement.Sub(link, c.Block)) {
			found = found || j.correlated(b)
		}
		return !found
	})
	return found
}

func (j *judge) correlated(b *reading.Block) bool {
	return slices.ContainsFunc(b.Conditions, func(c reading.Condition) bool {
		return slices.ContainsFunc(j.statement.Direct(c.Node, b), j.own)
	})
}

// keys returns the keys whose columns all have conditions on the target.
func (j *judge) keys() []*catalog.Key {
	var covered []*catalog.Key
	for _, k := range j.table.Keys {
		if k.Covered(func(c string) bool { return j.tested[c] }) {
			covered = append(covered, k)
		}
	}
	if !j.table.Known() && j.tested["id"] {
		covered = append(covered, &catalog.Key{Name: "id", Columns: []string{"id"}})
	}
	return covered
}

// strongest returns the strongest kind among the guards.
func strongest(guards []Test) Kind {
	for _, k := range []Kind{CAS, Fence, Lock, Liveness} {
		if slices.ContainsFunc(guards, func(t Test) bool { return t.Kind == k }) {
			return k
		}
	}
	return ""
}
