package shape

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

// Lock is a mode of a lock on a table.
type Lock int

// The modes, as LOCK TABLE numbers them.
const (
	None                 Lock = 0
	RowExclusive         Lock = 3 // of writers
	ShareUpdateExclusive Lock = 4 // beside readers and writers
	Share                Lock = 5 // writers wait
	ShareRowExclusive    Lock = 6 // writers wait
	Exclusive            Lock = 7 // writers wait
	AccessExclusive      Lock = 8 // everybody waits
)

// Waits reports whether writers wait for the lock, and the lock for them.
func (l Lock) Waits() bool { return l >= Share }

func (l Lock) String() string {
	return map[Lock]string{None: "none", RowExclusive: "ROW EXCLUSIVE",
		ShareUpdateExclusive: "SHARE UPDATE EXCLUSIVE", Share: "SHARE", ShareRowExclusive: "SHARE ROW EXCLUSIVE",
		Exclusive: "EXCLUSIVE", AccessExclusive: "ACCESS EXCLUSIVE"}[l]
}

// lockOf returns the table that a statement locks most, how, and whether it reads or writes all of the table
// under that lock.
func lockOf(n *pg.Node) (table string, lock Lock, long bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_AlterTableStmt:
		return alterLock(x.AlterTableStmt)
	case *pg.Node_IndexStmt:
		return x.IndexStmt.GetRelation().GetRelname(), either(x.IndexStmt.GetConcurrent(), ShareUpdateExclusive,
			Share), true
	case *pg.Node_RenameStmt:
		return x.RenameStmt.GetRelation().GetRelname(), AccessExclusive, false
	case *pg.Node_CreateTrigStmt:
		return x.CreateTrigStmt.GetRelation().GetRelname(), ShareRowExclusive, false
	case *pg.Node_CreatePolicyStmt:
		return x.CreatePolicyStmt.GetTable().GetRelname(), AccessExclusive, false
	case *pg.Node_AlterPolicyStmt:
		return x.AlterPolicyStmt.GetTable().GetRelname(), AccessExclusive, false
	case *pg.Node_DropStmt:
		return dropLock(x.DropStmt)
	case *pg.Node_LockStmt:
		return firstTable(x.LockStmt.GetRelations()), Lock(x.LockStmt.GetMode()), false
	case *pg.Node_TruncateStmt:
		return firstTable(x.TruncateStmt.GetRelations()), AccessExclusive, false
	}
	return dataLock(n)
}

// dataLock is lockOf for what changes rows, or writes a table anew.
func dataLock(n *pg.Node) (table string, lock Lock, long bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_UpdateStmt:
		return x.UpdateStmt.GetRelation().GetRelname(), RowExclusive, true
	case *pg.Node_DeleteStmt:
		return x.DeleteStmt.GetRelation().GetRelname(), RowExclusive, true
	case *pg.Node_MergeStmt:
		return x.MergeStmt.GetRelation().GetRelname(), RowExclusive, true
	case *pg.Node_InsertStmt:
		reads := len(x.InsertStmt.GetSelectStmt().GetSelectStmt().GetFromClause()) > 0
		return x.InsertStmt.GetRelation().GetRelname(), RowExclusive, reads
	case *pg.Node_ReindexStmt:
		return x.ReindexStmt.GetRelation().GetRelname(), either(concurrent(x.ReindexStmt.GetParams()),
			ShareUpdateExclusive, AccessExclusive), true
	case *pg.Node_RefreshMatViewStmt:
		return x.RefreshMatViewStmt.GetRelation().GetRelname(), either(x.RefreshMatViewStmt.GetConcurrent(), Exclusive,
			AccessExclusive), true
	case *pg.Node_VacuumStmt:
		full := concurrentOr(x.VacuumStmt.GetOptions(), "full")
		return relation(x.VacuumStmt.GetRels()), either(full, AccessExclusive, ShareUpdateExclusive), full
	case *pg.Node_ClusterStmt:
		return x.ClusterStmt.GetRelation().GetRelname(), AccessExclusive, true
	}
	return "", None, false
}

