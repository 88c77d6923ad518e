package shape

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/sqlguard/syntax"
)

//go:embed facts.sql
var ask string

// Facts are what the rules must know of the base's schema.
type Facts struct {
	static   map[string]bool   // tables that nobody but migrations writes
	volatile map[string]bool   // names of functions
	domains  map[string]bool   // domains with a constraint
	types    map[string]string // by table.column
	checks   map[string]bool   // table=CHECK ((…)), where they hold for all rows
}

// Look reads the facts from a database of the base. role is that of the application.
func Look(ctx context.Context, conn *pgx.Conn, role string) (*Facts, error) {
	owns := role == ""
	if owns {
		role = conn.Config().User
	}
	var static, volatile, domains, types, checks []string
	if err := conn.QueryRow(ctx, ask, role, owns).Scan(&static, &volatile, &domains, &types, &checks); err != nil {
		return nil, err
	}
	f := &Facts{set(static), set(volatile), set(domains), map[string]string{}, set(checks)}
	for _, t := range types {
		column, of, _ := strings.Cut(t, "=")
		f.types[column] = of
	}
	return f, nil
}

// writtenByMigrations leaves out the tables that a statement of the base or the head writes, or that none reads: of an
// application that owns its tables, no grant says it.
func (f *Facts) writtenByMigrations(c *change.Change) *Facts {
	if c.Settings.Role != "" {
		return f
	}
	read, written := map[string]bool{}, map[string]bool{}
	for _, q := range slices.Concat(query.Read(c.Base, c.Settings.Queries), query.Read(c.Head, c.Settings.Queries)) {
		nodes, err := query.Nodes(q.SQL)
		if err != nil {
			return &Facts{nil, f.volatile, f.domains, f.types, f.checks} // it may write any of them
		}
		syntax.WalkAll(nodes, func(n *pg.Node) bool {
			read[n.GetRangeVar().GetRelname()] = true
			for _, target := range []*pg.RangeVar{n.GetInsertStmt().GetRelation(), n.GetUpdateStmt().GetRelation(),
				n.GetDeleteStmt().GetRelation(), n.GetMergeStmt().GetRelation()} {
				written[target.GetRelname()] = true
			}
			for _, target := range n.GetTruncateStmt().GetRelations() {
				written[target.GetRangeVar().GetRelname()] = true
			}
			return true
		})
	}
	static := map[string]bool{}
	for table := range f.static {
		static[table] = read[table] && !written[table]
	}
	return &Facts{static, f.volatile, f.domains, f.types, f.checks}
}

func set(list []string) map[string]bool {
	all := map[string]bool{}
	for _, s := range list {
		all[s] = true
	}
	return all
}
