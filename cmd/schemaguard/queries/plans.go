package queries

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
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
	// WorsePlan is the rule that a change of the schema makes no statement slow that it does not touch.
	WorsePlan = finding.Rule{
		Name: "plan-got-worse",
		Load: "each call of a statement that worked takes longer from the migration on, in servers of before and after",
		Safe: "keep the index until no statement uses it, or make the one that takes its place before it goes",
	}
)

//go:embed large.sql
var large string

// node is a node of a plan.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Cond     string  `json:"Index Cond"`
	Filter   string  `json:"Filter"`
	Cost     float64 `json:"Total Cost"`
	Plans    []node
}

func (n node) walk(visit func(node)) {
	visit(n)
	for _, p := range n.Plans {
		p.walk(visit)
	}
}

// bitmap returns a scan by a bitmap with the index and the condition of the least that its parts ask for: what they
// have in common is asked of all of them, and of what is either, each is read.
func (n node) bitmap(tenant []string) node {
	for _, part := range n.Plans {
		if part = part.bitmap(tenant); n.Index == "" {
			n.Index = part.Index
		}
		switch {
		case n.Type != "BitmapOr", n.Cond == "", onlyTenant(part.Cond, tenant):
			if n.Type == "BitmapOr" {
				n.Cond = ""
			}
			n.Cond = strings.TrimSpace(n.Cond + " " + part.Cond)
		}
	}
	return n
}

// planner has statements planned on a database with rows.
type planner struct {
	conn            *pgx.Conn
	tables, partial []string
	tenant          []string
}

func newPlanner(ctx context.Context, c *change.Change, d *server.Database) (*planner, error) {
	conn, err := d.Application(ctx)
	if err != nil {
		return nil, err
	}
	p := &planner{conn: conn, tenant: c.Settings.TenantColumns}
	if err = conn.QueryRow(ctx, large).Scan(&p.tables, &p.partial); err == nil {
		_, err = conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan; SET jit = off")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return p, nil
}

func (p *planner) close(ctx context.Context) { p.conn.Close(context.WithoutCancel(ctx)) }

// Plans are the plans of statements, by their text.
type Plans map[string]plan

// plan is what is known of one.
type plan struct {
	cost    float64
	indexes []string
	faults  []finding.Finding
}

// Before returns the plans of the base's statements on a database of the base with rows, which are those of state:
// on a copy of it, a statement has the plan that it had.
func Before(ctx context.Context, c *change.Change, d *server.Database, state string) (Plans, error) {
	all, plans := query.Read(c.Base, c.Settings.Queries), Plans{}
	known, _ := d.Server().Memory.LoadOrStore("plans of "+state, &sync.Map{})
	var unknown []query.Query
	for _, q := range all {
		if p, ok := known.(*sync.Map).Load(q); ok {
			plans[q.SQL] = p.(plan)
		} else {
			unknown = append(unknown, q)
		}
	}
	if len(unknown) == 0 {
		return plans, nil
	}
	now, err := plansOf(ctx, c, d, unknown)
	for _, q := range unknown {
		if p, planned := now[q.SQL]; planned {
			known.(*sync.Map).Store(q, p)
		}
	}
	maps.Copy(plans, now)
	return plans, err
}

func plansOf(ctx context.Context, c *change.Change, d *server.Database, all []query.Query) (Plans, error) {
	p, err := newPlanner(ctx, c, d)
	if err != nil {
		return nil, err
	}
	defer p.close(ctx)
	plans := Plans{}
	for _, q := range all {
		root, err := explain(ctx, p.conn, q)
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			continue // another rule says so
		}
		if err != nil {
			return nil, err
		}
		plans[q.SQL] = p.judge(q, root)
	}
	return plans, nil
}

