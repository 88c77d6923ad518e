package prove

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// sandbox is a throwaway database with one query under test.
type sandbox struct {
	ctx    context.Context
	pool   *pgxpool.Pool
	query  *verdict.Query
	write  *verdict.Write
	target *table
	others []*table // referenced tables first
	seen   map[uint32]bool
	params []param
	consts []string // the constants of the query
	later  bool     // the first caller gets the later of two values

	against *verdict.Query // the first caller's query, if it is another one
	opening []param        // its parameters
}

// param is a parameter of the query; a varied one has a different value for each caller.
type param struct {
	name   string
	kind   kind
	varied bool
}

// build creates the project's schema. Statements that the throwaway server cannot run (a missing
// extension or role) are skipped.
func build(ctx context.Context, pool *pgxpool.Pool, schema []*project.Statement) error {
	conn, err := pool.Acquire(ctx) // a single connection: temporary tables and settings are per session
	if err != nil {
		return err
	}
	var first error
	for _, s := range schema {
		if transaction.MatchString(s.Text) { // a failed statement would abort the whole transaction
			continue
		}
		if _, err := conn.Exec(ctx, s.Text); err != nil && first == nil {
			line, _ := s.File.Lines().Position(s.Offset)
			first = fmt.Errorf("%s:%d: %w", s.File.Path, line, err)
		}
	}
	_ = conn.Conn().Close(ctx) // discards its search path and other settings
	conn.Release()
	return first
}

// transaction matches statements that begin or end a transaction.
var transaction = regexp.MustCompile(`(?i)^\s*(begin|start\s+transaction|commit|end|rollback)\b`)

// open reads the tables of a write and the types of its query's parameters.
func open(ctx context.Context, pool *pgxpool.Pool, w *verdict.Write, against *verdict.Query) (*sandbox, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	v := &sandbox{ctx: ctx, pool: pool, query: w.Query, write: w, consts: constantsOf(w.Query.Text)}
	r := &reader{ctx: ctx, conn: conn.Conn(), kinds: map[uint32]kind{}}
	if v.target, err = r.table(name(w.Target.Table)); err != nil {
		return nil, err
	}
	v.seen = map[uint32]bool{v.target.oid: true}
	if v.against = against; against != nil {
		v.consts = append(v.consts, constantsOf(against.Text)...)
		if v.opening, err = r.params(against.Text, nil); err != nil {
			return nil, err
		}
	}
	for _, b := range v.blocks() {
		for _, rel := range b.Relations {
			if t := rel.Table; t != nil && t.View == nil && t.Known() && rel.Block == nil {
				if err := v.add(r, name(t)); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, parent := range v.target.Parents {
		if err := v.add(r, parent); err != nil {
			return nil, err
		}
	}
	if v.params, err = r.params(w.Query.Text, varied(w)); err != nil {
		return nil, err
	}
	return v, v.settle()
}

// blocks returns the blocks of the competing statements.
func (v *sandbox) blocks() []*reading.Block {
	all := append(slices.Clone(v.write.Statement.Blocks), v.write.Block)
	if v.against != nil {
		for _, s := range v.against.Statements {
			all = append(all, s.Blocks...)
		}
	}
	return all
}

func name(t *catalog.Table) string { return syntax.Quote(t.Schema) + "." + syntax.Quote(t.Name) }

// add adds a table after those that it references.
func (v *sandbox) add(r *reader, name string) error {
	t, err := r.table(name)
	if err != nil || v.seen[t.oid] {
		return err
	}
	v.seen[t.oid] = true // set before visiting its parents: references may be cyclic
	for _, parent := range t.Parents {
		if err := v.add(r, parent); err != nil {
			return err
		}
	}
	v.others = append(v.others, t)
	return nil
}

// bare returns a table's name without its schema.
func bare(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// params returns the parameters of a query with their types.
func (r *reader) params(text string, varied []string) ([]param, error) {
	sql, names := races.Bind(text)
	described, err := r.conn.Prepare(r.ctx, "", sql)
	if err != nil {
		return nil, err
	}
	var all []param
	for i, name := range names {
		if i >= len(described.ParamOIDs) {
			return nil, errors.New("a parameter without a type")
		}
		k, err := r.kind(described.ParamOIDs[i])
		if err != nil {
			return nil, err
		}
		all = append(all, param{name, k, slices.Contains(varied, name)})
	}
	return all, nil
}
