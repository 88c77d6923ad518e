package queries

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
)

var (
	// WholeTable is the rule that no statement reads a table that grows from one end to the other.
	WholeTable = finding.Rule{
		Name: "reads-whole-table",
		Load: "each call takes longer with each row that anybody has ever written",
		Safe: "an index that begins with the columns of the condition, the tenant first (CREATE INDEX CONCURRENTLY)",
	}
	// WholeTenant is the rule that no statement reads all that a tenant has, to throw most of it away.
	WholeTenant = finding.Rule{
		Name: "filters-whole-tenant",
		Load: "each call takes longer with each row that the tenant has ever written, and most are thrown away",
		Safe: "an index that has the columns of the condition after the tenant's, in the order of the list",
	}
)

//go:embed large.sql
var large string

// node is a node of a plan.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Filter   string `json:"Filter"`
	Plans    []node
}

func (n node) walk(visit func(node)) {
	visit(n)
	for _, p := range n.Plans {
		p.walk(visit)
	}
}

// CheckPlans has the statements planned that the base does not have, or of which the base has another text. d is a
// database of the head with rows.
func CheckPlans(ctx context.Context, c *change.Change, d *server.Database) (all []finding.Finding, err error) {
	conn, err := d.Application(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var tables, partial []string
	if err := conn.QueryRow(ctx, large).Scan(&tables, &partial); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan; SET jit = off"); err != nil {
		return nil, err
	}
	for _, q := range Changed(c) {
		plan, err := explain(ctx, conn, q)
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			continue // another rule says so
		}
		if err != nil {
			return nil, err
		}
		plan.walk(func(n node) {
			if f, ok := judge(q, n, tables, c.Settings.TenantColumns); ok && !slices.Contains(partial, n.Index) {
				all = append(all, f)
			}
		})
	}
	return all, nil
}

// Changed returns the statements whose text the base does not have.
func Changed(c *change.Change) (all []query.Query) {
	old := map[string]bool{}
	for _, q := range query.Read(c.Base, c.Settings.Queries) {
		old[q.SQL] = true
	}
	for _, q := range query.Read(c.Head, c.Settings.Queries) {
		if !old[q.SQL] {
			all = append(all, q)
		}
	}
	return all
}

func judge(q query.Query, n node, tables, tenant []string) (f finding.Finding, found bool) {
	if !slices.Contains(tables, n.Relation) {
		return f, false
	}
	switch {
	case n.Type == "Seq Scan":
		return WholeTable.At(q.Path, q.Line, q.Name, fmt.Sprintf("%s reads all of %s", q.Name, n.Relation)), true
	case n.Filter != "" && n.Cond != "" && onlyTenant(n.Cond, tenant):
		return WholeTenant.At(q.Path, q.Line, q.Name, fmt.Sprintf(
			"%s finds rows of %s by the tenant alone, and filters them by %s", q.Name, n.Relation, n.Filter)), true
	}
	return f, false
}

var compared = regexp.MustCompile(`\b(?:ROW\()?"?(\w+)"?(?:, [^)]*\))? (?:=|<|>|<=|>=|IS)`)

// onlyTenant reports whether an index is searched by the tenant's column alone.
func onlyTenant(cond string, tenant []string) bool {
	all := compared.FindAllStringSubmatch(cond, -1)
	return len(all) > 0 && !slices.ContainsFunc(all, func(m []string) bool { return !slices.Contains(tenant, m[1]) })
}

// explain returns the plan for any arguments.
func explain(ctx context.Context, conn *pgx.Conn, q query.Query) (n node, err error) {
	name := "plan_" + strings.ToLower(q.Name)
	prepared, err := conn.Prepare(ctx, name, q.SQL)
	if err != nil {
		return n, err
	}
	nulls := ""
	if n := len(prepared.ParamOIDs); n > 0 {
		nulls = "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	var text []byte
	err = conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) EXECUTE "+pgx.Identifier{name}.Sanitize()+nulls,
		pgx.QueryExecModeSimpleProtocol).Scan(&text)
	if err = errors.Join(err, conn.Deallocate(ctx, name)); err != nil {
		return n, err
	}
	var out []struct{ Plan node }
	if err := json.Unmarshal(text, &out); err != nil {
		return n, err
	}
	return out[0].Plan, nil
}
