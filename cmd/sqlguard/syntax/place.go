package syntax

import (
	"math"

	pg "github.com/sqlc-dev/oliphant"
)

// placed is a node that has a location: its start, or its operator's.
type placed interface{ GetLocation() int32 }

// Start returns the smallest location of n and the nodes below it, or -1.
func Start(n *pg.Node) int {
	first := int32(math.MaxInt32)
	Walk(n, func(n *pg.Node) bool {
		if at, ok := place(n); ok && at > 0 {
			first = min(first, at)
		}
		return true
	})
	if first == math.MaxInt32 {
		return -1
	}
	return int(first)
}

func place(n *pg.Node) (int32, bool) {
	var p placed
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		p = x.ColumnRef
	case *pg.Node_ParamRef:
		p = x.ParamRef
	case *pg.Node_AConst:
		p = x.AConst
	case *pg.Node_FuncCall:
		p = x.FuncCall
	case *pg.Node_SubLink:
		p = x.SubLink
	case *pg.Node_CaseExpr:
		p = x.CaseExpr
	case *pg.Node_CoalesceExpr:
		p = x.CoalesceExpr
	case *pg.Node_ResTarget:
		p = x.ResTarget
	case *pg.Node_RowExpr:
		p = x.RowExpr
	case *pg.Node_BoolExpr:
		p = x.BoolExpr
	case *pg.Node_RangeVar:
		p = x.RangeVar
	default:
		return 0, false
	}
	return p.GetLocation(), true
}
