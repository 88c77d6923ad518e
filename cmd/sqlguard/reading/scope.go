package reading

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/syntax"
)

// scope resolves the names visible in a block; unknown names are resolved in the enclosing scope.
type scope struct {
	outer *scope
	block *Block
	ctes  map[string]*Block
}

func (s *scope) cte(name string) *Block {
	for ; s != nil; s = s.outer {
		if b := s.ctes[name]; b != nil {
			return b
		}
	}
	return nil
}

// named returns the relation of that name.
func (s *scope) named(name string) *Relation {
	for ; s != nil; s = s.outer {
		for _, r := range s.block.Relations {
			if r.Name == name {
				return r
			}
		}
	}
	return nil
}

// knowledge states whether a relation has a column.
type knowledge uint8

const (
	no knowledge = iota
	maybe
	yes
)

// having returns the relation that an unqualified column belongs to: the innermost that certainly has
// it, or else the innermost that may have it.
func (s *scope) having(column string) *Relation {
	var perhaps *Relation
	for ; s != nil; s = s.outer {
		for _, r := range s.block.Relations {
			switch r.has(column) {
			case yes:
				return r
			case maybe:
				if perhaps == nil {
					perhaps = r
				}
			}
		}
	}
	return perhaps
}

// resolve returns the sources of a column reference.
func (s *scope) resolve(ref *pg.ColumnRef) []Source {
	names := syntax.Names(ref.GetFields())
	switch {
	case catalog.Star(ref) && len(names) == 0:
		return s.everything()
	case catalog.Star(ref):
		return s.named(names[len(names)-1]).row()
	case len(names) == 0:
		return nil
	case len(names) > 1:
		if r := s.named(names[len(names)-2]); r != nil {
			return r.column(names[len(names)-1])
		}
		if r := s.named(names[0]); r != nil { // (t.c).f written without parentheses
			return r.column(names[1])
		}
		return []Source{{Origin: FromElsewhere}}
	}
	if r := s.having(names[0]); r != nil && (r.has(names[0]) == yes || s.named(names[0]) == nil) {
		return r.column(names[0])
	}
	if r := s.named(names[0]); r != nil {
		return r.row()
	}
	return []Source{{Origin: FromElsewhere}}
}

func (s *scope) everything() []Source {
	var all []Source
	if s != nil {
		for _, r := range s.block.Relations {
			all = append(all, r.row()...)
		}
	}
	return all
}

func (r *Relation) has(column string) knowledge {
	switch {
	case r.inserted != nil:
		return no // EXCLUDED's columns are always qualified
	case len(r.columns) > 0 && slices.Contains(r.columns, column):
		return yes
	case r.Block != nil:
		return r.Block.has(column, len(r.columns))
	case r.shows != nil:
		return r.shows.has(column, 0)
	case r.function:
		if len(r.columns) > 0 {
			return no
		}
		return maybe
	case r.Table.Column(column) != nil || slices.Contains(systemColumns, column):
		return yes
	case r.Table.Known():
		return no
	}
	return maybe
}

var systemColumns = []string{"ctid", "xmin", "xmax", "tableoid"}

// has reports whether a block outputs the column, ignoring the first ones, which are renamed.
func (b *Block) has(column string, renamed int) knowledge {
	found := no
	if b.reading {
		found = maybe
	}
	for i, o := range b.Outputs {
		switch {
		case o.Name == column && i >= renamed:
			return yes
		case o.Name == "*":
			found = maybe
		}
	}
	return found
}

// column returns the sources of one column of the relation.
func (r *Relation) column(column string) []Source {
	switch {
	case r.inserted != nil:
		return r.insertedColumn(column)
	case r.Block != nil:
		return r.output(column)
	case r.function:
		return r.feeds
	}
	if i := slices.Index(r.columns, column); i >= 0 && i < len(r.Table.Columns) {
		column = r.Table.Columns[i].Name
	}
	if from := r.showing(column); from != nil {
		return from
	}
	return []Source{{Relation: r.itself(), Column: column}}
}

func (r *Relation) insertedColumn(column string) []Source {
	if from, ok := r.inserted[r.shown(column)]; ok {
		return from
	}
	return []Source{{Origin: FromElsewhere}}
}

func (r *Relation) output(column string) []Source {
	if i := slices.Index(r.columns, column); i >= 0 && i < len(r.Block.Outputs) {
		return r.Block.Outputs[i].From
	}
	var stars []Source
	for _, o := range r.Block.Outputs {
		if o.Name == column {
			return o.From
		}
		if o.Name == "*" {
			stars = append(stars, o.From...)
		}
	}
	return stars
}

// row returns the sources of the whole row.
func (r *Relation) row() []Source {
	switch {
	case r == nil:
		return []Source{{Origin: FromElsewhere}}
	case r.inserted != nil:
		return []Source{{Origin: FromElsewhere}}
	case r.Block != nil:
		var all []Source
		for _, o := range r.Block.Outputs {
			all = append(all, o.From...)
		}
		return all
	case r.function:
		return r.feeds
	}
	return []Source{{Relation: r.itself()}}
}
