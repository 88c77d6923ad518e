package syntax

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// Bare returns n without the casts and collations around it.
func Bare(n *pg.Node) *pg.Node {
	for {
		switch x := n.GetNode().(type) {
		case *pg.Node_TypeCast:
			n = x.TypeCast.GetArg()
		case *pg.Node_CollateClause:
			n = x.CollateClause.GetArg()
		default:
			return n
		}
	}
}

// Names returns the texts of a list of String nodes.
func Names(nodes []*pg.Node) []string {
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		if s := n.GetString_(); s != nil {
			names = append(names, s.GetSval())
		}
	}
	return names
}

// Last returns the unqualified part of a name.
func Last(nodes []*pg.Node) string {
	if names := Names(nodes); len(names) > 0 {
		return names[len(names)-1]
	}
	return ""
}

// Operator returns the operator of an A_Expr, "" for any other node.
func Operator(n *pg.Node) string { return Last(n.GetAExpr().GetName()) }

// Function returns the schema and name of a function; pg_catalog counts as no schema.
func Function(f *pg.FuncCall) (schema, name string) {
	names := Names(f.GetFuncname())
	if len(names) > 1 && names[len(names)-2] != "pg_catalog" {
		schema = names[len(names)-2]
	}
	return schema, strings.ToLower(Last(f.GetFuncname()))
}

// Macro returns the name of the sqlc macro that n calls, like "arg", and its argument.
func Macro(n *pg.Node) (macro, argument string) {
	f := n.GetFuncCall()
	schema, name := Function(f)
	if f == nil || schema != "sqlc" || len(f.GetArgs()) == 0 {
		return "", ""
	}
	arg := Bare(f.GetArgs()[0])
	if s := arg.GetAConst().GetSval(); s != nil {
		return name, s.GetSval()
	}
	return name, Last(arg.GetColumnRef().GetFields())
}

// Param reports whether n is a parameter: $1, @name, or a macro of sqlc.
func Param(n *pg.Node) bool {
	if n.GetParamRef() != nil {
		return true
	}
	macro, _ := Macro(n)
	return macro == "arg" || macro == "narg" || macro == "slice"
}

// Conjuncts returns the parts of a condition that AND joins.
func Conjuncts(n *pg.Node) []*pg.Node {
	if n == nil {
		return nil
	}
	b := n.GetBoolExpr()
	if b.GetBoolop() != pg.BoolExprType_AND_EXPR {
		return []*pg.Node{n}
	}
	var parts []*pg.Node
	for _, arg := range b.GetArgs() {
		parts = append(parts, Conjuncts(arg)...)
	}
	return parts
}

// Column builds a column reference.
func Column(fields ...string) *pg.Node {
	ref := &pg.ColumnRef{}
	for _, f := range fields {
		ref.Fields = append(ref.Fields, pg.MakeStrNode(f))
	}
	return &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: ref}}
}

// Equal builds left = right.
func Equal(left, right *pg.Node, location int32) *pg.Node {
	return &pg.Node{Node: &pg.Node_AExpr{AExpr: &pg.A_Expr{
		Kind: pg.A_Expr_Kind_AEXPR_OP, Name: []*pg.Node{pg.MakeStrNode("=")},
		Lexpr: left, Rexpr: right, Location: location,
	}}}
}

// Not builds NOT n.
func Not(n *pg.Node) *pg.Node {
	return &pg.Node{Node: &pg.Node_BoolExpr{BoolExpr: &pg.BoolExpr{
		Boolop: pg.BoolExprType_NOT_EXPR, Args: []*pg.Node{n},
	}}}
}