// CheckPlans has the statements planned that the base does not have, or of which the base has another text, and those
// that the base has, of which before has the plans. d is a database of the head with rows.
func CheckPlans(ctx context.Context, c *change.Change, d *server.Database, before Plans) (all []finding.Finding,
	err error) {
	asked := Changed(c)
	if len(before) > 0 {
		asked = query.Read(c.Head, c.Settings.Queries)
	}
	plans, err := plansOf(ctx, c, d, asked)
	if err != nil {
		return nil, err
	}
	for _, q := range asked {
		now, planned := plans[q.SQL]
		was, old := before[q.SQL]
		switch {
		case !planned:
		case !old:
			all = append(all, now.faults...)
		default:
			if why := was.worse(now); why != "" {
				m := blamed(c, was.indexes)
				all = append(all, WorsePlan.At(m.Path, lineOfUp(m, was.indexes), q.Name, fmt.Sprintf(
					"%s, which the change leaves as it is, costs more by the new schema: %s", q.Name, why)))
			}
		}
	}
	return all, nil
}

// Costs of plans that count, and how much more is too much.
const (
	cheap  = 100
	factor = 10
)

// worse says what is worse in a plan than it was, or "".
func (was plan) worse(now plan) string {
	switch {
	case len(now.faults) > len(was.faults):
		return now.faults[len(now.faults)-1].Message
	case now.cost > cheap && now.cost > factor*was.cost:
		return fmt.Sprintf("%.0f, where it was %.0f", now.cost, was.cost)
	}
	return ""
}

// blamed returns the new migration that names one of the indexes, or else the first.
func blamed(c *change.Change, indexes []string) *migration.Migration {
	for _, m := range c.New {
		if slices.ContainsFunc(indexes, func(index string) bool { return strings.Contains(m.UpText, index) }) {
			return m
		}
	}
	return c.New[0]
}

// lineOfUp returns the line of a migration that names one of the indexes, or that of its first statement.
func lineOfUp(m *migration.Migration, indexes []string) int {
	for _, s := range m.Up {
		if slices.ContainsFunc(indexes, func(index string) bool { return strings.Contains(s.Text, index) }) {
			return s.Line
		}
	}
	return max(1, m.DownLine-1)
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

// judge returns what is wrong with a plan.
func (p *planner) judge(q query.Query, root node) (found plan) {
	found.cost = root.Cost
	root.walk(func(n node) {
		if n.Index != "" {
			found.indexes = append(found.indexes, n.Index)
		}
		if f, ok := p.fault(q, n); ok {
			found.faults = append(found.faults, f)
		}
	})
	return found
}

func (p *planner) fault(q query.Query, n node) (f finding.Finding, found bool) {
	if n.Type == "Bitmap Heap Scan" {
		n = n.bitmap(p.tenant)
	}
	if !slices.Contains(p.tables, n.Relation) || slices.Contains(p.partial, n.Index) {
		return f, false
	}
	switch {
	case n.Type == "Seq Scan":
		return WholeTable.At(q.Path, q.Line, q.Name, fmt.Sprintf("%s reads all of %s", q.Name, n.Relation)), true
	case n.Filter != "" && n.Cond == "" && n.Index != "":
		return WholeTable.At(q.Path, q.Line, q.Name, fmt.Sprintf("%s reads all of %s by the index %s, and filters it "+
			"by %s", q.Name, n.Relation, n.Index, n.Filter)), true
	case n.Filter != "" && n.Cond != "" && onlyTenant(n.Cond, p.tenant):
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
	return parsePlan(text)
}

// parsePlan reads what EXPLAIN answers. Of what is no query, such as REFRESH MATERIALIZED VIEW, it is a text, and
// there is no plan.
func parsePlan(text []byte) (n node, err error) {
	var out []json.RawMessage
	if err := json.Unmarshal(text, &out); err != nil {
		return n, err
	}
	if len(out) == 0 || !strings.HasPrefix(string(out[0]), "{") {
		return n, nil
	}
	var query struct{ Plan node }
	err = json.Unmarshal(out[0], &query)
	return query.Plan, err
}
