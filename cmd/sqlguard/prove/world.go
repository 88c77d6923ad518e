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
	params []param
	consts []string // the constants of the query
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
	v.params, err = r.params(w.Query.Text, varied(w))
	return v, err
}

func name(t *catalog.Table) string { return syntax.Quote(t.Schema) + "." + syntax.Quote(t.Name) }

// add takes a table in, behind those that it refers to.
func (v *world) add(r *reader, name string) error {
	t, err := r.table(name)
	if err != nil {
		return err
	}
	known := func(o *table) bool {
		return slices.EqualFunc(o.Columns, t.Columns, func(a, b column) bool { return a.Name == b.Name }) && bare(o.Name) == bare(t.Name)
	}
	if known(v.target) || slices.ContainsFunc(v.others, known) {
		return nil
	}
	for _, parent := range t.Parents {
		if bare(parent) != bare(name) {
			if err := v.add(r, parent); err != nil {
				return err
			}
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
const tries = 1500

var errNoRow = errors.New("no row could be made that the query writes")

// find looks for rows that the query writes, and leaves them in the database.
func (v *world) find() (choice, error) {
	random := rand.New(rand.NewPCG(1, 2))
	for try := range tries {
		c := v.choose(random, try)
		writes, err := v.attempt(c)
		if err != nil {
			return c, err
		}
		if writes {
			return c, v.fill(c)
		}
	}
	return choice{}, errNoRow
}

// choose makes up rows and values: the first time those that stand for everything that
// refers to each other, then more and more others.
func (v *world) choose(random *rand.Rand, try int) choice {
	asked := v.asked()
	var c choice
	for _, t := range append(slices.Clone(v.others), v.target) {
		one := make([]*string, len(t.Columns))
		two := make([]*string, len(t.Columns))
		for i, col := range t.Columns {
			all := col.Kind.candidates(append(slices.Clone(v.consts), t.Literals...))
			chance := 0.1
			if asked[unquote(col.Name)] {
				chance = 0.6
			}
			one[i], two[i] = &all[0], &all[min(1, len(all)-1)]
			if try > 0 && !(col.Key && random.Float64() < 0.8) && random.Float64() < chance {
				one[i] = pick(random, all, col.Nullable)
			}
			if col.Nullable && !col.Key && t != v.target && !asked[unquote(col.Name)] {
				two[i] = nil
			}
		}
		rows := [][]*string{one}
		if t != v.target {
			rows = append(rows, two)
		}
		c.rows = append(c.rows, rows)
	}
	for _, p := range v.params {
		all := p.kind.candidates(v.consts)
		a := &all[0]
		if try > 0 && random.Float64() < 0.3 {
			a = pick(random, all, true)
		}
		b := a
		if p.varied {
			a, b = &all[0], &all[min(1, len(all)-1)]
			if try%3 == 2 && len(all) > 3 { // times that lie ahead
				a, b = &all[2], &all[3]
			}
		}
		c.args[0], c.args[1] = append(c.args[0], a), append(c.args[1], b)
	}
	return c
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
	if err := tx.QueryRow(v.ctx, v.places()).Scan(&before); err != nil {
		return false, err
	}
	if _, err := tx.Exec(v.ctx, v.sql(v.query.Text, v.params, c.args[0])); err != nil {
		return false, v.ctx.Err()
	}
	if err := tx.QueryRow(v.ctx, v.places()).Scan(&after); err != nil {
		return false, v.ctx.Err()
	}
	return before != after && before != "", nil
}

// fill leaves the rows in the database, in the place of those of before.
func (v *world) fill(c choice) error {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(v.ctx)
	for _, t := range append(slices.Clone(v.others), v.target) {
		if _, err := tx.Exec(v.ctx, "TRUNCATE "+t.Name+" CASCADE"); err != nil {
			return err
		}
	}
	if !v.insert(tx, c) {
		return errNoRow
	}
	return tx.Commit(v.ctx)
}

// insert inserts the rows, and reports whether the first of each table could be.
func (v *world) insert(tx pgx.Tx, c choice) bool {
	for i, t := range append(slices.Clone(v.others), v.target) {
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

// places says where the target's rows are: each write moves the ones that it writes.
func (v *world) places() string {
	return "SELECT coalesce(string_agg(tableoid::text || ctid::text, ' ' ORDER BY tableoid, ctid), '') FROM " + v.target.Name
}
