package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// world is a throwaway database in which a query is to find a row to write.
type world struct {
	ctx    context.Context
	pool   *pgxpool.Pool
	query  *verdict.Query
	write  *verdict.Write
	target *table
	others []*table // parents first
	seen   map[uint32]bool
	params []param
	consts []string // the constants of the query
	later  bool     // the first caller is to bring the later of two values
}

// param is a parameter of the query; of a varied one each caller has its own value.
type param struct {
	name   string
	kind   kind
	varied bool
}

// build makes the project's schema. What the throwaway server cannot do, an extension
// that it lacks or a role, is left out.
func build(ctx context.Context, pool *pgxpool.Pool, schema []*project.Statement) error {
	var first error
	for _, s := range schema {
		if _, err := pool.Exec(ctx, s.Text); err != nil && first == nil {
			line, _ := s.File.Lines().Position(s.Offset)
			first = fmt.Errorf("%s:%d: %w", s.File.Path, line, err)
		}
	}
	return first
}

// open reads the tables of a write and the types of its query's parameters.
func open(ctx context.Context, pool *pgxpool.Pool, w *verdict.Write) (*world, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	v := &world{ctx: ctx, pool: pool, query: w.Query, write: w, consts: constants(w.Query.Text)}
	r := &reader{ctx: ctx, conn: conn.Conn(), kinds: map[uint32]kind{}}
	if v.target, err = r.table(name(w.Target.Table)); err != nil {
		return nil, err
	}
	v.seen = map[uint32]bool{v.target.oid: true}
	for _, b := range w.Statement.Blocks {
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

func name(t *catalog.Table) string { return syntax.Quote(t.Schema) + "." + syntax.Quote(t.Name) }

// add takes a table in, behind those that it refers to.
func (v *world) add(r *reader, name string) error {
	t, err := r.table(name)
	if err != nil || v.seen[t.oid] {
		return err
	}
	v.seen[t.oid] = true // also while its own parents are taken in: they may refer back
	for _, parent := range t.Parents {
		if err := v.add(r, parent); err != nil {
			return err
		}
	}
	v.others = append(v.others, t)
	return nil
}

// bare is a table's name without its schema.
func bare(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// params are the parameters of a text, with their types.
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

// choice is a value for each column and parameter; nil is NULL.
type choice struct {
	rows [][][]*string // by table, others first, then the target
	args [2][]*string  // of the two callers
}

// tries is how many rows are tried until the query writes one.
const tries = 800

// ErrNoRow means that nothing is known: the query found no row to write.
var ErrNoRow = errors.New("no row could be made that the query writes")

// played is how many rows that the query writes are played before it is said that
// nothing is lost.
const played = 24

// find looks for rows with which the query loses one of two callers' writes, and returns
// the race; where it finds none, the last that it played.
func (v *world) find() (choice, *Race, error) {
	random := rand.New(rand.NewPCG(1, 2))
	var c choice
	var r *Race
	races := 0
	for try := 0; try < tries && races < played; try++ {
		next := v.choose(random, try)
		if writes, err := v.attempt(next); err != nil {
			return c, r, err
		} else if !writes {
			continue
		}
		if err := v.fill(next); err != nil {
			return c, r, err
		}
		races++
		var err error
		if r, err = v.race(v.query.Text, v.params, next.args); err != nil {
			return c, r, err
		}
		if c = next; r.Loses() {
			return c, r, nil
		}
	}
	if races == 0 {
		return c, r, ErrNoRow
	}
	return c, r, nil
}

// choose makes up rows and values: the first time those that stand for everything that
// refers to each other, then more and more others.
func (v *world) choose(random *rand.Rand, try int) choice {
	asked := v.asked()
	var c choice
	for _, t := range v.tables() {
		one := make([]*string, len(t.Columns))
		two := make([]*string, len(t.Columns))
		for i, col := range t.Columns {
			all := col.Kind.candidates(append(slices.Clone(v.consts), t.Literals...))
			chance := 0.1
			if asked[unquote(col.Name)] {
				chance = 0.6
			}
			one[i], two[i] = t.base[i], t.base[i]
			if col.Unique {
				two[i] = &all[min(1, len(all)-1)]
			}
			if try > 0 && !(col.Key && random.Float64() < 0.8) && random.Float64() < chance {
				one[i] = pick(random, all, col.Nullable)
			}
		}
		rows := [][]*string{one}
		if t != v.target {
			rows = append(rows, two)
		}
		c.rows = append(c.rows, rows)
	}
	for i, p := range v.params {
		all := p.kind.candidates(v.consts)
		a := &all[0]
		if try > 0 && random.Float64() < 0.3 {
			a = pick(random, all, true)
		}
		b := a
		switch {
		case p.varied:
			a, b = v.two(p.kind, all, try)
		case try%2 == 1 && try/2%(len(v.params)+1) == i: // the second leaves it out
			b = nil
		}
		c.args[0], c.args[1] = append(c.args[0], a), append(c.args[1], b)
	}
	return c
}

// two are the values of the two callers, none of them what the row has to begin with
// unless there are no others.
func (v *world) two(k kind, all []string, try int) (a, b *string) {
	at := func(i int) *string { return &all[min(i, len(all)-1)] }
	switch {
	case v.later:
		return at(2), at(1)
	case k.isTime() && !k.Array: // a lease that has ended already is none
		return at(2), at(3)
	case try%3 == 1 || len(all) < 3: // where a third value refers to nothing
		return at(1), at(0)
	}
	return at(1), at(2)
}

func pick(random *rand.Rand, all []string, nullable bool) *string {
	n := random.IntN(len(all) + 1)
	if n == len(all) {
		if nullable {
			return nil
		}
		n = 0
	}
	return &all[n]
}

func unquote(name string) string { return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`) }

// asked are the columns that any condition of the statement asks for.
func (v *world) asked() map[string]bool {
	all := map[string]bool{}
	for _, b := range append(slices.Clone(v.write.Statement.Blocks), v.write.Block) {
		for _, c := range b.Conditions {
			for _, from := range v.write.Statement.Sources(c.Node, c.Block) {
				all[from.Column] = from.Column != ""
			}
		}
	}
	return all
}

// attempt reports whether the first caller's query writes the row; nothing of it stays.
func (v *world) attempt(c choice) (bool, error) {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback(v.ctx)
	if !v.insert(tx, c) {
		return false, v.ctx.Err()
	}
	var before, after string
	if err := tx.QueryRow(v.ctx, v.contents()).Scan(&before); err != nil {
		return false, err
	}
	if _, err := tx.Exec(v.ctx, v.sql(v.query.Text, v.params, c.args[0])); err != nil {
		return false, v.ctx.Err()
	}
	if err := tx.QueryRow(v.ctx, v.contents()).Scan(&after); err != nil {
		return false, v.ctx.Err()
	}
	return v.changes(before, after), nil
}

// changes reports whether the one row is written, and if the write overwrites columns,
// whether any of them has another value now.
func (v *world) changes(before, after string) bool {
	old, err := rowsOf(before)
	if err != nil || len(old) != 1 || before == after {
		return false
	}
	now, err := rowsOf(after)
	if err != nil || len(now) != 1 {
		return err == nil // deleted, or one more
	}
	overwritten := v.write.Set(verdict.AbsoluteSet, verdict.PatchSet)
	return len(overwritten) == 0 && fmt.Sprint(old[0][place]) != fmt.Sprint(now[0][place]) ||
		slices.ContainsFunc(overwritten, func(column string) bool { return fmt.Sprint(old[0][column]) != fmt.Sprint(now[0][column]) })
}

// fill leaves the rows in the database, in the place of those of before.
func (v *world) fill(c choice) error {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(v.ctx)
	if !v.insert(tx, c) {
		return ErrNoRow
	}
	return tx.Commit(v.ctx)
}

// insert inserts the rows in the place of those that are there, and reports whether the
// target's could be.
func (v *world) insert(tx pgx.Tx, c choice) bool {
	for _, t := range slices.Backward(v.tables()) {
		if _, err := tx.Exec(v.ctx, "DELETE FROM "+t.Name); err != nil {
			return false
		}
	}
	for i, t := range v.tables() {
		for nth, row := range c.rows[i] {
			if _, err := tx.Exec(v.ctx, "SAVEPOINT s"); err != nil {
				return false
			}
			if _, err := tx.Exec(v.ctx, t.insertion(row)); err != nil {
				if nth == 0 && t == v.target {
					return false
				}
				if _, err := tx.Exec(v.ctx, "ROLLBACK TO s"); err != nil {
					return false
				}
			}
		}
	}
	return true
}

func (t *table) insertion(row []*string) string {
	var names, values []string
	for i, c := range t.Columns {
		names, values = append(names, c.Name), append(values, c.Kind.literal(row[i]))
	}
	return "INSERT INTO " + t.Name + " (" + strings.Join(names, ", ") + ") OVERRIDING SYSTEM VALUE VALUES (" + strings.Join(values, ", ") + ")"
}
