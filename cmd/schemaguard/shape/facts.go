package shape

import (
	"context"
	_ "embed"
	"strings"

	"github.com/jackc/pgx/v5"
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
	if role == "" {
		role = conn.Config().User
	}
	var static, volatile, domains, types, checks []string
	if err := conn.QueryRow(ctx, ask, role).Scan(&static, &volatile, &domains, &types, &checks); err != nil {
		return nil, err
	}
	f := &Facts{set(static), set(volatile), set(domains), map[string]string{}, set(checks)}
	for _, t := range types {
		column, of, _ := strings.Cut(t, "=")
		f.types[column] = of
	}
	return f, nil
}

func set(list []string) map[string]bool {
	all := map[string]bool{}
	for _, s := range list {
		all[s] = true
	}
	return all
}