func either(is bool, a, b Lock) Lock {
	if is {
		return a
	}
	return b
}

func concurrent(params []*pg.Node) bool { return concurrentOr(params, "concurrently") }

func concurrentOr(params []*pg.Node, option string) bool {
	for _, p := range params {
		if p.GetDefElem().GetDefname() == option {
			return true
		}
	}
	return false
}

func relation(rels []*pg.Node) string {
	for _, r := range rels {
		if v := r.GetVacuumRelation(); v != nil {
			return v.GetRelation().GetRelname()
		}
	}
	return ""
}

func firstTable(nodes []*pg.Node) string {
	for _, n := range nodes {
		if v := n.GetRangeVar(); v != nil {
			return v.GetRelname()
		}
	}
	return ""
}

// dropLock is lockOf for DROP. Of a trigger or policy, the table is the name before the last.
func dropLock(d *pg.DropStmt) (string, Lock, bool) {
	var names []string
	if objects := d.GetObjects(); len(objects) > 0 {
		names = syntax.Names(objects[0].GetList().GetItems())
	}
	if len(names) == 0 {
		return "", None, false
	}
	last := names[len(names)-1]
	switch d.GetRemoveType() {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW:
		return last, AccessExclusive, false
	case pg.ObjectType_OBJECT_INDEX:
		return last, either(d.GetConcurrent(), ShareUpdateExclusive, AccessExclusive), false
	case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_RULE:
		if len(names) > 1 {
			return names[len(names)-2], AccessExclusive, false
		}
	}
	return "", None, false
}

// alterLock is lockOf for ALTER TABLE: the strongest of its parts.
func alterLock(a *pg.AlterTableStmt) (table string, lock Lock, long bool) {
	for _, n := range a.GetCmds() {
		l, whole := commandLock(n.GetAlterTableCmd())
		lock, long = max(lock, l), long || whole
	}
	return a.GetRelation().GetRelname(), lock, long
}

func commandLock(c *pg.AlterTableCmd) (lock Lock, long bool) {
	switch c.GetSubtype() {
	case pg.AlterTableType_AT_ValidateConstraint:
		return ShareUpdateExclusive, true
	case pg.AlterTableType_AT_SetStatistics, pg.AlterTableType_AT_SetOptions, pg.AlterTableType_AT_ResetOptions,
		pg.AlterTableType_AT_SetRelOptions, pg.AlterTableType_AT_ResetRelOptions, pg.AlterTableType_AT_AttachPartition,
		pg.AlterTableType_AT_ClusterOn, pg.AlterTableType_AT_DropCluster:
		return ShareUpdateExclusive, false
	case pg.AlterTableType_AT_EnableTrig, pg.AlterTableType_AT_EnableAlwaysTrig, pg.AlterTableType_AT_DisableTrig,
		pg.AlterTableType_AT_EnableReplicaTrig, pg.AlterTableType_AT_DisableTrigAll,
		pg.AlterTableType_AT_EnableTrigAll:
		return ShareRowExclusive, false
	case pg.AlterTableType_AT_AddConstraint:
		k := c.GetDef().GetConstraint()
		foreign := k.GetContype() == pg.ConstrType_CONSTR_FOREIGN
		return either(foreign, ShareRowExclusive, AccessExclusive), !k.GetSkipValidation() && k.GetIndexname() == ""
	case pg.AlterTableType_AT_SetNotNull, pg.AlterTableType_AT_AlterColumnType, pg.AlterTableType_AT_SetLogged,
		pg.AlterTableType_AT_SetUnLogged, pg.AlterTableType_AT_SetTableSpace, pg.AlterTableType_AT_SetAccessMethod:
		return AccessExclusive, true
	}
	return AccessExclusive, false
}
