package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

// clocks are the functions that return the current time.
var clocks = set("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday")

// Clock reports whether n is only a call that returns the current time.
func Clock(n *pg.Node) bool {
	if f := n.GetFuncCall(); f != nil {
		schema, name := syntax.Function(f)
		return schema == "" && clocks[name]
	}
	f := n.GetSqlvalueFunction()
	return f != nil && valueFunction(f).Origin == FromClock
}

// others are volatile functions: their value does not depend on the statement's input.
var others = set("random", "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v1mc",
	"uuid_generate_v4", "uuidv4", "uuidv7",
	"gen_random_bytes", "nextval", "currval", "lastval", "txid_current", "pg_current_xact_id", "current_setting",
	"pg_backend_pid", "gen_salt", "random_normal")

// rowCounts are functions of the number of rows, not of their values.
var rowCounts = set("count", "row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist")

func set(names ...string) map[string]bool {
	s := map[string]bool{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

// sources returns the sources of the value of n.
func (r *reader) sources(n *pg.Node, s *scope) []Source {
	return r.collect(n, s, func(link *pg.SubLink) []Source {
		b := r.sub(link, s)
		var from []Source
		for _, o := range b.Outputs {
			from = append(from, o.From...)
		}
		if link.GetSubLinkType() == pg.SubLinkType_EXISTS_SUBLINK {
			for _, c := range b.Conditions {
				from = append(from, r.direct(c.Node, b.scope)...)
			}
		}
		if len(from) == 0 && len(b.Relations) > 0 { // it depends on which rows exist
			from = append(from, Source{Origin: FromElsewhere})
		}
		return from
	})
}

// direct returns the sources of n, ignoring its subselects.
func (r *reader) direct(n *pg.Node, s *scope) []Source {
	return r.collect(n, s, func(*pg.SubLink) []Source { return nil })
}

func (r *reader) collect(n *pg.Node, s *scope, sub func(*pg.SubLink) []Source) []Source {
	var from []Source
	syntax.Walk(n, func(n *pg.Node) bool {
		if syntax.Param(n) {
			from = append(from, Source{Origin: FromParam})
			return false
		}
		switch x := n.GetNode().(type) {
		case *pg.Node_ColumnRef:
			from = append(from, s.resolve(x.ColumnRef)...)
		case *pg.Node_SubLink:
			from = append(from, r.collect(x.SubLink.GetTestexpr(), s, sub)...)
			from = append(from, sub(x.SubLink)...)
			return false
		case *pg.Node_FuncCall:
			from = append(from, r.called(x.FuncCall)...)
		case *pg.Node_SqlvalueFunction:
			from = append(from, valueFunction(x.SqlvalueFunction))
		}
		return true
	})
	return distinct(from)
}

// distinct removes duplicate sources, which would double with every CTE in a chain.
func distinct(from []Source) []Source {
	if len(from) < 2 {
		return from
	}
	seen := make(map[Source]bool, len(from))
	var once []Source
	for _, f := range from {
		if !seen[f] {
			seen[f] = true
			once = append(once, f)
		}
	}
	return once
}

// called returns the sources that a function adds to those of its arguments.
func (r *reader) called(f *pg.FuncCall) []Source {
	schema, name := syntax.Function(f)
	defined := r.catalog.Functions(schema, name)
	switch {
	case len(defined) > 0 && defined[0].Immutable:
		return nil
	case len(defined) > 0:
		return []Source{{Origin: FromElsewhere}}
	case clocks[name]:
		return []Source{{Origin: FromClock}}
	case others[name], f.GetAggStar(), rowCounts[name]:
		return []Source{{Origin: FromElsewhere}}
	}
	return nil
}

func valueFunction(f *pg.SQLValueFunction) Source {
	if f.GetOp() <= pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N {
		return Source{Origin: FromClock}
	}
	return Source{Origin: FromElsewhere}
}
