package prove

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// settles limits the generated values until a table accepts a row.
const settles = 400

// settle finds for each table a row that satisfies its checks and references.
func (v *sandbox) settle() error {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(v.ctx)
	random := rand.New(rand.NewPCG(3, 4))
	for _, t := range v.tables() {
		t.base = make([]*string, len(t.Columns))
		for i, c := range t.Columns {
			t.base[i] = &c.Kind.candidates(nil)[0]
		}
		if err := v.settleTable(tx, t, random); err != nil {
			return err
		}
	}
	return nil
}

// tables returns all tables in order of their references, referenced tables first.
func (v *sandbox) tables() []*table { return append(slices.Clone(v.others), v.target) }

// settleTable changes the columns that PostgreSQL complains about until the row is accepted.
func (v *sandbox) settleTable(tx pgx.Tx, t *table, random *rand.Rand) error {
	for range settles {
		if _, err := tx.Exec(v.ctx, "SAVEPOINT s"); err != nil {
			return err
		}
		_, err := tx.Exec(v.ctx, t.insertion(t.base))
		if err == nil {
			return nil
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) {
			return err
		}
		if _, err := tx.Exec(v.ctx, "ROLLBACK TO s"); err != nil {
			return err
		}
		for _, i := range t.offending(refused, random) {
			t.base[i] = pick(random, t.Columns[i].Kind.candidates(t.Literals), t.Columns[i].Nullable)
		}
	}
	return nil // the query may still write other rows
}

// offending returns the columns that an error names; if it names none, a random one that nothing
// references.
func (t *table) offending(refused *pgconn.PgError, random *rand.Rand) []int {
	var all []int
	for i, c := range t.Columns {
		if slices.Contains(t.checks[refused.ConstraintName], c.Name) ||
			refused.ColumnName != "" && unquote(c.Name) == refused.ColumnName ||
			refused.DataTypeName != "" && bare(c.Kind.Name) == refused.DataTypeName {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		all = append(all, random.IntN(len(t.Columns)))
	}
	return all
}
